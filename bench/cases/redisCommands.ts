/** What is sent to Redis for each operation, and what that costs the server. */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { Cache } from "effect-larder"
import { account, type Account, beyond, type Counts, total } from "../commandStats.js"
import { overRedis } from "../overRedis.js"
import * as Clients from "../redisClients.js"
import type { Report } from "../report.js"
import { type User, users } from "../users.js"

const title = "Commands per operation"

const operations = 50
const inOneTick = 100

const user = users[0] as User

export const redisCommands = overRedis(title, (redis) =>
  Effect.gen(function* () {
    const connection = yield* Clients.connect(redis)
    const one = yield* Clients.makeRuntime(redis)
    const other = yield* Clients.makeRuntime(redis)

    const warm = Array.from({ length: inOneTick }, (_, index) => `warm ${index}`)
    let coldKeys = 0
    const cold = Effect.sync(() => `cold ${coldKeys++}`)
    const miss = Effect.flatMap(cold, (key) => Cache.getOrCreate(key, Effect.succeed(user)))
    const set = (key: string) => Cache.set(key, user)
    const invalidate = Effect.flatMap(cold, Cache.invalidate)

    const accountOf = <A, E>(operation: Effect.Effect<A, E, Cache>, count = operations) =>
      account(redis, connection, count, inside(one, times(operation)))

    // Each script once, for the server knows none of them yet; and both are connected.
    yield* inside(one, Effect.all([Effect.forEach(warm, set), miss, invalidate]))
    yield* inside(other, miss)
    const accounts = {
      hit: yield* accountOf(hit("warm 0")),
      gathered: yield* accountOf(
        Effect.forEach(warm, hit, { concurrency: "unbounded" }),
        operations * inOneTick
      ),
      miss: yield* accountOf(miss),
      set: yield* accountOf(Effect.flatMap(cold, set)),
      invalidate: yield* accountOf(invalidate),
      both: yield* account(redis, connection, operations, times(waitForOther(cold, one, other)))
    }
    return [reportOf(accounts)]
  })
)

const times = <A, E, R>(operation: Effect.Effect<A, E, R>) =>
  Effect.repeatN(operation, operations - 1)

const hit = (key: string) => Cache.getOrCreate(key, Effect.dieMessage("a hit was a miss"))

const inside = <A, E>(runtime: Clients.RedisRuntime, effect: Effect.Effect<A, E, Cache>) =>
  Effect.promise(() => runtime.runPromise(effect))

/** One makes it when the other waits for it. */
const waitForOther = (
  cold: Effect.Effect<string>,
  one: Clients.RedisRuntime,
  other: Clients.RedisRuntime
): Effect.Effect<void> =>
  Effect.gen(function* () {
    const key = yield* cold
    const hasBegun = yield* Deferred.make<void>()
    const mayEnd = yield* Deferred.make<void>()
    const waits = Effect.map(inside(other, Cache.counters), (it) => it.waits)
    const before = yield* waits
    const create = Deferred.succeed(hasBegun, undefined).pipe(
      Effect.zipRight(Deferred.await(mayEnd)),
      Effect.as(user)
    )
    const maker = yield* Effect.fork(inside(one, Cache.getOrCreate(key, create)))
    yield* Deferred.await(hasBegun)
    const waiter = yield* Effect.fork(inside(other, hit(key)))
    yield* Effect.repeat(Effect.delay(waits, "1 millis"), { until: (count) => count > before })
    yield* Deferred.succeed(mayEnd, undefined)
    yield* Fiber.join(maker)
    yield* Fiber.join(waiter)
  })

interface Accounts {
  readonly hit: Account
  readonly gathered: Account
  readonly miss: Account
  readonly set: Account
  readonly invalidate: Account
  /** Of a miss and a waiter together. */
  readonly both: Account
}

const reportOf = ({ both, gathered, hit, invalidate, miss, set }: Accounts): Report => {
  // Each of them waits for the reply to the one before.
  const roundTrips = total(miss.sent)
  return {
    title: `${title}, over ${operations} of each`,
    columns: ["", "sent", "namely", "run there, scripts and all", "server (µs)"],
    rows: [
      row("hit", hit),
      row(`hit, ${inOneTick} in one tick`, gathered),
      row("cold miss", miss),
      row("set", set),
      row("invalidate", invalidate),
      row("wait for another process", beyond(both, miss))
    ],
    targets: [
      {
        what: "at most 1 command a hit",
        figure: total(hit.sent).toFixed(2),
        isMet: total(hit.sent) <= 1
      },
      {
        what: "at most 3 round trips a cold miss",
        figure: roundTrips.toFixed(2),
        isMet: roundTrips <= 3
      }
    ]
  }
}

const row = (operation: string, { run, sent, took }: Account) => [
  operation,
  total(sent),
  listed(sent),
  listed(run),
  took
]

const listed = (counts: Counts): string =>
  [...counts]
    .toSorted(([a, one], [b, other]) => other - one || a.localeCompare(b))
    .map(([name, count]) => `${Number(count.toFixed(2))} ${name.toUpperCase()}`)
    .join(", ")
