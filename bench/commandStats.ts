/** What operations cost a server, by its own account. */
import * as Effect from "effect/Effect"
import type { Redis } from "ioredis"
import { type CommandFailed, monitor, type RedisServer } from "../test/servers/redis.js"

/** By the command's name, in small letters. */
export type Counts = ReadonlyMap<string, number>

export interface Account {
  /** What clients have sent. */
  readonly sent: Counts
  /** What the server has run: that, and what scripts have called. */
  readonly run: Counts
  /** Microseconds it took the server, without reading from and writing to sockets. */
  readonly took: number
}

/** What the measuring itself says, and what a connection says about itself. */
const ownCommands = new Set(["info", "echo", "monitor", "subscribe", "ping"])

interface Stats {
  readonly calls: Counts
  readonly micros: Counts
}

const read = (server: Redis): Effect.Effect<Stats> =>
  Effect.map(
    Effect.promise(() => server.info("commandstats")),
    (info) => {
      const lines = [...info.matchAll(/^cmdstat_(\S+?):calls=(\d+),usec=(\d+)/gm)].filter(
        ([, name = ""]) => !ownCommands.has(name)
      )
      const column = (at: 2 | 3) => new Map(lines.map((line) => [line[1] ?? "", Number(line[at])]))
      return { calls: column(2), micros: column(3) }
    }
  )

const minus = (some: Counts, others: Counts): Counts =>
  new Map(
    [...some]
      .map(([name, count]) => [name, count - (others.get(name) ?? 0)] as const)
      .filter(([, count]) => count > 0)
  )

const over = (counts: Counts, operations: number): Counts =>
  new Map([...counts].map(([name, count]) => [name, count / operations]))

export const total = (counts: Counts): number =>
  [...counts.values()].reduce((sum, count) => sum + count, 0)

/**
 * The account of one operation, of so many. They are done twice: a server that is
 * listened to is slower.
 */
export const account = <E>(
  redis: RedisServer,
  connection: Redis,
  operations: number,
  all: Effect.Effect<unknown, E>
): Effect.Effect<Account, E | CommandFailed> =>
  Effect.gen(function* () {
    const before = yield* read(connection)
    yield* all
    const after = yield* read(connection)
    const sent = yield* sentBy(redis, all)
    const calls = minus(after.calls, before.calls)
    const micros = minus(after.micros, before.micros)
    // What a script has called is in the time of its EVALSHA.
    const took = [...sent].map(
      ([name, count]) => ((micros.get(name) ?? 0) / (calls.get(name) ?? Infinity)) * count
    )
    return {
      sent: over(sent, operations),
      run: over(calls, operations),
      took: took.reduce((sum, part) => sum + part, 0) / operations
    }
  })

const sentBy = <E>(
  redis: RedisServer,
  all: Effect.Effect<unknown, E>
): Effect.Effect<Counts, E | CommandFailed> =>
  Effect.gen(function* () {
    const { overheard } = yield* monitor(redis)
    yield* all
    const sent = new Map<string, number>()
    for (const { args, isFromLua } of yield* overheard) {
      const name = (args[0] ?? "").toLowerCase()
      if (!isFromLua && !ownCommands.has(name)) sent.set(name, (sent.get(name) ?? 0) + 1)
    }
    return sent
  }).pipe(Effect.scoped)

/** What the one costs more than the other. */
export const beyond = (one: Account, other: Account): Account => ({
  sent: minus(one.sent, other.sent),
  run: minus(one.run, other.run),
  took: one.took - other.took
})
