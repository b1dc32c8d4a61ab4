/**
 * Random programs over a storage, beside a model that is a `Map`: whatever is asked, in
 * whatever order, both answer the same.
 *
 * One operation after the other, and nothing that expires meanwhile: the suite asks what goes
 * on at once, and what runs out. Each program has a beginning of keys of its own, so a store
 * need not be empty.
 */
import * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as FastCheck from "effect/FastCheck"
import type * as Layer from "effect/Layer"
import * as ManagedRuntime from "effect/ManagedRuntime"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { Storage, type StorageEntry, type StorageError, type StorageView } from "effect-larder"
import { expect, it } from "vitest"
import { show } from "../../src/testing/conformance/expectation.js"
import { lifeOf } from "../../src/testing/conformance/storage/subject.js"
import { naive } from "../policy/naiveGlob.js"

/** Which part of the storage is asked: all of it, or a view. */
type Part = "plain" | "texts" | "counts" | "later counts"

interface Writing {
  readonly ttl: number | undefined
  readonly metadata: Readonly<Record<string, unknown>> | undefined
}

type Operation =
  | { readonly name: "get" | "getEntry" | "delete" | "exists"; readonly key: string }
  | { readonly name: "getMany" | "deleteMany"; readonly keys: ReadonlyArray<string> }
  | { readonly name: "keys" | "keysStream" | "entries"; readonly pattern: string }
  | { readonly name: "set"; readonly pair: Pair; readonly options: Writing }
  | { readonly name: "setMany"; readonly pairs: ReadonlyArray<Pair>; readonly options: Writing }
  | { readonly name: "cleanup"; readonly olderThan: number | undefined }

type Pair = readonly [key: string, value: unknown]
type Step = readonly [part: Part, operation: Operation]

const day = 86_400_000

const keys = FastCheck.constantFrom(
  ...["", "a", "A", "a ", "ab", "é", "e\u0301", "a*", "[a]", "\\", "%", "_", "'", "\0", "\r\n"],
  ...["😀", "\ud83d", "\ude00", "__proto__", "constructor", "c:", "c:a", "c:é", "t[*]\\a", "t*a"]
)

const poisoned = '{"__proto__":{"a":1},"constructor":2,"toString":3}'
const poison = (): Record<string, unknown> => JSON.parse(poisoned) as Record<string, unknown>

/** Some of them are refused. */
const values: Readonly<Record<Part, FastCheck.Arbitrary<unknown>>> = {
  plain: FastCheck.oneof(
    { weight: 1, arbitrary: FastCheck.constantFrom<Array<unknown>>(Number.NaN, new Date(0), [1n]) },
    {
      weight: 6,
      arbitrary: FastCheck.constantFrom<Array<unknown>>(
        ...[null, undefined, 0, false, "", "7", "x\0y", "'", [], {}, { a: [1, { b: null }] }],
        poison()
      )
    },
    { weight: 3, arbitrary: FastCheck.jsonValue({ maxDepth: 2, noUnicodeString: false }) }
  ),
  texts: FastCheck.constantFrom("", "a", "7", "ключ", "\ud83d"),
  counts: FastCheck.constantFrom(0, 7, -1.5, Number.NaN),
  "later counts": FastCheck.constantFrom({ n: 0 }, { n: 7 }, { n: Number.NaN })
}

const options = FastCheck.record({
  ttl: FastCheck.oneof(
    { weight: 6, arbitrary: FastCheck.constantFrom(undefined, Infinity, 3_600_000, 100 * day) },
    { weight: 1, arbitrary: FastCheck.constantFrom(0, -1) }
  ),
  metadata: FastCheck.oneof(
    {
      weight: 6,
      arbitrary: FastCheck.constantFrom(undefined, {}, { a: 1 }, { "": [null], é: "'" }, poison())
    },
    { weight: 1, arbitrary: FastCheck.constant({ a: undefined }) }
  )
})

