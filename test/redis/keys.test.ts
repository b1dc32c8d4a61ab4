/** Keys and values on real servers: what stands where, what touches what, for how long. */
import { describe, expect, it } from "@effect/vitest"
import { Cache, CacheRegion } from "effect-larder"
import { RedisCache, RedisClient, type RedisClientOptions } from "effect-larder/redis"
import * as Chunk from "effect/Chunk"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as FastCheck from "effect/FastCheck"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Runtime from "effect/Runtime"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import * as V8 from "node:v8"
import * as Zlib from "node:zlib"
import { headerLength, offsets } from "../../src/policy/envelope.js"
import { leaseKey } from "../../src/policy/keys.js"
import { oddKeys } from "../../src/testing/conformance/oddKeys.js"
import { counting, crowd, keys as keysOf, startCache } from "../cache/world.js"
import { describeWithServer } from "../servers/describeWithServer.js"
import { startCluster, startRedis } from "../servers/redis.js"
import { started } from "./backends.js"
import { seedOf } from "./chance.js"
import { type Raw, rawCluster, rawServer } from "./raw.js"

const seed = seedOf("keys and values on a server")

type Options = NonNullable<Parameters<typeof RedisCache.layer>[0]>

/** A process: connections of its own, and a cache over them. */
const startProcess = (settings: RedisClientOptions, options: Options = {}) =>
  startCache(
    RedisCache.layer({ prefix: "app", beta: 0, ...options }).pipe(
      Layer.provide(RedisClient.layer(settings))
    )
  )

type Process = Effect.Effect.Success<ReturnType<typeof startProcess>>

/** Runs a property whose examples are effects. Prints the seed of what fails. */
const holds = <A, E, R>(
  arbitrary: FastCheck.Arbitrary<A>,
  numRuns: number,
  check: (example: A) => Effect.Effect<unknown, E, R>
): Effect.Effect<void, never, R> =>
  Effect.flatMap(Effect.runtime<R>(), (runtime) =>
    Effect.promise(() =>
      FastCheck.assert(
        FastCheck.asyncProperty(arbitrary, (example) =>
          Runtime.runPromise(runtime)(Effect.asVoid(check(example)))
        ),
        { numRuns, seed }
      )
    )
  )

const empty = ({ masters }: Raw) =>
  Effect.forEach(masters, (master) => Effect.promise(() => master.flushall()), { discard: true })

const names = ({ stored }: Raw) => Effect.map(stored, (found) => [...found.keys()].toSorted())

/** As it has to be on the server: as it is, but for what UTF-8 cannot say. */
const sent = (key: string): string =>
  Array.from(key, (point) =>
    /^\p{Surrogate}$/u.test(point)
      ? `\u{10ffff}${point.charCodeAt(0).toString(16)}`
      : point.replace("\u{10ffff}", "\u{10ffff}ffff")
  ).join("")

const anyKey = FastCheck.array(
  FastCheck.constantFrom(
    ...["{", "}", "{}", "{a}", "{b", ":", "!", "*", "?", "[", "]", "\\", "^", "%", " ", "/"],
    ...["\0", "\r\n", "\x7f", "a", "b", "7", "é", "e\u0301", "\u2028", "\ufeff", "\ufffd", "😀"],
    ...["\ud800", "\udbff", "\udc00", "\udfff", "\u{10ffff}", "\u{10fffe}", "d800", "ffff"],
    ...[":lock", "!lease:", "!ended:", "app", "__proto__", "constructor"]
  ),
  { maxLength: 7 }
).map((parts) => parts.join(""))

const someKeys = FastCheck.uniqueArray(anyKey, { minLength: 2, maxLength: 40, size: "max" })

const slotsOf = (raw: Raw, keys: ReadonlyArray<string>) =>
  Effect.forEach(keys, (key) => raw.call("CLUSTER", "KEYSLOT", key) as Effect.Effect<number>)

const inOrder = (numbers: ReadonlyArray<number>) => numbers.toSorted((one, other) => one - other)

