/**
 * A connection that counts as ready only when what it is used for is known to
 * work: it stands, and its server's clock has been sampled.
 */
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Runtime from "effect/Runtime"
import type * as Scope from "effect/Scope"
import type { Cluster, Redis } from "ioredis"
import type { BackendError } from "../port/CacheBackend.js"
import { slotOf } from "../policy/keys.js"
import {
  fault,
  type Handle,
  messageOf,
  noConnection,
  type Sender,
  send,
  socketOf
} from "./driver.js"
import { ServerClock } from "./serverClock.js"

/** Between two samples of a server's clock: what drifts more than that is broken. */
const sampleEvery = "30 seconds"

/** What lasts until a connection is lost, or keys begin or end to move to another server. */
export interface Epoch {
  readonly name: string
  /** Are keys on their way? */
  readonly isMoving: boolean
}

export interface Link {
  /** Where commands go; undefined: nothing is sent now. */
  readonly sender: () => Sender | undefined
  /** The server that holds the key, on one connection: for WATCH. */
  readonly nodeOf: (wireKey: string) => Sender | undefined
  /** All servers that hold keys. */
  readonly nodes: () => ReadonlyArray<Sender>
  readonly clockOf: (wireKey: string) => ServerClock
  /** Samples the clock of the server that holds the key. */
  readonly resample: (wireKey: string) => Effect.Effect<void, BackendError>
  readonly epoch: Effect.Effect<Epoch, BackendError>
  /** Those who WATCH take turns. */
  readonly turn: Effect.Semaphore
  /** Does the server run scripts? Taken as given on each connection, until one is refused. */
  isScriptable: boolean
  /** Why nothing is sent, as the last attempt to connect said. */
  readonly trouble: () => string | undefined
  /** Ends when it is ready, or with what its first attempt failed of. */
  readonly firstAttempt: Effect.Effect<void, BackendError>
}

/** Sockets know nothing of a test's clock. */
export const inRealTime = Effect.withClock(Clock.make())
export const realSleep = (duration: Duration.DurationInput): Effect.Effect<void> =>
  inRealTime(Effect.sleep(duration))

/** What differs between one server and a cluster of them. */
interface Shape {
  readonly nodes: () => ReadonlyArray<Redis>
  readonly nodeOf: (wireKey: string) => Redis | undefined
  /** Who holds which slots; `[` stands before those that are on their way. */
  readonly layout: Effect.Effect<string, BackendError>
}

const nameOf = ({ options }: Redis): string => `${options.host}:${options.port}`

const single = (server: Redis): Shape => ({
  nodes: () => [server],
  nodeOf: () => server,
  layout: Effect.succeed("")
})

const clustered = (cluster: Cluster): Shape => ({
  nodes: () => cluster.nodes("master"),
  nodeOf: (wireKey) => {
    const name = cluster.slots[slotOf(wireKey)]?.[0]
    return cluster.nodes("master").find((node) => nameOf(node) === name)
  },
  // Of a slot that is on its way only its two servers know: each says what it has itself.
  layout: Effect.suspend(() =>
    Effect.map(
      Effect.forEach(cluster.nodes("master"), (node) => send(node, "clear", "CLUSTER", ["NODES"]), {
        concurrency: "unbounded"
      }),
      (views) => views.map((view) => slotsIn(String(view))).join("\n")
    )
  )
})

const causeOf = (exit: Exit.Exit<void, BackendError>): unknown =>
  Exit.isFailure(exit) ? Option.getOrUndefined(Cause.failureOption(exit.cause))?.cause : undefined

/** `id address myself,flags master ping pong epoch state slots…` is the line of who says it. */
const slotsIn = (view: string): string => {
  const [id = "", ...fields] = /^.* \S*myself\S* .*$/m.exec(view)?.[0].split(" ") ?? []
  return [id, ...fields.slice(7)].join(" ")
}