const patterns = FastCheck.oneof(
  FastCheck.constant("*"),
  keys,
  FastCheck.array(
    FastCheck.constantFrom(
      ...["*", "*", "?", "[", "]", "^", "-", "\\", "a", "a", "A", "é", "%", "_", "c:", " ", "😀"]
    ),
    { maxLength: 5 }
  ).map((tokens) => tokens.join(""))
)

const named = <Names extends string>(...names: ReadonlyArray<Names>) =>
  FastCheck.constantFrom<Array<Names>>(...names)

const stepsOf = (part: Part): FastCheck.Arbitrary<Step> => {
  const pair = FastCheck.tuple(keys, values[part])
  const pairs = FastCheck.array(pair, { maxLength: 6 })
  const several = FastCheck.array(keys, { maxLength: 8 })
  const olderThan = FastCheck.constantFrom(undefined, day, Infinity)
  const operation = FastCheck.oneof<Array<FastCheck.MaybeWeightedArbitrary<Operation>>>(
    { weight: 5, arbitrary: FastCheck.record({ name: named("set"), pair, options }) },
    { weight: 3, arbitrary: FastCheck.record({ name: named("setMany"), pairs, options }) },
    {
      weight: 5,
      arbitrary: FastCheck.record({ name: named("get", "getEntry", "delete", "exists"), key: keys })
    },
    {
      weight: 3,
      arbitrary: FastCheck.record({ name: named("getMany", "deleteMany"), keys: several })
    },
    {
      weight: 4,
      arbitrary: FastCheck.record({
        name: named("keys", "keysStream", "entries"),
        pattern: patterns
      })
    },
    { weight: 1, arbitrary: FastCheck.record({ name: named("cleanup"), olderThan }) }
  )
  return operation.map((it) => [part, it])
}

const programs = FastCheck.array(
  FastCheck.oneof(
    { weight: 4, arbitrary: stepsOf("plain") },
    { weight: 1, arbitrary: stepsOf("texts") },
    { weight: 2, arbitrary: stepsOf("counts") },
    { weight: 2, arbitrary: stepsOf("later counts") }
  ),
  { minLength: 1, maxLength: 30, size: "max" }
)

/** What an operation has come to: what it found, or why it failed. */
type Outcome = Either.Either<unknown, StorageError["reason"]>

interface Kept {
  /** JSON; empty: `undefined`. */
  readonly value: string
  readonly metadata: string
  readonly version: number
  readonly life: number
}

/** The parts of the storage, as the model knows them. */
interface ModelPart {
  readonly prefix: string
  readonly version: number
  readonly encode: (value: any) => unknown
  /** None: not to be read. */
  readonly decode: (content: any, version: number) => Option.Option<unknown>
}

const count = (content: unknown): Option.Option<number> =>
  typeof content === "string" && content.trim() !== "" && (content === "NaN" || !isNaN(+content))
    ? Option.some(+content)
    : Option.none()

const laterCount = (content: any, version: number): Option.Option<unknown> => {
  if (version === 2) return Option.some(content)
  try {
    return Option.some({ n: Number(content) })
  } catch {
    // An object whose `toString` is none.
    return Option.none()
  }
}

const modelParts: Readonly<Record<Part, ModelPart>> = {
  plain: { prefix: "", version: 0, encode: (value) => value, decode: Option.some },
  texts: {
    prefix: "t[*]\\",
    version: 1,
    encode: (value) => value,
    decode: (content, version) =>
      version <= 1 && typeof content === "string" ? Option.some(content) : Option.none()
  },
  counts: {
    prefix: "c:",
    version: 1,
    encode: String,
    decode: (content, version) => (version <= 1 ? count(content) : Option.none())
  },
  "later counts": { prefix: "c:", version: 2, encode: (value) => value, decode: laterCount }
}

class Model {
  private readonly entries = new Map<string, Kept>()
  constructor(private readonly ttl: number) {}

