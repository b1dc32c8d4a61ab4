/** What a test can do to commands, to pushes, and to the wire itself. */
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import * as Utils from "effect/Utils"
import type * as Net from "node:net"
import type { Direction, Wire, World } from "./connection.js"
import type { Exchange, HeldCommand, Matches } from "./conversation.js"
import type { Words } from "./resp.js"

/**
 * A pub/sub message (in RESP3 any push but the answer to a subscription) on its way.
 *
 * @since 0.1.0
 * @category models
 */
export interface HeldPush {
  /** `["message", channel, text]`, `["pmessage", pattern, channel, text]`, … */
  readonly push: Words
  /** Hands it to the client, in whatever order the test likes. */
  readonly deliver: Effect.Effect<void>
  readonly lose: Effect.Effect<void>
}

/** What is held, and let go. */
export interface CommandControls {
  /**
   * From now on commands that match wait for the test; no longer those that an
   * earlier `hold` named, unless they are held already.
   */
  readonly hold: (matches: Matches) => Effect.Effect<void>
  /**
   * The next held command, in order of arrival, that no `next` has given yet; waits
   * for it. Those that came before it may still be under way.
   */
  readonly next: (matches?: Matches) => Effect.Effect<HeldCommand>
  /**
   * From now on nothing is held, and what was is executed and answered; waits for
   * the server's answers. What is lost stays lost, and other commands of a client
   * that has gone are dropped, if they are not with the server yet.
   */
  readonly release: Effect.Effect<void>
  /** Everything that clients have sent, in order of arrival, swallowed or not. */
  readonly commands: Effect.Effect<ReadonlyArray<Words>>
  readonly forgetCommands: Effect.Effect<void>
}

export interface PushControls {
  /** From now on pushes are lost, and so are those that are held; all else passes. */
  readonly losePushes: Effect.Effect<void>
  /** From now on pushes wait for the test. */
  readonly holdPushes: Effect.Effect<void>
  /** From now on pushes pass, after those that are held, oldest first. */
  readonly deliverPushes: Effect.Effect<void>
  /** The next held push, in order of arrival, that no `nextPush` has given yet; waits for it. */
  readonly nextPush: (matches?: Matches) => Effect.Effect<HeldPush>
}

export interface WireControls {
  /**
   * From now on everything takes so much longer each way, in order: a round trip
   * twice that. With `jitter`, each packet up to so much longer still. What is on its
   * way keeps its time.
   */
  readonly latency: (
    latency: Duration.DurationInput,
    options?: { readonly jitter?: Duration.DurationInput | undefined }
  ) => Effect.Effect<void>
  /**
   * From now on no more bytes a second pass on each connection, in that direction or
   * each way; Infinity: as many as may.
   */
  readonly bandwidth: (bytesPerSecond: number, direction?: Direction) => Effect.Effect<void>
  /**
   * From now on so many bytes travel at once at most, so that frames come in pieces;
   * Infinity: as they are. Who is slow to read may find several together.
   */
  readonly slice: (bytes: number) => Effect.Effect<void>
  /**
   * From now on connections are accepted and nothing passes, in that direction or
   * either way. A connection on which something was swallowed (and one made
   * meanwhile) stays silent until it is closed, also after `heal`; one that slept
   * through it goes on.
   */
  readonly blackHole: (direction?: Direction) => Effect.Effect<void>
  /** From now on connections are refused; those that are open stay so. */
  readonly refuse: Effect.Effect<void>
  /** Ends `refuse`: the port is the same. */
  readonly accept: Effect.Effect<void>
  /**
   * Resets all client connections now; new ones are accepted. What has been sent
   * to the server is executed, what `latency` had under way is gone, and what is held
   * stays so, as if its client had hung up.
   */
  readonly reset: Effect.Effect<void>
  /**
   * Ends one direction of all connections now (a FIN, behind what is on its way
   * there), and leaves the other as it is: `toServer`, the server hears that no more
   * will come; `toClient`, the client does. Many hang up altogether when they do.
   */
  readonly halfClose: (direction: Direction) => Effect.Effect<void>
  /** How many connections clients hold open now. */
  readonly connections: Effect.Effect<number>
}