/** Until the scope closes: connects, and connects again. */
export const open = (make: () => Handle): Effect.Effect<Link, never, Scope.Scope> =>
  Effect.gen(function* () {
    const runtime = yield* Effect.runtime<never>()
    const scope = yield* Effect.scope
    const first = yield* Deferred.make<void, BackendError>()
    const handle = yield* Effect.acquireRelease(Effect.sync(make), (it) =>
      Effect.sync(() => it.disconnect())
    )
    const shape = handle.isCluster ? clustered(handle as Cluster) : single(handle as Redis)
    const clocks = new Map<string, ServerClock>()
    const main = new ServerClock()
    let isReady = false
    let connection = 0
    let lastError: unknown = noConnection

    // Entries are dated by one clock, also in a cluster; whether a command came
    // late to a node is decided by that node's own, once it has been asked.
    const sampleOf = (node: Redis): Effect.Effect<void, BackendError> => {
      if (node === shape.nodes()[0]) return main.sample(node)
      const clock = new ServerClock()
      return Effect.map(clock.sample(node), () => void clocks.set(nameOf(node), clock))
    }
    const sample = Effect.suspend(() => {
      const [server, ...others] = shape.nodes()
      if (server === undefined) return Effect.fail(fault("time", lastError))
      return Effect.zipRight(
        Effect.forEach(others, (node) => Effect.ignore(sampleOf(node)), {
          concurrency: "unbounded",
          discard: true
        }),
        sampleOf(server)
      )
    })

    const handshake = (mine: number): Effect.Effect<void> =>
      Effect.flatMap(Effect.exit(sample), (exit) => {
        if (mine !== connection) return Effect.void
        Deferred.unsafeDone(first, exit)
        isReady = Exit.isSuccess(exit)
        if (!isReady) lastError = causeOf(exit) ?? lastError
        return isReady
          ? Effect.void
          : Effect.zipRight(
              realSleep("1 second"),
              Effect.suspend(() => handshake(mine))
            )
      })

    const clockOf = (wireKey: string): ServerClock => {
      const node = handle.isCluster ? shape.nodeOf(wireKey) : undefined
      return (node && clocks.get(nameOf(node))) ?? main
    }
    // A socket that was given up is told to be closed a moment later.
    const isUp = () => isReady && socketOf(handle)?.destroyed !== true
    const link: Link = {
      sender: () => (isUp() ? handle : undefined),
      nodeOf: (wireKey) => (isUp() ? shape.nodeOf(wireKey) : undefined),
      nodes: () => (isUp() ? shape.nodes() : []),
      clockOf,
      resample: (wireKey) =>
        Effect.suspend(() => {
          const node = shape.nodeOf(wireKey)
          return node === undefined ? Effect.void : sampleOf(node)
        }),
      epoch: Effect.suspend(() =>
        isUp()
          ? Effect.map(shape.layout, (layout) => ({
              name: `${connection} ${layout}`,
              isMoving: layout.includes("[")
            }))
          : Effect.fail(fault("clear", lastError))
      ),
      turn: Effect.unsafeMakeSemaphore(1),
      isScriptable: true,
      trouble: () => (isUp() ? undefined : messageOf(lastError)),
      firstAttempt: Deferred.await(first)
    }
    handle.on("ready", () => {
      link.isScriptable = true
      Runtime.runFork(runtime)(handshake(++connection), { scope })
    })
    handle.on("error", (error: unknown) => {
      lastError = error
    })
    handle.on("close", () => {
      connection++
      isReady = false
      Deferred.unsafeDone(first, Exit.fail(fault("connect", lastError)))
    })
    // What it was told as an error says more than that the connection is closed.
    handle.connect().catch((error: unknown) => {
      if (lastError === noConnection) lastError = error
    })
    yield* realSleep(sampleEvery).pipe(
      Effect.zipRight(Effect.suspend(() => (isReady ? Effect.ignore(sample) : Effect.void))),
      Effect.forever,
      Effect.forkScoped
    )
    return link
  })
