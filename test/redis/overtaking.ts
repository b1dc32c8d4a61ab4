/**
 * Users of a cache at random, what happened to them, and what should not have.
 *
 * The truth is a counter: a row of a database, so to say. A write moves it on and
 * then tells the cache; a creator reads it when it begins. So every value says
 * which truth it is of, and a read that begins after a write was acknowledged must
 * be given the truth of that write, or a later one.
 *
 * Two things are the users' own. A `set` that runs beside another write may be
 * executed after it, and then it is its value that stands. A `refresh` is a write
 * only if what it made was stored: with a ttl of zero, or in vain for another was
 * faster, it is its caller's alone.
 */
import * as Effect from "effect/Effect"
import * as Logger from "effect/Logger"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { Cache, CacheRegion } from "effect-larder"
import { seeded } from "./chance.js"

export interface Truth {
  readonly moveOn: Effect.Effect<number>
  readonly read: Effect.Effect<number>
}

/** Says which truth it is of, and who made it. */
interface Value {
  readonly truth: number
  readonly by: string
  /** JSON would lose it: a value that has it is refused. */
  readonly refused?: Date
}

/** Values are refused on purpose, channels may be forbidden on purpose: nothing to be said about it. */
export const silently = Effect.provide(Logger.remove(Logger.defaultLogger))

/** How many rounds worker processes play at a time. */
export const lanes = 5

type Kind = "set" | "invalidate" | "clear" | "clear region" | "refresh" | "get" | "read"

/** In percent. */
const shares: ReadonlyArray<readonly [kind: Kind, share: number]> = [
  ["set", 9],
  ["invalidate", 14],
  ["clear", 3],
  ["clear region", 3],
  ["refresh", 9],
  ["get", 8],
  ["read", 54]
]

/** What a user does. Durations are milliseconds. */
interface Operation {
  readonly id: string
  readonly kind: Kind
  readonly key: string
  /** Since the user's last one. */
  readonly after: number
  /** The user leaves after so long. */
  readonly patience?: number
  readonly creatorTakes: number
  readonly ttl: number
  readonly staleFor: number
  readonly beta: number
  readonly background: boolean
  readonly isRefused: boolean
}

/** What came of an operation. Times are nanoseconds of the machine's clock, the same in all processes. */
export interface Happening {
  readonly operation: Operation
  readonly began: number
  /** Unset: it was never acknowledged. */
  readonly ended?: number
  /** What a reader was given. */
  readonly given?: Value
  /** What a writer made the truth. */
  readonly wrote?: number
  /** Has this process stored all that it made meanwhile? */
  readonly isUndisturbed: boolean
}

const region = CacheRegion.make({ name: "part", value: Schema.Unknown })

/** What the users of one process do in a round, each of them one operation after the other. */
export const plan = (
  round: number,
  process: number,
  seed: number
): ReadonlyArray<ReadonlyArray<Operation>> => {
  const random = seeded(seed + round * 2 + process)
  const below = (bound: number) => Math.floor(random() * bound)
  const isRare = () => random() < 0.08
  // One round in three: entries that go stale while it lasts.
  const isFleeting = round % 3 === 0
  const operation = (id: string): Operation => {
    let left = below(100)
    const [kind] = shares.find(([, share]) => (left -= share) < 0) ?? ["read"]
    return {
      id,
      kind,
      key: random() < 0.75 ? `whole-${round}` : `part:${round}`,
      after: below(4),
      ...(isRare() && { patience: below(4) }),
      creatorTakes: random() < 0.25 ? 0 : below(6),
      ttl: isRare() ? 0 : isFleeting ? 2 + below(8) : 60_000,
      staleFor: isFleeting ? below(100) : 0,
      beta: isRare() ? 1e6 : 1,
      background: !isRare(),
      isRefused: isRare()
    }
  }
  return Array.from({ length: 3 }, (_, user) =>
    Array.from({ length: 4 }, (__, step) => operation(`${round}/${process}/${user}/${step}`))
  )
}

/** Lets the users of a process do what they will. */
export const run = (
  users: ReadonlyArray<ReadonlyArray<Operation>>,
  truth: Truth
): Effect.Effect<ReadonlyArray<Happening>, never, Cache> =>
  Effect.suspend(() => {
    const process: Process = { truth, abandoned: 0 }
    return Effect.forEach(
      users,
      (operations) => Effect.forEach(operations, (operation) => happen(operation, process)),
      { concurrency: "unbounded" }
    ).pipe(Effect.map((happenings) => happenings.flat()))
  })

interface Process {
  readonly truth: Truth
  /** Writes whose users left. While they are pending, nothing is stored that was made for their keys. */
  abandoned: number
}

const nanos = (): number => Number(process.hrtime.bigint())