/** A wire on which nothing goes wrong. */
export const plain: Wire = {
  latency: () => 0,
  bandwidth: { toServer: Infinity, toClient: Infinity },
  packet: Infinity,
  holes: new Set()
}

/** Nothing is held any more; gives what the server has yet to answer of what was. */
export const letGo = (world: World): Effect.Effect<ReadonlyArray<Exchange>> =>
  Effect.sync(() => {
    world.isHeld = () => false
    world.heldCommands.clear()
    return [...world.connections].flatMap((connection) => connection.release())
  })

export const commandControls = (world: World): CommandControls => ({
  hold: (matches) => Effect.sync(() => void (world.isHeld = matches)),
  next: (matches = () => true) => world.heldCommands.next(({ command }) => matches(command)),
  release: Effect.flatMap(letGo(world), (sent) =>
    Effect.forEach(sent, ({ answered }) => Effect.exit(Deferred.await(answered)), { discard: true })
  ),
  commands: Effect.sync(() => [...world.commands]),
  forgetCommands: Effect.sync(() => void world.commands.splice(0))
})

export const pushControls = (world: World): PushControls => ({
  losePushes: Effect.sync(() => {
    world.pushes = "lose"
    world.heldPushes.clear()
  }),
  holdPushes: Effect.sync(() => void (world.pushes = "hold")),
  deliverPushes: Effect.sync(() => {
    world.pushes = "deliver"
    for (const { deliver } of world.heldPushes.clear()) deliver()
  }),
  nextPush: (matches = () => true) =>
    Effect.map(
      world.heldPushes.next(({ push }) => matches(push)),
      (waiting) => ({
        push: waiting.push,
        deliver: Effect.sync(() => {
          if (world.heldPushes.remove(waiting)) waiting.deliver()
        }),
        lose: Effect.sync(() => void world.heldPushes.remove(waiting))
      })
    )
})

const directionsOf = (direction: Direction | undefined): ReadonlyArray<Direction> =>
  direction === undefined ? ["toServer", "toClient"] : [direction]

export const wireControls = ({ connections, wire }: World, server: Net.Server, port: number) =>
  ({
    latency: (latency, { jitter = 0 } = {}) =>
      // Its own, seeded by the caller's: packets come when no fiber runs.
      Effect.map(Random.nextIntBetween(0, 2 ** 31), (seed) => {
        const chance = new Utils.PCGRandom(seed)
        const [least, more] = [Duration.toMillis(latency), Duration.toMillis(jitter)]
        wire.latency = () => least + more * chance.number()
      }),
    bandwidth: (bytesPerSecond, direction) =>
      Effect.map(positive("bandwidth", bytesPerSecond), () => {
        for (const each of directionsOf(direction)) {
          wire.bandwidth = { ...wire.bandwidth, [each]: bytesPerSecond / 1_000 }
        }
      }),
    slice: (bytes) =>
      Effect.map(positive("slice", bytes), () => {
        wire.packet = Math.ceil(bytes)
      }),
    blackHole: (direction) =>
      Effect.sync(() => {
        wire.holes = new Set([...wire.holes, ...directionsOf(direction)])
      }),
    refuse: Effect.sync(() => void server.close()),
    accept: Effect.suspend(() =>
      server.listening ? Effect.void : Effect.orDie(listen(server, port))
    ),
    reset: Effect.sync(() => {
      for (const connection of connections) connection.reset()
    }),
    halfClose: (direction) =>
      Effect.sync(() => {
        for (const connection of connections) connection.halfClose(direction)
      }),
    connections: Effect.sync(
      () => [...connections].filter((connection) => connection.isOpen()).length
    )
  }) satisfies WireControls

const positive = (name: string, bytes: number): Effect.Effect<void> =>
  bytes > 0
    ? Effect.void
    : Effect.dieMessage(`FaultProxy: ${name} is ${bytes}; allowed: bytes, above zero`)

/** Listens on the loopback interface. */
export const listen = (server: Net.Server, port: number): Effect.Effect<void, Error> =>
  Effect.async((resume) => {
    const fail = (error: Error) => resume(Effect.fail(error))
    server.once("error", fail)
    server.listen(port, "127.0.0.1", () => {
      server.off("error", fail)
      resume(Effect.void)
    })
  })
