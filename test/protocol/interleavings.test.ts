/**
 * Random interleavings against a model: whatever the order in which commands are
 * executed and answered, no read that begins after an acknowledged write is given
 * something older.
 *
 * The model knows one number a key: the version that every later read must reach.
 */
import { describe, expect, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as FastCheck from "effect/FastCheck"
import type * as Fiber from "effect/Fiber"
import { Cache, MemoryBackend } from "effect-larder"
import { ControlledBackend } from "effect-larder/testing"
import * as Core from "../../src/core/cache.js"
import type { Path } from "../../src/core/path.js"
import { settings } from "../../src/core/settings.js"
import { Simulation } from "./simulation.js"

type Tiers = "memory" | "shared" | "two-tier"

interface Mode {
  readonly tiers: Tiers
  readonly pushes: boolean
  /** Do commands fail, too? */
  readonly faults: boolean
}

interface Process {
  readonly path: Path
  readonly run: <A, E>(effect: Effect.Effect<A, E, Cache>) => Effect.Effect<A, E>
  readonly controlled: ControlledBackend.ControlledBackend
}

/** What a step does is read off its numbers, as far as it can be done. */
interface Step {
  readonly what: number
  readonly which: number
  readonly how: number
}

const keys = ["a", "b"]

class World {
  readonly simulation: Simulation
  readonly processes: ReadonlyArray<Process>
  readonly database = new Map(keys.map((key) => [key, 0]))
  /** What a read in that process that begins now must reach. */
  readonly floors: ReadonlyArray<Map<string, number>>
  readonly gates: Array<Effect.Effect<unknown>> = []
  readonly reads: Array<{
    readonly fiber: Fiber.RuntimeFiber<number>
    readonly floor: number
    readonly story: string
  }> = []
  /** Keys with a write under way, and whether one of them is a `set`. */
  readonly writing = new Map<string, { count: number; isSet: boolean }>()

  constructor(
    readonly mode: Mode,
    seed: number
  ) {
    this.simulation = new Simulation(seed)
    const server = this.simulation.run(MemoryBackend.make({ pushes: mode.pushes }))
    this.processes = (mode.tiers === "memory" ? [0] : [0, 1]).map(() => this.startProcess(server))
    this.floors = this.processes.map(() => new Map(keys.map((key) => [key, 0])))
  }

  private startProcess(server: Effect.Effect.Success<ReturnType<typeof MemoryBackend.make>>) {
    const { simulation } = this
    const controlled = simulation.run(ControlledBackend.make(server))
    const tiers = {
      capacity: this.mode.tiers === "shared" ? undefined : 100,
      backend: this.mode.tiers === "memory" ? undefined : controlled.backend
    }
    const path = simulation.run(
      Core.makePath(tiers, settings({ beta: 0 }, { defer: simulation.defer }))
    )
    const service = simulation.run(Core.serve(path))
    simulation.run(controlled.hold())
    // With an L1, what was pushed arrives when a step says so: a write must not
    // rely on hearing of itself.
    if (this.mode.tiers === "two-tier") simulation.run(controlled.setPushes("hold"))
    return {
      path,
      controlled,
      run: <A, E>(effect: Effect.Effect<A, E, Cache>) =>
        Effect.provide(effect, Context.make(Cache, service))
    }
  }

  /** Reads the database when it begins, and ends at once or when its gate is opened. */
  private creator(key: string, isHeld: boolean): Effect.Effect<number> {
    return Effect.suspend(() => {
      const value = this.database.get(key) ?? 0
      if (!isHeld) return Effect.succeed(value)
      return Effect.flatMap(Deferred.make<void>(), (gate) => {
        this.gates.push(Deferred.succeed(gate, undefined))
        return Effect.as(Deferred.await(gate), value)
      })
    })
  }

  private read(at: number, key: string, how: number): void {
    const { run } = this.processes[at]!
    const refresh = how % 7 === 6
    const lookup = Cache.getOrCreate(key, this.creator(key, how % 2 === 0), { refresh })
    const floor = this.floors[at]!.get(key)!
    const story = `${refresh ? "refresh" : "read"} of ${key} in process ${at}, begun at ${floor}`
    this.reads.push({ fiber: this.simulation.fork(run(lookup)), floor, story })
  }

  private write(at: number, key: string, how: number): void {
    const { run } = this.processes[at]!
    const isSet = how % 3 === 1
    const touched = how % 5 === 4 ? keys : [key]
    // Two writes of which one is a `set` may be executed in either order: what
    // they promise is each other's business.
    const clashes = touched.some((each) => {
      const under = this.writing.get(each)
      return under !== undefined && (isSet || under.isSet)
    })
    if (clashes) return
    const versions = touched.map((each) => {
      const version = this.database.get(each)! + 1
      this.database.set(each, version)
      return [each, version] as const
    })
    const effect =
      touched.length > 1
        ? Cache.clear
        : isSet
          ? Cache.set(key, versions[0]![1])
          : Cache.invalidate(key)
    for (const each of touched) {
      const under = this.writing.get(each) ?? { count: 0, isSet }
      this.writing.set(each, { count: under.count + 1, isSet })
    }
    const pendingBefore = this.processes[at]!.path.l2?.pending.size ?? 0
    const fiber = this.simulation.fork(run(effect))
    fiber.addObserver(() => {
      for (const each of touched) {
        const under = this.writing.get(each)!
        if (under.count === 1) this.writing.delete(each)
        else this.writing.set(each, { ...under, count: under.count - 1 })
      }
      const { l2 } = this.processes[at]!.path
      const isConfirmed = !touched.some((each) => l2?.pending.has(each)) && pendingBefore === 0
      for (const [floorOf, floors] of this.floors.entries()) {
        // Other processes are promised what the server has confirmed; with an L1
        // of their own they hear of it by push, a moment later.
        const isPromised = floorOf === at || (isConfirmed && this.mode.tiers === "shared")
        if (!isPromised) continue
        for (const [each, version] of versions) {
          floors.set(each, Math.max(floors.get(each)!, version))
        }
      }
    })
  }

  step({ how, what, which }: Step): void {
    const at = which % this.processes.length
    const key = keys[(which >> 1) % keys.length]!
    switch (what) {
      case 0:
      case 1:
      case 2:
        this.read(at, key, how)
        break
      case 3:
        this.write(at, key, how)
        break
      case 4:
        this.openGate(how)
        break
      case 5:
        if (how % 4 === 0) this.simulation.advance(how % 8 === 0 ? 6_000 : 250)
        else this.simulation.fork(this.processes[at]!.controlled.deliver)
        break
      default:
        this.moveCommand(this.processes[at]!, what, how)
    }
    this.simulation.drain()
  }

  private openGate(how: number): void {
    const [gate] = this.gates.splice(how % Math.max(1, this.gates.length), 1)
    if (gate !== undefined) this.simulation.fork(gate)
  }

  private moveCommand({ controlled }: Process, what: number, how: number): void {
    const commands = this.simulation.run(controlled.underWay)
    const command = commands[how % Math.max(1, commands.length)]
    if (command === undefined) return
    // A lost `set` must not be executed late: the server's deadline sees to that.
    const mayLose = this.mode.faults && (command.name !== "set" || command.state === "executed")
    if (mayLose && how % 11 === 0) this.simulation.fork(command.lose)
    else if (command.name === "set" && command.state === "settled") return
    else this.simulation.fork(what % 2 === 0 ? command.execute : command.pass)
  }

  /** Everything is let go: every read must come to an end. */
  finish(): void {
    for (const { controlled } of this.processes) this.simulation.fork(controlled.release)
    for (let round = 0; round < 100; round++) {
      this.simulation.drain()
      while (this.gates.length > 0) this.openGate(0)
      this.simulation.advance(300)
      if (this.reads.every(({ fiber }) => fiber.unsafePoll() !== null)) break
    }
    for (const { fiber, floor, story } of this.reads) {
      const exit = fiber.unsafePoll()
      if (exit === null) throw new Error(`${story}: hangs`)
      if (!Exit.isSuccess(exit)) throw new Error(`${story}: ${String(exit.cause)}`)
      if (exit.value < floor) throw new Error(`${story}: given ${exit.value}`)
    }
    this.simulation.advance(20_000)
    for (const { path } of this.processes) {
      if (path.rebuilds.size > 0) throw new Error("a slot is left behind")
      if (path.l2 !== undefined && path.l2.waiters.size > 0) throw new Error("a waiter is left")
      if (path.l2 !== undefined && path.l2.pending.size > 0) throw new Error("never replayed")
    }
    this.simulation.close()
  }
}

const steps = FastCheck.array(
  FastCheck.record({
    what: FastCheck.integer({ min: 0, max: 13 }),
    which: FastCheck.integer({ min: 0, max: 3 }),
    how: FastCheck.nat({ max: 1_000 })
  }),
  { minLength: 10, maxLength: 60 }
)

const modes: ReadonlyArray<readonly [Mode, number]> = [
  [{ tiers: "memory", pushes: true, faults: false }, 1_000],
  [{ tiers: "shared", pushes: true, faults: false }, 3_000],
  [{ tiers: "shared", pushes: false, faults: false }, 3_000],
  [{ tiers: "shared", pushes: true, faults: true }, 1_500],
  [{ tiers: "two-tier", pushes: true, faults: false }, 1_000],
  [{ tiers: "two-tier", pushes: true, faults: true }, 500]
]

describe("no read is given what is older than a write acknowledged before it began", () => {
  for (const [mode, numRuns] of modes) {
    const name = Object.entries(mode).map(([option, value]) => `${option}: ${value}`)
    it(
      `in ${numRuns} random interleavings (${name.join(", ")})`,
      { timeout: 300_000 },
      async () => {
        const seed = Number(process.env.SEED ?? Date.now() % 1_000_000_007)
        console.log(`interleavings (${name.join(", ")}): SEED=${seed}`)
        let runs = 0
        // In portions: the runner must hear from a worker now and then.
        for (let portion = 0; portion * 250 < numRuns; portion++) {
          FastCheck.assert(
            FastCheck.property(steps, (program) => {
              const world = new World(mode, seed)
              for (const step of program) world.step(step)
              world.finish()
              runs++
            }),
            { numRuns: 250, seed: seed + portion }
          )
          await new Promise((resolve) => setImmediate(resolve))
        }
        expect(runs).toBeGreaterThanOrEqual(numRuns)
      }
    )
  }
})