/** Looks at the server while all creators run, and when they have ended. */
const apart = (raw: Raw, keys: ReadonlyArray<string>) =>
  Effect.scoped(
    Effect.gen(function* () {
      yield* empty(raw)
      const here = yield* startProcess(raw.settings)
      const there = yield* startProcess(raw.settings)
      const gate = yield* Deferred.make<void>()
      let running = 0
      const lookups = keys.map((key, index) =>
        here(
          Cache.getOrCreate(
            key,
            Effect.suspend(() => {
              running++
              return Effect.as(Deferred.await(gate), index)
            })
          )
        )
      )
      const fiber = yield* Effect.fork(Effect.all(lookups, { concurrency: "unbounded" }))
      yield* Effect.repeat(Effect.sleep(1), { until: () => running === keys.length })

      const bookkeeping = yield* names(raw)
      expect(bookkeeping, "one key of bookkeeping each, and nothing else").toHaveLength(keys.length)
      for (const name of bookkeeping) expect(name).toMatch(/^app![a-z]+:\{/)

      yield* Deferred.succeed(gate, undefined)
      yield* Fiber.join(fiber)
      const values = yield* names(raw)
      expect(values, "each value at its key, and nothing else").toEqual(
        keys.map((key) => `app:${sent(key)}`).toSorted()
      )
      if ("cluster" in raw.settings) {
        expect(inOrder(yield* slotsOf(raw, bookkeeping)), "slots of the bookkeeping").toEqual(
          inOrder(yield* slotsOf(raw, values))
        )
      }
      // Another process finds them all, at once and with one command each.
      const found = yield* there(
        Effect.forEach(keys, (key) => Cache.get(key), { concurrency: "unbounded" })
      )
      expect(found).toEqual(keys.map((_, index) => Option.some(index)))
      expect(yield* there(keysOf)).toEqual(keys.toSorted())

      // What is done to one is done to no other.
      const [first = "", ...others] = keys
      expect(yield* there(Cache.invalidate(first))).toBe(true)
      expect(yield* here(Cache.get(first))).toEqual(Option.none())
      const left = yield* here(
        Effect.forEach(others, (key) => Cache.get(key), { concurrency: "unbounded" })
      )
      expect(left).toEqual(others.map((_, index) => Option.some(index + 1)))
      const { backendErrors, decodeErrors } = yield* here(Cache.counters)
      expect({ backendErrors, decodeErrors }).toEqual({ backendErrors: 0, decodeErrors: 0 })
    })
  )

const numbers = CacheRegion.make({ name: "numbers", value: Schema.Number, version: 2 })
const older = CacheRegion.make({ name: "numbers", value: Schema.Number, version: 1 })

/** What may stand at our key that we have not put there; whether a read of it gives us something to decode. */
const strangers: Readonly<
  Record<string, (raw: Raw, key: string, entry: Buffer) => Effect.Effect<unknown>>
> = {
  "a list": (raw, key) => raw.call("RPUSH", key, "a", "b"),
  "a hash": (raw, key) => raw.call("HSET", key, "field", "value"),
  "a set": (raw, key) => raw.call("SADD", key, "member"),
  "a sorted set": (raw, key) => raw.call("ZADD", key, 1, "member"),
  "a stream": (raw, key) => raw.call("XADD", key, "*", "field", "value"),
  "a text": (raw, key) => raw.call("SET", key, "hello"),
  "a number": (raw, key) => raw.call("SET", key, 42),
  "an empty text": (raw, key) => raw.call("SET", key, ""),
  "another's JSON": (raw, key) => raw.call("SET", key, '{"value":1,"expires":9999999999999}'),
  bytes: (raw, key) =>
    raw.call("SET", key, Buffer.from(Array.from({ length: 256 }, (_, it) => it))),
  "an entry of an older form": (raw, key, entry) =>
    raw.call("SET", key, Buffer.concat([Buffer.from("L0 "), entry.subarray(3)])),
  "an entry of a newer form": (raw, key, entry) =>
    raw.call("SET", key, Buffer.concat([Buffer.from("L2 "), entry.subarray(3)])),
  "the beginning of an entry": (raw, key, entry) => raw.call("SET", key, entry.subarray(0, 60)),
  "an entry without its last byte": (raw, key, entry) =>
    raw.call("SET", key, entry.subarray(0, entry.length - 1)),
  "an entry with the payload of another": (raw, key, entry) =>
    raw.call("SET", key, Buffer.concat([entry.subarray(0, headerLength), Buffer.from("}")])),
  "an entry whose payload is no UTF-8": (raw, key, entry) =>
    raw.call(
      "SET",
      key,
      Buffer.concat([entry.subarray(0, headerLength), Buffer.from([0x22, 0xff])])
    ),
  "an entry of an unknown codec": (raw, key, entry) =>
    raw.call("SET", key, changed(entry, offsets.codec, "z")),
  "an entry of an unknown kind": (raw, key, entry) =>
    raw.call("SET", key, changed(entry, offsets.kind, "z")),
  "an entry with tags beyond its end": (raw, key, entry) =>
    raw.call("SET", key, changed(entry, offsets.tags, "9"))
}

const changed = (entry: Buffer, at: number, to: string | number): Buffer => {
  const copy = Buffer.from(entry)
  copy[at] = typeof to === "number" ? to : to.charCodeAt(0)
  return copy
}

/** Cannot be read as text at all: there is nothing to decode. */
const unreadable = new Set(["a list", "a hash", "a set", "a sorted set", "a stream"])

const v8 = {
  encode: (value: unknown) => V8.serialize(value),
  decode: (it: Uint8Array) => V8.deserialize(it) as unknown
}

const gzip = {
  encode: (value: unknown) => Zlib.gzipSync(JSON.stringify(value)),
  decode: (bytes: Uint8Array) => JSON.parse(Zlib.gunzipSync(bytes).toString()) as unknown
}

/** What structured cloning keeps and JSON would not. */
const cloned: FastCheck.Arbitrary<unknown> = FastCheck.anything({
  withDate: true,
  withMap: true,
  withSet: true,
  withBigInt: true,
  withTypedArray: true,
  withSparseArray: true,
  maxDepth: 3
})

describeWithServer("on real servers", ["redis-server"], () => {
  const server = started(Effect.flatMap(startRedis({ own: true }), rawServer))
  const mute = started(Effect.flatMap(startRedis({ own: true, scripting: false }), rawServer))
  const cluster = started(Effect.flatMap(startCluster(), rawCluster))

  const places = { "a Redis": server, "a Redis Cluster of three": cluster }

  describe("keys", () => {
    describe.each(Object.entries(places))("on %s", (_, start) => {
      const place = Effect.tap(start, empty)

      it.scopedLive("any string is a key, and no two share anything", () =>
        Effect.flatMap(place, (raw) => holds(someKeys, 40, (keys) => apart(raw, keys)))
      )

      it.scopedLive("keys of a megabyte, and all those known to be odd, are keys like others", () =>
        Effect.flatMap(place, (raw) => apart(raw, Object.values(oddKeys)))
      )

      it.scopedLive("a failure leaves its token in the slot of its key, and nothing else", () =>
        Effect.gen(function* () {
          const raw = yield* place
          yield* holds(someKeys, 20, (keys) =>
            Effect.scoped(
              Effect.gen(function* () {
                yield* empty(raw)
                const here = yield* startProcess(raw.settings)
                yield* here(
                  Effect.forEach(
                    keys,
                    (key) => Effect.exit(Cache.getOrCreate(key, Effect.fail("no"))),
                    { concurrency: "unbounded" }
                  )
                )
                const left = yield* names(raw)
                expect(left).toHaveLength(keys.length)
                for (const name of left) expect(name).toMatch(/^app!ended:\{/)
                if (!("cluster" in raw.settings)) return
                const owners = keys.map((key) => `app:${sent(key)}`)
                expect(inOrder(yield* slotsOf(raw, left))).toEqual(
                  inOrder(yield* slotsOf(raw, owners))
                )
              })
            )
          )
        })
      )

      it.scopedLive("a key that looks like another's lock or lease does not touch it", () =>
        Effect.gen(function* () {
          const raw = yield* place
          const here = yield* startProcess(raw.settings)
          const there = yield* startProcess(raw.settings)
          const [begun, gate] = yield* Effect.all([Deferred.make<void>(), Deferred.make<void>()])
          const create = Deferred.succeed(begun, undefined).pipe(
            Effect.zipRight(Deferred.await(gate)),
            Effect.as("made")
          )
          const fiber = yield* Effect.fork(here(Cache.getOrCreate("k", create)))
          yield* Deferred.await(begun)
          const [lease = ""] = yield* names(raw)
          for (const key of ["k:lock", "lock:k", "k:", ":k", "k ", "!lease:{app:k}", lease]) {
            yield* there(Cache.set(key, "other"))
            yield* there(Cache.invalidate(key))
            yield* there(Cache.getOrCreate(key, Effect.succeed("other")))
          }
          // The region `k` is `app:k:…`, and not `app:k`.
          yield* there(CacheRegion.make({ name: "k", value: Schema.String }).clear)
          yield* Deferred.succeed(gate, undefined)
          expect(yield* fiber).toBe("made")
          expect((yield* here(Cache.counters)).fencedWrites).toBe(0)
          expect(yield* there(Cache.get("k"))).toEqual(Option.some("made"))
        })
      )

      it.scopedLive("keys gives what a pattern matches, as it was written", () =>
        Effect.gen(function* () {
          const raw = yield* place
          const here = yield* startProcess(raw.settings)
          const all = [
            "user:1",
            "user:22",
            "users",
            "é",
            "😀",
            "\ud800",
            "a*b",
            "axb",
            "[x]",
            "",
            "{"
          ]
          yield* here(Effect.forEach(all, (key) => Cache.set(key, 1), { concurrency: 8 }))
          const matching = (pattern: string) =>
            here(Stream.runCollect(Cache.keys(pattern))).pipe(
              Effect.map((found) => [...new Set(Chunk.toArray(found))].toSorted())
            )
          expect(yield* matching("*")).toEqual(all.toSorted())
          expect(yield* matching("user:*")).toEqual(["user:1", "user:22"])
          expect(yield* matching("user:?")).toEqual(["user:1"])
          expect(yield* matching("?")).toEqual(["{", "é", "\ud800", "😀"].toSorted())
          expect(yield* matching("a\\*b")).toEqual(["a*b"])
          expect(yield* matching("a[*x]b")).toEqual(["a*b", "axb"])
          expect(yield* matching("\\[x\\]")).toEqual(["[x]"])
          expect(yield* matching("")).toEqual([""])
          expect(yield* matching("no")).toEqual([])
        })
      )
    })
  })

  describe("what stands at a key and is no entry of ours", () => {
    describe.each(
      Object.entries({
        "on a Redis": { start: server, options: {} },
        "on a Redis, with a codec": { start: server, options: { codec: v8 } },
        "on a Redis without scripting": { start: mute, options: {} },
        "on a Redis Cluster of three": { start: cluster, options: {} }
      })
    )("%s", (_, { options, start }) => {
      const place = Effect.tap(start, empty)

      /** An entry as this cache writes it. */
      const entryOf = (raw: Raw, key: string, run: Process) =>
        Effect.zipRight(
          run(Cache.set(key, "value")),
          raw.callBytes("GET", `app:${key}`) as Effect.Effect<Buffer>
        )

      it.scopedLive.each(Object.entries(strangers))("%s is a miss, and replaced", ([name, put]) =>
        Effect.gen(function* () {
          const raw = yield* place
          const here = yield* startProcess(raw.settings, options)
          const entry = yield* entryOf(raw, "k", here)
          const lay = (key: string) =>
            Effect.zipRight(raw.call("DEL", `app:${key}`), put(raw, `app:${key}`, entry))

          // Two in one tick travel together, and the one does not harm the other.
          yield* Effect.all([lay("k"), here(Cache.set("beside", 1))])
          expect(
            yield* here(
              Effect.all([Cache.get("k"), Cache.get("beside")], { concurrency: "unbounded" })
            )
          ).toEqual([Option.none(), Option.some(1)])

          const made = counting(Effect.succeed("made"))
          expect(yield* here(Cache.get("k"))).toEqual(Option.none())
          expect(yield* here(Cache.getOrCreate("k", made.create))).toBe("made")
          expect(yield* here(Cache.getOrCreate("k", made.create))).toBe("made")
          expect(made.runs).toBe(1)
          const { backendErrors, decodeErrors } = yield* here(Cache.counters)
          expect(backendErrors).toBe(0)
          if (unreadable.has(name)) expect(decodeErrors).toBe(0)
          else expect(decodeErrors).toBeGreaterThanOrEqual(3)

          // It is one for whoever writes, too.
          yield* lay("k")
          expect(yield* here(Cache.invalidate("k"))).toBe(true)
          yield* lay("k")
          yield* here(Cache.set("k", "set"))
          expect(yield* here(Cache.get("k"))).toEqual(Option.some("set"))
          yield* lay("k")
          yield* here(Cache.clear)
          expect(yield* raw.call("EXISTS", "app:k")).toBe(0)
          expect((yield* here(Cache.health)).pendingInvalidations).toBe(0)
        })
      )

      it.scopedLive("500 at once on what is none: one run, by all processes together", () =>
        Effect.gen(function* () {
          const raw = yield* place
          const processes = yield* Effect.replicateEffect(startProcess(raw.settings, options), 2)
          for (const [name, put] of Object.entries(strangers)) {
            const entry = yield* entryOf(raw, "k", processes[0]!)
            yield* raw.call("DEL", "app:k")
            yield* put(raw, "app:k", entry)
            const made = counting(Effect.as(Effect.sleep(20), "made"))
            const exits = yield* Effect.forEach(
              processes,
              (run) => run(crowd(250, Cache.getOrCreate("k", made.create))),
              { concurrency: "unbounded" }
            )
            expect(new Set(exits.flat().map((exit) => Exit.getOrElse(exit, String)))).toEqual(
              new Set(["made"])
            )
            expect(made.runs, name).toBe(1)
          }
        })
      )

      /** Puts entries there that differ from ours in one byte: `to` at `at`. */
      const damaging = (at: FastCheck.Arbitrary<number>, to: FastCheck.Arbitrary<number>) =>
        Effect.gen(function* () {
          const raw = yield* place
          const here = yield* startProcess(raw.settings, options)
          const entry = yield* entryOf(raw, "damaged", here)
          yield* holds(FastCheck.tuple(at, to), 200, ([at, to]) =>
            Effect.gen(function* () {
              yield* raw.call("SET", "app:damaged", changed(entry, at % entry.length, to))
              const made = counting(Effect.succeed("made"))
              yield* here(Cache.get("damaged"))
              yield* here(Cache.getOrCreate("damaged", made.create))
              yield* here(Cache.getOrCreate("damaged", made.create))
              expect(made.runs).toBeLessThanOrEqual(1)
            })
          )
          expect((yield* here(Cache.counters)).backendErrors).toBe(0)
        })
      const ascii = FastCheck.oneof(
        FastCheck.nat(127),
        FastCheck.constantFrom(...Buffer.from("0 9zjb\r\n"))
      )
      const beyondAscii = FastCheck.integer({ min: 128, max: 255 })
      const inHeader = FastCheck.nat(headerLength - 1)
      const inPayload = FastCheck.integer({ min: headerLength, max: headerLength + 4 })

      it.scopedLive("whichever byte of an entry is another: no caller's error, and replaced", () =>
        Effect.zipRight(damaging(inHeader, ascii), damaging(inPayload, FastCheck.nat(255)))
      )

      it.scopedLive("a byte in a header that is no text: no caller's error, and replaced", () =>
        damaging(inHeader, beyondAscii)
      )

      it.scopedLive("an entry of another version is a miss, counted, and replaced", () =>
        Effect.gen(function* () {
          const raw = yield* place
          const here = yield* startProcess(raw.settings, options)
          yield* here(older.set("k", 1))
          const made = counting(Effect.succeed(2))
          expect(yield* here(numbers.get("k"))).toEqual(Option.none())
          expect(yield* here(numbers.getOrCreate("k", made.create))).toBe(2)
          expect(yield* here(numbers.getOrCreate("k", made.create))).toBe(2)
          expect(made.runs).toBe(1)
          expect((yield* here(numbers.counters)).decodeErrors).toBeGreaterThanOrEqual(2)
          expect(yield* here(older.get("k"))).toEqual(Option.none())
        })
      )

      it.scopedLive("a value that a schema does not accept is a miss, counted, and replaced", () =>
        Effect.gen(function* () {
          const raw = yield* place
          const here = yield* startProcess(raw.settings, options)
          yield* here(Cache.set("s", { not: "a number" }))
          const made = counting(Effect.succeed(3))
          const lookup = Cache.getOrCreate("s", made.create, { schema: Schema.Number })
          expect(yield* here(Cache.get("s", Schema.Number))).toEqual(Option.none())
          expect(yield* here(lookup)).toBe(3)
          expect(yield* here(lookup)).toBe(3)
          expect(made.runs).toBe(1)
          expect((yield* here(Cache.counters)).decodeErrors).toBeGreaterThanOrEqual(2)
        })
      )
    })
  })

  describe("clear", () => {
    describe.each(Object.entries(places))("on %s", (_, start) => {
      const place = Effect.tap(start, empty)

      /** Somebody rebuilds these keys until the scope closes, and holds their leases. */
      const holding = (run: Process, keys: ReadonlyArray<string>) =>
        Effect.gen(function* () {
          let running = 0
          const create = Effect.zipRight(
            Effect.sync(() => running++),
            Effect.never
          )
          yield* Effect.forkScoped(
            run(
              Effect.forEach(keys, (key) => Cache.getOrCreate(key, create), {
                concurrency: "unbounded"
              })
            )
          )
          yield* Effect.repeat(Effect.sleep(1), { until: () => running === keys.length })
        })

      it.scopedLive("removes all of its prefix, on every server, and spares every neighbour", () =>
        Effect.gen(function* () {
          const raw = yield* place
          const here = yield* startProcess(raw.settings)
          const many = Array.from({ length: 500 }, (_, index) => `many:${index}`)
          const own = [...many, ...Object.values(oddKeys).filter((key) => key.length < 1_000)]
          const prefixes = ["app2", "ap", "App", "app.", "app-", "app_a", "larder"]
          const neighbours = yield* Effect.forEach(prefixes, (prefix) =>
            startProcess(raw.settings, { prefix })
          )
          for (const run of neighbours) {
            yield* run(Cache.set("k", 1))
            yield* run(Cache.set("app:k", 1))
            yield* holding(run, ["leased", "app:leased", "a}{b"])
          }
          const foreign = [
            ...[
              "app",
              "app*",
              "app*:k",
              "app?:k",
              "ap",
              "app2",
              "xapp:k",
              " app:k",
              "APP:k",
              "app;k"
            ],
            ...["app!", "app!push", "app!other:{app:k}", "app!lease:{app:k", "app!lease:{app2:k}"],
            ...[
              "larder-store:k",
              "larder-store:app:k",
              "larder-store!lock:{app:k}",
              "larder-lock:app"
            ]
          ]
          for (const key of foreign) yield* raw.call("SET", key, "theirs")
          const theirs = yield* names(raw)
          yield* here(Effect.forEach(own, (key) => Cache.set(key, 1), { concurrency: 64 }))
          yield* holding(here, ["leased", "{t}leased", "lea}sed"])
          const sizes = yield* Effect.forEach(raw.masters, (it) =>
            Effect.promise(() => it.dbsize())
          )
          expect(Math.min(...sizes)).toBeGreaterThan(20)

          yield* here(Cache.clear)
          // Besides what they had there are but the tokens of our revoked leases, for their time.
          const left = (yield* names(raw)).filter((key) => !key.startsWith("app!ended:{"))
          expect(left).toEqual(theirs)
          expect(yield* here(keysOf)).toEqual([])
          for (const run of neighbours) {
            expect(yield* run(Cache.get("k"))).toEqual(Option.some(1))
            expect((yield* run(Cache.counters)).fencedWrites).toBe(0)
          }
          expect((yield* here(Cache.health)).pendingInvalidations).toBe(0)
        })
      )

      it.scopedLive("of a region removes its entries and leases alone, whatever its name", () =>
        Effect.gen(function* () {
          const raw = yield* place
          const here = yield* startProcess(raw.settings)
          const cleared = [
            "a[1]",
            "a*",
            "?",
            "\\",
            "user",
            "a:b",
            "%3A",
            "{a}",
            "{",
            "}",
            "",
            "é",
            "\ud800"
          ]
          for (const name of cleared) {
            yield* Effect.scoped(
              Effect.gen(function* () {
                yield* empty(raw)
                const there = yield* startProcess(raw.settings)
                const encoded = name.replaceAll("%", "%25").replaceAll(":", "%3A")
                const own = ["", "1", "*", "}", "{x}", "1:2"].map((key) => `${encoded}:${key}`)
                const others = [
                  "a1:1",
                  "ab:1",
                  "a[1]x:1",
                  "user2:1",
                  "use:1",
                  "x:1",
                  "plain",
                  "!:1"
                ]
                yield* here(
                  Effect.forEach([...own, ...others], (key) => Cache.set(key, 1), {
                    concurrency: 8
                  })
                )
                yield* holding(there, [`${encoded}:leased`, `${encoded}:}leased`])
                yield* holding(there, ["a1:leased", "other:leased", "leased"])
                const region = CacheRegion.make({ name, value: Schema.Number })
                expect(yield* here(region.get("1"))).toEqual(Option.some(1))
                yield* here(region.clear)
                const left = yield* names(raw)
                const isOf = (kind: string) => (key: string) => key.startsWith(`app${kind}`)
                expect(left.filter(isOf(":")), name).toEqual(
                  others.map((key) => `app:${key}`).toSorted()
                )
                expect(left.filter(isOf("!lease:")), name).toEqual(
                  ["a1:leased", "other:leased", "leased"]
                    .map((key) => leaseKey("app", key))
                    .toSorted()
                )
              })
            )
          }
        })
      )

      it.scopedLive("wins over rebuilds that are under way on every server", () =>
        Effect.gen(function* () {
          const raw = yield* place
          const here = yield* startProcess(raw.settings)
          const there = yield* startProcess(raw.settings)
          const gate = yield* Deferred.make<void>()
          const all = Array.from({ length: 60 }, (_, index) => `k${index}`)
          let running = 0
          const create = Effect.zipRight(
            Effect.sync(() => running++),
            Deferred.await(gate)
          )
          const fiber = yield* Effect.fork(
            there(
              Effect.forEach(all, (key) => Cache.getOrCreate(key, create), {
                concurrency: "unbounded"
              })
            )
          )
          yield* Effect.repeat(Effect.sleep(1), { until: () => running === all.length })
          yield* here(Cache.clear)
          yield* Deferred.succeed(gate, undefined)
          yield* fiber
          expect(yield* here(keysOf)).toEqual([])
          expect((yield* there(Cache.counters)).fencedWrites).toBe(all.length)
        })
      )
    })
  })

  describe("how long it is kept", () => {
    describe.each(Object.entries({ ...places, "a Redis without scripting": mute }))(
      "on %s",
      (_, start) => {
        const place = Effect.tap(start, empty)

        it.scopedLive("a life may be below a second, beyond 2^31 ms, a fraction, or for good", () =>
          Effect.gen(function* () {
            const raw = yield* place
            const here = yield* startProcess(raw.settings)
            const week = Duration.toMillis("7 days")
            const lives: ReadonlyArray<
              readonly [key: string, ttl: Duration.DurationInput, at: number]
            > = [
              ["sub-second", "900 millis", 900],
              ["fraction", 850.5, 851],
              ["default", "1 hour", 3_600_000],
              ["beyond 2^31", Duration.weeks(10), 10 * week],
              ["a century", Duration.weeks(5_200), 5_200 * week],
              ["for good", Duration.infinity, -1],
              ["too long to add to a clock", 2 ** 60, -1]
            ]
            const written = [
              ...lives.map(([key, ttl]) => Cache.set(key, 1, { ttl })),
              ...lives.map(([key, ttl]) =>
                Cache.getOrCreate(`made ${key}`, Effect.succeed(1), { ttl })
              )
            ]
            yield* here(Effect.all(written, { concurrency: "unbounded" }))
            const stored = yield* raw.stored
            for (const [key, , at] of lives) {
              for (const name of [key, `made ${key}`]) {
                const { pttl } = stored.get(`app:${name}`) ?? { pttl: NaN }
                if (at === -1) {
                  expect(pttl, name).toBe(-1)
                } else {
                  expect(pttl, name).toBeLessThanOrEqual(at)
                  expect(pttl, name).toBeGreaterThan(at - 800)
                }
              }
            }
            expect(yield* here(Cache.get("sub-second"))).toEqual(Option.some(1))
            yield* Effect.sleep(920)
            expect(yield* here(Cache.get("sub-second"))).toEqual(Option.none())
            expect(yield* here(Cache.get("a century"))).toEqual(Option.some(1))
            expect(yield* here(Cache.get("for good"))).toEqual(Option.some(1))
            expect(yield* raw.call("EXISTS", "app:made fraction")).toBe(0)
          })
        )

        it.scopedLive("a ttl of zero stores nothing, and leaves nothing", () =>
          Effect.gen(function* () {
            const raw = yield* place
            const here = yield* startProcess(raw.settings)
            yield* here(Cache.getOrCreate("literal", Effect.succeed(1), { ttl: 0 }))
            expect(yield* names(raw)).toEqual([])
            yield* here(Cache.getOrCreate("computed", Effect.succeed(1), { ttl: () => 0 }))
            yield* here(Cache.set("set", 1, { ttl: 0 }))
            expect((yield* names(raw)).filter((key) => key.startsWith("app:"))).toEqual([])
          })
        )

        it.scopedLive(
          "every key expires unless it was told not to: entries, leases, tokens, guards",
          () =>
            Effect.gen(function* () {
              const raw = yield* place
              const here = yield* startProcess(raw.settings)
              const there = yield* startProcess(raw.settings)
              const seen = new Map<string, number>()
              const look = Effect.map(raw.stored, (stored) => {
                for (const [key, { pttl }] of stored)
                  seen.set(key, Math.min(pttl, seen.get(key) ?? pttl))
              })
              yield* Effect.forkScoped(Effect.forever(Effect.zipRight(look, Effect.sleep(2))))
              const slow = (key: string) =>
                Effect.all(
                  [here, there].map((run) =>
                    run(Cache.getOrCreate(key, Effect.as(Effect.sleep(60), key)))
                  ),
                  { concurrency: "unbounded" }
                )
              for (const key of ["plain", "{tag}ged", "br}ace", "\ud800"]) {
                yield* slow(key)
                yield* here(Cache.set(key, 1, { ttl: "1 minute" }))
                yield* there(
                  Cache.getOrCreate(key, Effect.as(Effect.sleep(10), 2), { refresh: true })
                )
                yield* Effect.ignore(here(Cache.getOrCreate(`${key} fails`, Effect.fail("no"))))
                yield* here(
                  Cache.getOrCreate(`${key} is left`, Effect.never).pipe(Effect.timeoutOption(20))
                )
                const rebuilding = yield* Effect.fork(slow(`${key} is overtaken`))
                yield* Effect.sleep(20)
                yield* there(Cache.invalidate(`${key} is overtaken`))
                yield* Fiber.join(rebuilding)
                yield* here(
                  Cache.getOrCreate(`${key} is stale`, Effect.succeed(1), {
                    ttl: 20,
                    staleWhileRevalidate: "1 minute"
                  })
                )
                yield* here(numbers.getOrCreate(key, Effect.succeed(1)))
                yield* Effect.sleep(20)
                yield* here(Cache.getOrCreate(`${key} is stale`, Effect.succeed(2)))
              }
              yield* Effect.all([look, here(Cache.clear)], { concurrency: "unbounded" })
              yield* look
              const forGood = [...seen].filter(([, pttl]) => pttl === -1).map(([key]) => key)
              expect(forGood).toEqual([])
              // Of each kind there was one to be seen.
              for (const kind of ["app:", "app!lease:", "app!ended:"]) {
                expect(
                  [...seen.keys()].some((key) => key.startsWith(kind)),
                  kind
                ).toBe(true)
              }
            })
        )
      }
    )
  })

  describe("a codec of the user's own", () => {
    const place = Effect.tap(server, empty)

    it.scopedLive("keeps what it can keep: dates, maps, sets, bytes, big integers", () =>
      Effect.gen(function* () {
        const raw = yield* place
        const here = yield* startProcess(raw.settings, { codec: v8 })
        const there = yield* startProcess(raw.settings, { codec: v8 })
        yield* holds(cloned, 300, (value) =>
          Effect.gen(function* () {
            yield* here(Cache.set("k", value))
            const whole = V8.deserialize(V8.serialize(value)) as unknown
            expect(yield* there(Cache.get("k"))).toEqual(Option.some(whole))
          })
        )
        const { decodeErrors, encodeErrors } = yield* there(Cache.counters)
        expect({ decodeErrors, encodeErrors }).toEqual({ decodeErrors: 0, encodeErrors: 0 })
      })
    )

    it.scopedLive("keeps every byte, alone and among others, read and given with the lease", () =>
      Effect.gen(function* () {
        const raw = yield* place
        const here = yield* startProcess(raw.settings, { codec: v8 })
        const there = yield* startProcess(raw.settings, { codec: v8 })
        const bytes = Uint8Array.from({ length: 512 }, (_, index) => index)
        const value = { bytes, at: new Date(1), byId: new Map([[1, "one"]]), none: undefined }
        const create = Effect.as(Effect.sleep(40), value)
        // The second process waits, and has it of the step that asks for the lease.
        const got = yield* Effect.all(
          [here, there].map((run) => run(Cache.getOrCreate("k", create))),
          { concurrency: "unbounded" }
        )
        expect(got).toEqual([value, value])
        expect((yield* there(Cache.counters)).waits + (yield* here(Cache.counters)).waits).toBe(1)
        yield* here(Cache.set("other", bytes))
        const together = Effect.all([Cache.get("k"), Cache.get("other"), Cache.get("nothing")], {
          concurrency: "unbounded"
        })
        expect(yield* there(together)).toEqual([
          Option.some(value),
          Option.some(bytes),
          Option.none()
        ])
      })
    )

    it.scopedLive("takes the place of JSON for a schema's encoded form", () =>
      Effect.gen(function* () {
        const raw = yield* place
        const here = yield* startProcess(raw.settings, { codec: gzip })
        const Event = Schema.Struct({ at: Schema.Date, of: Schema.Array(Schema.BigInt) })
        const event = { at: new Date(7), of: Array.from({ length: 500 }, () => 10n ** 20n) }
        yield* here(Cache.set("k", event, { schema: Event }))
        expect(yield* here(Cache.get("k", Event))).toEqual(Option.some(event))
        expect(yield* raw.call("STRLEN", "app:k")).toBeLessThan(500)
      })
    )

    it.scopedLive("a process without it sees a miss, counts it, and replaces the entry", () =>
      Effect.gen(function* () {
        const raw = yield* place
        const here = yield* startProcess(raw.settings, { codec: v8 })
        const there = yield* startProcess(raw.settings)
        for (const value of [new Map([[1, 2]]), "text", Uint8Array.of(255, 254), undefined]) {
          yield* here(Cache.set("k", value))
          expect(yield* raw.call("GETRANGE", "app:k", 0, 6)).toBe("L1 b v ")
          const before = (yield* there(Cache.counters)).decodeErrors
          expect(yield* there(Cache.get("k"))).toEqual(Option.none())
          const made = counting(Effect.succeed("made"))
          expect(yield* there(Cache.getOrCreate("k", made.create))).toBe("made")
          expect(yield* there(Cache.getOrCreate("k", made.create))).toBe("made")
          expect(made.runs).toBe(1)
          expect((yield* there(Cache.counters)).decodeErrors).toBeGreaterThanOrEqual(before + 2)
          // JSON says so itself, and needs no codec.
          expect(yield* here(Cache.get("k"))).toEqual(Option.some("made"))
        }
      })
    )

    it.scopedLive("of another kind is a miss, and so are bytes that it chokes on", () =>
      Effect.gen(function* () {
        const raw = yield* place
        const here = yield* startProcess(raw.settings, { codec: v8 })
        const there = yield* startProcess(raw.settings, { codec: gzip })
        yield* here(Cache.set("k", [1, 2, 3]))
        const made = counting(Effect.succeed([4]))
        expect(yield* there(Cache.get("k"))).toEqual(Option.none())
        expect(yield* there(Cache.getOrCreate("k", made.create))).toEqual([4])
        expect(yield* there(Cache.getOrCreate("k", made.create))).toEqual([4])
        expect(made.runs).toBe(1)
        expect((yield* there(Cache.counters)).decodeErrors).toBeGreaterThanOrEqual(2)
      })
    )
  })

  describe("an entry in JSON", () => {
    const place = Effect.tap(server, empty)

    it.scopedLive("is legible in a GET, and says what it is", () =>
      Effect.gen(function* () {
        const raw = yield* place
        const here = yield* startProcess(raw.settings)
        yield* here(Cache.set("k", { name: "Zoë 😀", tags: ["a", null] }))
        const text = yield* raw.call("GET", "app:k")
        expect(text.startsWith("L1 j v ")).toBe(true)
        expect(text.slice(headerLength)).toBe('{"name":"Zoë 😀","tags":["a",null]}')
        yield* here(Cache.set("k", undefined))
        expect(yield* raw.call("GETRANGE", "app:k", 0, 6)).toBe("L1 j u ")
        const failing = CacheRegion.make({ name: "f", value: Schema.Number, error: Schema.String })
        yield* Effect.ignore(here(failing.getOrCreate("k", Effect.fail("gone"))))
        const failure = yield* raw.call("GET", "app:f:k")
        expect(failure.startsWith("L1 j e ")).toBe(true)
        expect(failure.endsWith(' "gone"')).toBe(true)
      })
    )

    it.scopedLive("comes back as it was, whatever JSON can say", () =>
      Effect.gen(function* () {
        const raw = yield* place
        const here = yield* startProcess(raw.settings)
        const there = yield* startProcess(raw.settings)
        yield* holds(
          FastCheck.tuple(FastCheck.jsonValue(), FastCheck.fullUnicodeString()),
          200,
          (value) =>
            Effect.gen(function* () {
              // Minus zero is what JSON loses.
              const plain = JSON.parse(JSON.stringify(value)) as unknown
              yield* here(Cache.set("k", plain))
              expect(yield* there(Cache.get("k"))).toEqual(Option.some(plain))
            })
        )
      })
    )
  })
})