const happen = (operation: Operation, process: Process): Effect.Effect<Happening, never, Cache> =>
  Effect.gen(function* () {
    const { after, kind, patience } = operation
    if (after > 0) yield* Effect.sleep(after)
    const began = nanos()
    const before = yield* disturbances(process)
    const isRead = kind === "read" || kind === "get"
    const wrote = isRead ? undefined : yield* process.truth.moveOn
    const carriedOut = Effect.map(carryOut(operation, wrote ?? 0, process.truth), (given) => ({
      ended: nanos(),
      ...(given !== undefined && { given })
    }))
    const outcome =
      patience === undefined
        ? yield* carriedOut
        : Option.getOrUndefined(yield* Effect.timeoutOption(carriedOut, patience))
    if (outcome === undefined && !isRead) process.abandoned++
    return {
      operation,
      began,
      ...outcome,
      ...(wrote !== undefined && { wrote }),
      isUndisturbed: (yield* disturbances(process)) === before
    }
  })

const disturbances = ({ abandoned }: Process) =>
  Effect.map(
    Cache.counters,
    ({ backendErrors, bypassed, fencedWrites }) =>
      backendErrors + bypassed + fencedWrites + abandoned
  )

const carryOut = (
  operation: Operation,
  wrote: number,
  truth: Truth
): Effect.Effect<Value | undefined, never, Cache> => {
  const { background, beta, creatorTakes, id, isRefused, key, kind, staleFor, ttl } = operation
  const valueOf = (truth: number): Value => ({
    truth,
    by: id,
    ...(isRefused && { refused: new Date() })
  })
  switch (kind) {
    case "set":
      return Effect.as(Cache.set(key, valueOf(wrote), { ttl }), undefined)
    case "invalidate":
      return Effect.as(Cache.invalidate(key), undefined)
    case "clear":
      return Effect.as(Cache.clear, undefined)
    case "clear region":
      return Effect.as(region.clear, undefined)
    case "get":
      return Effect.map(
        Cache.get(key),
        (found) => Option.getOrUndefined(found) as Value | undefined
      )
    case "read":
    case "refresh": {
      const create = Effect.map(truth.read, valueOf)
      return Cache.getOrCreate(
        key,
        creatorTakes === 0 ? create : Effect.zipLeft(create, Effect.sleep(creatorTakes)),
        { background, beta, refresh: kind === "refresh", staleWhileRevalidate: staleFor, ttl }
      )
    }
  }
}

/** The reads that were given something older than what was acknowledged before they began, each with its story. */
export const violations = (happenings: ReadonlyArray<Happening>): ReadonlyArray<string> => {
  const byId = new Map(happenings.map((it) => [it.operation.id, it]))
  return happenings.flatMap((read) => {
    const { given, operation } = read
    if (given === undefined) return []
    const source = byId.get(given.by)
    const overlooked = happenings.find(
      (write) =>
        touches(write.operation, operation.key) &&
        comesBefore(write, read) &&
        writtenBy(write, byId) > given.truth &&
        (source?.operation.kind !== "set" || comesBefore(source, write))
    )
    return overlooked === undefined
      ? []
      : [`${operation.id} overlooks ${overlooked.operation.id}\n${story(happenings)}`]
  })
}

const touches = ({ key, kind }: Operation, target: string): boolean =>
  kind === "clear" || (kind === "clear region" ? target.startsWith("part:") : key === target)

const comesBefore = ({ ended }: Happening, { began }: Happening): boolean =>
  ended !== undefined && ended < began

/** The truth that readers may rely on once this has ended. */
const writtenBy = (
  { given, isUndisturbed, operation, wrote }: Happening,
  byId: ReadonlyMap<string, Happening>
): number => {
  if (operation.kind !== "refresh") return wrote ?? 0
  const made = given && byId.get(given.by)?.operation
  const isStored = isUndisturbed && made !== undefined && made.ttl > 0 && !made.isRefused
  return isStored ? (given?.truth ?? 0) : 0
}

/** A round, for whoever has to find out what went wrong. */
const story = (happenings: ReadonlyArray<Happening>): string => {
  const start = Math.min(...happenings.map(({ began }) => began))
  const at = (nanos: number | undefined) =>
    nanos === undefined ? "" : ((nanos - start) / 1e6).toFixed(3)
  return happenings
    .toSorted((one, other) => one.began - other.began)
    .map(({ began, ended, given, operation: { id, key, kind, ...how }, isUndisturbed, wrote }) => {
      const what = `${id} ${kind} ${key} ${wrote === undefined ? "" : `makes it ${wrote}`}`
      const got = given === undefined ? "" : `given ${given.truth} of ${given.by}`
      const rest = JSON.stringify({ ...how, isUndisturbed })
      return `${at(began)}–${at(ended)} ${what} ${got} ${rest}`
    })
    .join("\n")
}
