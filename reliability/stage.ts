/** A server, and processes over it, each with a wire of its own. */
import * as Effect from "effect/Effect"
import * as Scope from "effect/Scope"
import { command, type RedisServer, startRedis } from "../test/servers/redis.js"
import { startWorker, type Worker } from "../test/servers/worker.js"
import type { Scene } from "./faults.js"
import {
  asEnvironment,
  commandTimeout,
  leaseDuration,
  processes,
  type ProcessSettings
} from "./settings.js"
import { none, overRedis, type Truth } from "./truth.js"
import { startWire, type Wire } from "./wire.js"
import type { ProcessHandlers } from "./worker.js"

export interface Member {
  readonly wire: Wire
  process: Worker<ProcessHandlers>
  /** Killed, and another in its place. */
  readonly replace: Effect.Effect<void>
}

export interface Stage extends Scene {
  readonly server: RedisServer
  readonly truth: Truth
  readonly members: ReadonlyArray<Member>
}

const lasting = ["--appendonly", "yes"]

export const startStage = (
  isLasting = false
): Effect.Effect<Stage, Effect.Effect.Error<ReturnType<typeof startRedis>>, Scope.Scope> =>
  Effect.gen(function* () {
    const database = yield* startRedis({ own: true })
    const server = yield* startRedis({ own: true, args: isLasting ? lasting : [] })
    const truth = yield* overRedis(database.url)
    const members = yield* Effect.forEach(
      Array.from({ length: processes }, (_, here) => here),
      (here) => startMember(server, { truth: database.url, here }),
      { concurrency: "unbounded" }
    )
    return { server, truth, members, wires: members.map(({ wire }) => wire), commandTimeout }
  })

const startMember = (server: RedisServer, own: Pick<ProcessSettings, "truth" | "here">) =>
  Effect.gen(function* () {
    const scope = yield* Effect.scope
    const wire = yield* startWire(server)
    const start = Effect.orDie(
      startWorker<ProcessHandlers>(new URL("worker.ts", import.meta.url), {
        env: asEnvironment({ ...own, url: wire.url })
      })
    )
    const member: Member = {
      wire,
      process: yield* start,
      replace: Effect.gen(function* () {
        yield* member.process.kill
        member.process = yield* start
      }).pipe(Scope.extend(scope))
    }
    return member
  })

const statesOf = ({ members }: Stage) =>
  Effect.forEach(members, ({ process }) => process.ask("state"), { concurrency: "unbounded" })

/** Do all processes use the server throughout something, and does no command fail them? */
const isWellDuring = <E>(stage: Stage, what: Effect.Effect<unknown, E>) =>
  Effect.gen(function* () {
    const before = yield* statesOf(stage)
    yield* what
    const after = yield* statesOf(stage)
    const isWell = [...before, ...after].every(({ healthy }) => healthy)
    return isWell && after.every((it, at) => it.backendErrors === before[at]?.backendErrors)
  })

/** Waits until all processes use the server again, and all that was begun without it has ended. */
export const untilWell = (stage: Stage) =>
  isWellDuring(stage, Effect.sleep(leaseDuration + commandTimeout)).pipe(
    Effect.repeat({ until: (isWell) => isWell }),
    Effect.timeout("60 seconds")
  )

/**
 * Something in the course of which Redis is up: what was loaded meanwhile. Should it have
 * failed a process all the same, for this machine was busy, nothing is said of it.
 */
export const calmly = <E>(stage: Stage, what: Effect.Effect<unknown, E>) =>
  Effect.gen(function* () {
    let loads = none
    const counted = Effect.gen(function* () {
      yield* stage.truth.beginCalm
      yield* what
      loads = yield* stage.truth.endCalm
    })
    return (yield* isWellDuring(stage, counted)) ? loads : none
  })

export const reportsOf = ({ members }: Stage) =>
  Effect.forEach(members, ({ process }) => process.ask("report"))

/** Fibers, sockets and leases that are there still when nobody has asked for a while. */
export const leftOver = ({ members, server }: Stage) =>
  Effect.gen(function* () {
    yield* Effect.forEach(members, ({ process }) => process.ask("rest"), { discard: true })
    // Whoever renews leases looks once more.
    yield* Effect.sleep(leaseDuration)
    const counts = yield* Effect.forEach(members, ({ process }) => process.ask("leftovers"))
    const leases = yield* command(server, "KEYS", "larder!lease:*")
    return counts.reduce(
      (sum, { fibers, sockets }) => sum + Math.max(0, fibers) + Math.max(0, sockets),
      Array.isArray(leases) ? leases.length : 0
    )
  })