  perform(part: Part, operation: Operation): Outcome {
    const { prefix } = modelParts[part]
    switch (operation.name) {
      case "get":
        return this.read(part, operation.key)
      case "getEntry":
        return this.readEntry(part, operation.key)
      case "getMany":
        return Either.all(operation.keys.map((key) => this.read(part, key)))
      case "exists":
        return Either.right(this.entries.has(prefix + operation.key))
      case "delete":
        return Either.right(this.entries.delete(prefix + operation.key))
      case "deleteMany":
        return Either.right(
          operation.keys.filter((key) => this.entries.delete(prefix + key)).length
        )
      case "keys":
      case "keysStream":
        return Either.right(this.found(prefix, operation.pattern))
      case "entries":
        return Either.all(
          this.found(prefix, operation.pattern).map((key) => this.readEntry(part, key))
        ).pipe(Either.map((all) => all.flat()))
      case "set":
        return this.write(part, [operation.pair], operation.options)
      case "setMany":
        return this.write(part, operation.pairs, operation.options)
      case "cleanup":
        return Either.right(0)
    }
  }

  private found(prefix: string, pattern: string): ReadonlyArray<string> {
    return [...this.entries.keys()]
      .filter((key) => key.startsWith(prefix))
      .map((key) => key.slice(prefix.length))
      .filter((key) => naive(pattern, key))
      .toSorted()
  }

  /** An option as a list: of one value, or none. */
  private read(part: Part, key: string): Either.Either<Array<unknown>, "Undecodable"> {
    const { decode, prefix } = modelParts[part]
    const kept = this.entries.get(prefix + key)
    if (kept === undefined) return Either.right([])
    const content: unknown = kept.value === "" ? undefined : JSON.parse(kept.value)
    return Option.match(decode(content, kept.version), {
      onNone: () => Either.left("Undecodable"),
      onSome: (value) => Either.right([value])
    })
  }

  private readEntry(part: Part, key: string): Either.Either<Array<unknown>, "Undecodable"> {
    const kept = this.entries.get(modelParts[part].prefix + key)
    return Either.map(this.read(part, key), (found) =>
      found.map((value) => ({
        key,
        value,
        metadata: JSON.parse(kept!.metadata) as unknown,
        life: kept!.life
      }))
    )
  }

  private write(
    part: Part,
    pairs: ReadonlyArray<Pair>,
    { metadata = {}, ttl = this.ttl }: Writing
  ): Outcome {
    const { encode, prefix, version } = modelParts[part]
    const last = new Map(pairs)
    const contents = [...last.values()].map(encode)
    const isLost = (content: unknown) => content !== undefined && !isJson(content)
    // What is wrong for all of them is said though there be none.
    if (ttl <= 0) return Either.left("InvalidTtl")
    if (!isJson(metadata) || contents.some(isLost)) return Either.left("InvalidValue")
    for (const [index, key] of [...last.keys()].entries()) {
      const value = contents[index] === undefined ? "" : JSON.stringify(contents[index])
      const kept = { value, metadata: JSON.stringify(metadata), version, life: ttl }
      this.entries.set(prefix + key, kept)
    }
    return Either.right(undefined)
  }
}

const isJson = (value: unknown): boolean => {
  try {
    expect(JSON.parse(JSON.stringify(value))).toStrictEqual(value)
    return true
  } catch {
    return false
  }
}

