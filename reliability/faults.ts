/** What can go wrong between processes and their server. */
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import type * as Scope from "effect/Scope"
import type { RedisServer } from "../test/servers/redis.js"
import type { Wire } from "./wire.js"

export interface Scene {
  readonly server: RedisServer
  /** A process each, or fewer: those that the fault befalls. */
  readonly wires: ReadonlyArray<Wire>
  readonly commandTimeout: number
}

export interface Fault {
  readonly name: string
  /** Lasts until the scope closes, and is over then. */
  readonly happens: (scene: Scene) => Effect.Effect<void, never, Scope.Scope>
  /** Its server keeps what it has in a file. */
  readonly isLasting?: boolean
  /** Commands are answered as ever. */
  readonly isHarmless?: boolean
}

const between = (begins: Effect.Effect<void>, ends: Effect.Effect<void>) =>
  Effect.acquireRelease(begins, () => ends)

const onAll = ({ wires }: Scene, what: (wire: Wire) => Effect.Effect<void>): Effect.Effect<void> =>
  Effect.forEach(wires, what, { discard: true })

const again = (what: Effect.Effect<unknown>) =>
  Effect.asVoid(Effect.forkScoped(Effect.forever(what)))

// To restart is to wait with a time limit, which an end of a scope would not let pass.
const killed = ({ server }: Scene) => between(server.kill, Effect.interruptible(server.restart))

export const faults: ReadonlyArray<Fault> = [
  {
    name: "server stopped, and continued",
    happens: ({ server }) => between(server.pause, server.resume)
  },
  { name: "server killed, and restarted empty", happens: killed },
  {
    name: "server killed, and restarted with its data",
    happens: killed,
    isLasting: true
  },
  {
    name: "connections reset ten times a second",
    happens: (scene) =>
      again(
        Effect.delay(
          onAll(scene, ({ reset }) => reset),
          "100 millis"
        )
      )
  },
  {
    name: "network swallows everything",
    happens: (scene) =>
      between(
        onAll(scene, ({ blackHole }) => blackHole()),
        onAll(scene, ({ heal }) => heal)
      )
  },
  {
    name: "connections refused",
    happens: (scene) =>
      between(
        onAll(scene, ({ refuse, reset }) => Effect.zipRight(refuse, reset)),
        onAll(scene, ({ heal }) => heal)
      )
  },
  {
    name: "replies later than the time of a command",
    happens: (scene) =>
      between(
        onAll(scene, ({ latency }) => latency(scene.commandTimeout)),
        onAll(scene, ({ latency }) => latency(0))
      )
  },
  {
    name: "half of the replies lost",
    happens: ({ wires }) => Effect.forEach(wires, losingHalf, { discard: true })
  },
  {
    name: "pushes lost",
    happens: (scene) =>
      between(
        onAll(scene, ({ losePushes }) => losePushes),
        onAll(scene, ({ deliverPushes }) => deliverPushes)
      ),
    isHarmless: true
  }
]

/** Every command is executed; in place of half of the replies comes the end of the connection. */
const losingHalf = ({ hold, next, release }: Wire) =>
  Effect.zipRight(
    between(
      hold(() => true),
      release
    ),
    again(
      Effect.flatMap(Effect.zip(next(), Random.nextBoolean), ([held, isLost]) =>
        Effect.forkDaemon(
          Effect.exit(isLost ? Effect.zipRight(held.execute, held.reset) : held.pass)
        )
      )
    )
  )

export const named = (name: string): Fault => {
  const fault = faults.find((it) => it.name === name)
  if (fault === undefined) throw new Error(`There is no fault named ${name}`)
  return fault
}
