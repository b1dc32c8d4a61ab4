/**
 * A test's hand on the wire between a client and a real server.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import * as Net from "node:net"
import { connect, type Direction, type World } from "./connection.js"
import {
  commandControls,
  type CommandControls,
  type HeldPush,
  letGo,
  listen,
  plain,
  pushControls,
  type PushControls,
  wireControls,
  type WireControls
} from "./controls.js"
import type { HeldCommand, Matches } from "./conversation.js"
import { freePort } from "./port.js"
import type { Words } from "./resp.js"
import { makeShelf } from "./shelf.js"

/**
 * The server that a proxy stands before.
 *
 * - `protocol`: `resp` is Redis's: commands and pushes are told apart, and can be
 *   held; what is not RESP resets its connection. `bytes` is any other: the faults
 *   of the wire alone. Default `resp`
 *
 * @since 0.1.0
 * @category models
 */
interface Target {
  readonly host: string
  readonly port: number
  readonly protocol?: "resp" | "bytes" | undefined
}

interface Service extends CommandControls, PushControls, WireControls {
  /** Where clients connect: of the loopback interface. */
  readonly host: string
  readonly port: number
  /** `redis://127.0.0.1:port` */
  readonly url: string
  /**
   * Ends everything that lasts: latency, limits, black holes and refusal; what was
   * held is let go, of commands and of pushes. Unlike `release`, waits for no answer.
   */
  readonly heal: Effect.Effect<void>
}

/**
 * A proxy before a real server that does to connections what networks do: it is
 * slow, narrow or silent, cuts and refuses; and that holds a command until the
 * test lets it be executed, answered or lost. Clients connect to its `port`.
 *
 * RESP numbers nothing: the nth reply on a connection answers its nth command, and
 * no reply can overtake another. So a reply that is kept back keeps back all later
 * replies of **that client connection** (RESP3 pushes alone may come in between):
 * a test in which a client goes on while one of its commands is held must give
 * that client more than one connection.
 *
 * At the server it is otherwise: a held command is not sent, later commands are
 * executed past it, and their answers wait in the proxy for their turn. Two kinds
 * keep their place, however: commands that change the connection (`SELECT`, `AUTH`,
 * `SUBSCRIBE`, `MULTI`, …), and all between `WATCH` or `MULTI` and the end of the
 * transaction. These are sent after all before them and before all after them.
 *
 * A client that hangs up takes nothing back: what it has sent is executed, and a
 * command that is held then can still be executed, as a late packet would be.
 *
 * Not understood: `CLIENT REPLY`, `MONITOR`, inline commands, TLS, `SUBSCRIBE` in
 * a `MULTI`. Usable under a test clock: `latency` and `bandwidth` are in real time,
 * and nothing else waits for time. Made for tests: it listens on the loopback
 * interface alone.
 *
 * @example
 * ```ts
 * import * as Effect from "effect/Effect"
 * import * as Layer from "effect/Layer"
 * import { Cache } from "effect-larder"
 * import { RedisCache, RedisClient } from "effect-larder/redis"
 * import { FaultProxy } from "effect-larder/testing"
 *
 * const ProxyLive = FaultProxy.layer({ host: "127.0.0.1", port: 6379 })
 *
 * const CacheLive = RedisCache.layer().pipe(
 *   Layer.provide(
 *     Layer.unwrapEffect(Effect.map(FaultProxy, ({ url }) => RedisClient.layer({ url })))
 *   )
 * )
 *
 * // A caller gets its value, though nothing comes of what is asked of Redis.
 * export const program = Effect.gen(function* () {
 *   const proxy = yield* FaultProxy
 *   yield* proxy.blackHole()
 *   return yield* Cache.getOrCreate("answer", Effect.succeed(42))
 * }).pipe(Effect.provide(CacheLive), Effect.provide(ProxyLive))
 * ```
 *
 * @since 0.1.0
 * @category tags
 */
export class FaultProxy extends Context.Tag("effect-larder/FaultProxy")<FaultProxy, Service>() {
  /**
   * Starts a proxy that is gone, with all its connections, when the scope closes.
   *
   * @since 0.1.0
   */
  static readonly make = (target: Target): Effect.Effect<FaultProxy.Service, never, Scope.Scope> =>
    make(target)

  /**
   * `make` as a layer.
   *
   * @since 0.1.0
   */
  static readonly layer = (target: Target): Layer.Layer<FaultProxy> =>
    Layer.scoped(this, make(target))
}

/**
 * What belongs to the tag.
 *
 * @since 0.1.0
 */
export declare namespace FaultProxy {
  /**
   * The service behind the tag.
   *
   * @since 0.1.0
   */
  export type { Service }

  /**
   * What it deals in.
   *
   * @since 0.1.0
   */
  export type { Direction, HeldCommand, HeldPush, Matches, Target, Words }
}

const make = ({
  host,
  port: targetPort,
  protocol = "resp"
}: Target): Effect.Effect<Service, never, Scope.Scope> =>
  Effect.gen(function* () {
    const world: World = {
      commands: [],
      connections: new Set(),
      heldCommands: makeShelf(),
      heldPushes: makeShelf(),
      isHeld: () => false,
      pushes: "deliver",
      wire: { ...plain }
    }
    const target = { host, port: targetPort, isResp: protocol === "resp" }
    const server = Net.createServer({ noDelay: true }, (client) => {
      world.connections.add(connect(client, target, world))
    })
    yield* Effect.addFinalizer(() =>
      Effect.sync(() => {
        // Or the connections' ends would be under way for as long as the latency.
        Object.assign(world.wire, plain)
        server.close()
        for (const connection of world.connections) connection.destroy()
      })
    )
    const port = yield* Effect.tap(freePort, (port) => listen(server, port)).pipe(
      Effect.retry({ times: 9 }),
      Effect.orDie
    )
    const pushes = pushControls(world)
    const wire = wireControls(world, server, port)
    return {
      host: "127.0.0.1",
      port,
      url: `redis://127.0.0.1:${port}`,
      ...commandControls(world),
      ...pushes,
      ...wire,
      heal: Effect.sync(() => Object.assign(world.wire, plain)).pipe(
        Effect.zipRight(letGo(world)),
        Effect.zipRight(pushes.deliverPushes),
        Effect.zipRight(wire.accept)
      )
    }
  })