/** The parts of the storage under a beginning of keys. */
const partsUnder = (root: string): Readonly<Record<Part, StorageView<any>>> => {
  const own = (keys: Iterable<string>) => Array.from(keys, (key) => root + key)
  const rest = <A extends StorageEntry>(entry: A): A => ({
    ...entry,
    key: entry.key.slice(root.length)
  })
  return {
    plain: {
      get: (key) => Storage.get(root + key),
      getEntry: (key) => Effect.map(Storage.getEntry(root + key), Option.map(rest)),
      set: (key, ...args) => Storage.set(root + key, ...args),
      delete: (key) => Storage.delete(root + key),
      exists: (key) => Storage.exists(root + key),
      keys: (pattern = "*") =>
        Effect.map(Storage.keys(root + pattern), (keys) => keys.map((it) => it.slice(root.length))),
      keysStream: (pattern = "*") =>
        Stream.map(Storage.keysStream(root + pattern), (key) => key.slice(root.length)),
      entries: (pattern = "*") => Stream.map(Storage.entries(root + pattern), rest),
      getMany: (keys) => Storage.getMany(own(keys)),
      setMany: (pairs, ...args) =>
        Storage.setMany(
          Array.from(pairs, ([key, value]) => [root + key, value] as const),
          ...args
        ),
      deleteMany: (keys) => Storage.deleteMany(own(keys))
    },
    texts: Storage.view(Schema.String, { prefix: `${root}t[*]\\` }),
    counts: Storage.view(Schema.NumberFromString, { prefix: `${root}c:` }),
    "later counts": Storage.view(Schema.Struct({ n: Schema.Number }), {
      prefix: `${root}c:`,
      version: 2,
      migrations: { 1: (text) => ({ n: Number(text) }) }
    })
  }
}

const perform = (
  view: StorageView<any>,
  operation: Operation
): Effect.Effect<unknown, StorageError, Storage> => {
  switch (operation.name) {
    case "get":
      return Effect.map(view.get(operation.key), Option.toArray)
    case "getEntry":
      return Effect.map(view.getEntry(operation.key), (found) => Option.toArray(found).map(plainly))
    case "getMany":
      return Effect.map(view.getMany(operation.keys), (found) => found.map(Option.toArray))
    case "exists":
      return view.exists(operation.key)
    case "delete":
      return view.delete(operation.key)
    case "deleteMany":
      return view.deleteMany(operation.keys)
    case "keys":
      return view.keys(operation.pattern)
    case "keysStream":
      return Effect.map(Stream.runCollect(view.keysStream(operation.pattern)), (found) =>
        [...new Set(found)].toSorted()
      )
    case "entries":
      return Effect.map(Stream.runCollect(view.entries(operation.pattern)), (found) =>
        [...new Map(Chunk.toArray(found).map((it) => [it.key, plainly(it)])).values()].toSorted(
          (one, other) => (one.key < other.key ? -1 : 1)
        )
      )
    case "set":
      return view.set(...operation.pair, operation.options)
    case "setMany":
      return view.setMany(operation.pairs, operation.options)
    case "cleanup":
      return Storage.cleanup({ olderThan: operation.olderThan })
  }
}

const plainly = (entry: StorageEntry) => ({
  key: entry.key,
  value: entry.value,
  metadata: entry.metadata,
  life: lifeOf(entry)
})

interface ModelOptions {
  /** The default ttl of the layer, in milliseconds. */
  readonly ttl?: number | undefined
  readonly programs?: number | undefined
  /** Of a run that failed, and printed it. */
  readonly seed?: number | undefined
}

/**
 * Registers the test: a layer answers random programs as the model does. The layer is built
 * once; nothing else may write to what it is over.
 */
export const agreesWithModel = <E>(
  name: string,
  layer: Layer.Layer<Storage, E>,
  { programs: numRuns = 500, seed, ttl = Infinity }: ModelOptions = {}
): void => {
  it(`${name} answers ${numRuns} random programs as a Map does`, async () => {
    const runtime = ManagedRuntime.make(layer)
    const asked = FastCheck.asyncProperty(programs, async (program) => {
      const model = new Model(ttl)
      const parts = partsUnder(`model-${crypto.randomUUID()}-`)
      const all: Step = ["plain", { name: "entries", pattern: "*" }]
      for (const [part, operation] of [...program, all]) {
        const seen = await runtime.runPromise(Effect.either(perform(parts[part], operation)))
        const outcome = Either.mapLeft(seen, (error) => error.reason)
        const expected = model.perform(part, operation)
        const message = `${part}: ${show(operation)} gave ${show(outcome)}, not ${show(expected)}`
        expect(outcome, message).toStrictEqual(expected)
      }
    })
    await FastCheck.assert(asked, { numRuns, ...(seed === undefined ? {} : { seed }) }).finally(
      () => runtime.dispose()
    )
  }, 300_000)
}
