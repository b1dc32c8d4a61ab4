/** What is on a server, past everything that is tested. */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { Cluster, Redis } from "ioredis"
import type { RedisClientOptions } from "effect-larder/redis"
import type { RedisCluster, RedisServer } from "../servers/redis.js"

type Argument = string | number | Buffer

export interface Raw {
  /** How a client under test gets there. */
  readonly settings: RedisClientOptions
  /** A command, sent to whoever holds its key. */
  readonly call: (name: string, ...args: ReadonlyArray<Argument>) => Effect.Effect<any>
  /** The same, its reply as bytes. */
  readonly callBytes: (name: string, ...args: ReadonlyArray<Argument>) => Effect.Effect<any>
  /** One for each server that holds keys. */
  readonly masters: ReadonlyArray<Redis>
  /** All that is stored, everywhere, with its type and its remaining milliseconds (-1: for good). */
  readonly stored: Effect.Effect<ReadonlyMap<string, { readonly pttl: number }>>
}

const disconnecting = <A extends { readonly disconnect: () => void }>(open: () => A) =>
  Effect.acquireRelease(Effect.sync(open), (it) => Effect.sync(() => it.disconnect()))

const rawOf = (
  settings: RedisClientOptions,
  handle: Redis | Cluster,
  masters: ReadonlyArray<Redis>
): Raw => ({
  settings,
  call: (name, ...args) => Effect.promise(() => handle.call(name, ...args)),
  callBytes: (name, ...args) => Effect.promise(() => handle.callBuffer(name, ...args)),
  masters,
  stored: Effect.map(
    Effect.forEach(masters, (master) =>
      Effect.promise(async () => {
        const keys = await master.keys("*")
        const lives = await Promise.all(keys.map((key) => master.pttl(key)))
        return keys.map((key, index) => [key, { pttl: lives[index] ?? NaN }] as const)
      })
    ),
    (found) => new Map(found.flat())
  )
})

export const rawServer = ({ url }: RedisServer): Effect.Effect<Raw, never, Scope.Scope> =>
  Effect.map(
    disconnecting(() => new Redis(url)),
    (server) => rawOf({ url }, server, [server])
  )

export const rawCluster = ({ nodes }: RedisCluster): Effect.Effect<Raw, never, Scope.Scope> =>
  Effect.gen(function* () {
    const masters = yield* Effect.forEach(nodes, ({ url }) => disconnecting(() => new Redis(url)))
    const addresses = nodes.map(({ host, port }) => ({ host, port }))
    const cluster = yield* disconnecting(() => new Cluster(addresses))
    return rawOf(
      { cluster: { nodes: nodes.map(({ port }) => `127.0.0.1:${port}`) } },
      cluster,
      masters
    )
  })
