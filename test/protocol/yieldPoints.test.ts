/**
 * The first caller is interrupted at every point at which it, or its creator,
 * could ever yield. The scheduler forces one yield at step n, for n = 1, 2, 3, …
 * until a run has no step n; at that yield everybody else arrives, and then the
 * first caller is interrupted.
 */
import { describe, expect, it } from "vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as FiberId from "effect/FiberId"
import * as Option from "effect/Option"
import type * as Scheduler from "effect/Scheduler"
import * as Supervisor from "effect/Supervisor"
import { Cache, MemoryBackend } from "effect-larder"
import * as Core from "../../src/core/cache.js"
import { settings } from "../../src/core/settings.js"
import { Simulation } from "./simulation.js"

/** The world's scheduler, but for one yield that it forces on whoever runs under it. */
const yieldingAt = (
  simulation: Simulation,
  step: number,
  onPoint: () => void,
  isCounting: () => boolean = () => true
): Scheduler.Scheduler & { readonly isReached: () => boolean } => {
  let steps = 0
  let isAtPoint = false
  let hasReached = false
  return {
    isReached: () => hasReached,
    shouldYield: () => {
      if (hasReached || !isCounting() || ++steps !== step) return false
      hasReached = isAtPoint = true
      return 0
    },
    scheduleTask: (task) => {
      if (!isAtPoint) return simulation.scheduler.scheduleTask(task, 0)
      isAtPoint = false
      // Whoever yielded waits until all the others have gone as far as they can.
      onPoint()
      simulation.afterRest(task)
    }
  }
}

/** One cache on memory, or two over one server; what is created in them, and what is left of it. */
const start = (tiers: "memory" | "shared", seed: number) => {
  const simulation = new Simulation(seed)
  const supervisor = simulation.run(Supervisor.track)
  const server = simulation.run(MemoryBackend.make())
  const processes = (tiers === "memory" ? [0] : [0, 1]).map(() => {
    const path = simulation.run(
      Core.makePath(
        tiers === "memory" ? { capacity: 100 } : { backend: server },
        settings({ beta: 0 }, { defer: simulation.defer })
      )
    )
    const context = Context.make(Cache, simulation.run(Core.serve(path)))
    return { path, run: Effect.provide(context) }
  })

  const seen = { loads: 0, interrupted: 0, opened: 0, closed: 0 }
  const creator = (end: Effect.Effect<unknown>) =>
    Effect.gen(function* () {
      seen.loads++
      yield* Effect.acquireRelease(
        Effect.sync(() => seen.opened++),
        () =>
          Effect.zipRight(
            Effect.yieldNow(),
            Effect.sync(() => seen.closed++)
          )
      )
      yield* Effect.yieldNow()
      yield* end
      return "value"
    }).pipe(Effect.onInterrupt(() => Effect.sync(() => seen.interrupted++)))

  const lookup = (
    process: number,
    end: Effect.Effect<unknown> = Effect.yieldNow(),
    scheduler: Scheduler.Scheduler = simulation.scheduler
  ): Fiber.RuntimeFiber<string> =>
    simulation.fork(
      processes[process % processes.length]!.run(Cache.getOrCreate("key", creator(end))).pipe(
        Effect.supervised(supervisor),
        Effect.withScheduler(scheduler)
      )
    )

  const expectNothingLeft = () => {
    simulation.drain()
    // Before it could have run out by itself.
    expect(simulation.run(server.holder("larder:key"))).toEqual(Option.none())
    simulation.advance(10_000)
    expect(seen.closed).toBe(seen.opened)
    for (const { path } of processes) {
      expect(path.rebuilds.size).toBe(0)
      expect(path.l2?.waiters.size ?? 0).toBe(0)
    }
    expect(simulation.run(supervisor.value).length).toBe(0)
    simulation.close()
  }
  return { simulation, seen, lookup, expectNothingLeft }
}

const interrupt = (fiber: Fiber.RuntimeFiber<string>): void =>
  fiber.unsafeInterruptAsFork(FiberId.none)

/** Calls `check` for n = 1, 2, … until a run has no such step; gives how many had. */
const forEachStep = async (check: (step: number) => boolean): Promise<number> => {
  for (let step = 1; step < 10_000; step++) {
    if (!check(step)) return step - 1
    // The runner must hear from a worker now and then.
    await new Promise((resolve) => setImmediate(resolve))
  }
  throw new Error("this never ends")
}

for (const tiers of ["memory", "shared"] as const) {
  describe(`the first caller (${tiers})`, () => {
    it("interrupted wherever it can be, leaves its 100 followers their value", async () => {
      const steps = await forEachStep((step) => {
        const { expectNothingLeft, lookup, seen, simulation } = start(tiers, step)
        const followers: Array<Fiber.RuntimeFiber<string>> = []
        const scheduler = yieldingAt(simulation, step, () => {
          for (let i = 0; i < 100; i++) followers.push(lookup(i))
          simulation.afterRest(() => interrupt(first))
        })
        const first = lookup(0, undefined, scheduler)
        simulation.drain()
        simulation.advance(2_000)
        if (!scheduler.isReached()) return false
        for (const follower of followers) {
          const exit = follower.unsafePoll()
          expect(exit, `a follower hangs, step ${step}`).not.toBeNull()
          expect(exit, `step ${step}`).toEqual(Exit.succeed("value"))
        }
        expect(first.unsafePoll()).not.toBeNull()
        // Interrupted before it had opened a flight, or at the end of one: then
        // those who came at that moment make a run of their own, once.
        expect(seen.loads, `step ${step}`).toBeLessThanOrEqual(2)
        expectNothingLeft()
        return true
      })
      expect(steps).toBeGreaterThan(20)
    })

    // It finds no flight, and yields; the others find none either, and open one. If
    // it opened its own now, in that one's place, two creators would run.
    it("held up wherever it can be, makes one run with its followers", async () => {
      const steps = await forEachStep((step) => {
        const { expectNothingLeft, lookup, seen, simulation } = start(tiers, step)
        const callers: Array<Fiber.RuntimeFiber<string>> = []
        const scheduler = yieldingAt(simulation, step, () => {
          for (let i = 0; i < 10; i++) callers.push(lookup(i, Effect.sleep("1 second")))
        })
        callers.push(lookup(0, Effect.sleep("1 second"), scheduler))
        simulation.drain()
        simulation.advance(2_000)
        for (const caller of callers) {
          expect(caller.unsafePoll(), `step ${step}`).toEqual(Exit.succeed("value"))
        }
        expect(seen.loads, `step ${step}`).toBe(1)
        if (!scheduler.isReached()) return false
        expectNothingLeft()
        return true
      })
      expect(steps).toBeGreaterThan(20)
    })

    for (const followers of [0, 10]) {
      it(`interrupted wherever it can be, with all of ${followers} followers, ends its creator`, async () => {
        const steps = await forEachStep((step) => {
          const { expectNothingLeft, lookup, seen, simulation } = start(tiers, step)
          const callers: Array<Fiber.RuntimeFiber<string>> = []
          let openWhenGone = 0
          const scheduler = yieldingAt(simulation, step, () => {
            for (let i = 0; i < followers; i++) callers.push(lookup(0, Effect.never))
            let left = callers.length
            for (const caller of callers) {
              caller.addObserver(() => {
                if (--left === 0) openWhenGone = seen.opened - seen.closed
              })
            }
            simulation.afterRest(() => callers.forEach(interrupt))
          })
          callers.push(lookup(0, Effect.never, scheduler))
          simulation.drain()
          simulation.advance(2_000)
          if (!scheduler.isReached()) {
            callers.forEach(interrupt)
            return false
          }
          for (const caller of callers) {
            const exit = caller.unsafePoll()
            expect(exit, `a caller hangs, step ${step}`).not.toBeNull()
            expect(exit !== null && Exit.isInterrupted(exit)).toBe(true)
          }
          expect(openWhenGone, `finalizers were not awaited, step ${step}`).toBe(0)
          expect(seen.interrupted, `step ${step}`).toBeGreaterThanOrEqual(seen.loads)
          expect(seen.interrupted, `step ${step}`).toBeLessThanOrEqual(1)
          expect(seen.loads, `step ${step}`).toBeLessThanOrEqual(1)
          expectNothingLeft()
          return true
        })
        expect(steps).toBeGreaterThan(20)
      })
    }
  })

  describe(`a follower (${tiers})`, () => {
    // Between the moment it finds the flight and the moment it joins, the last of
    // those who waited may leave: the flight it found is being ended.
    it("that is on its way when the first caller leaves gets its value all the same", async () => {
      const steps = await forEachStep((step) => {
        const { expectNothingLeft, lookup, simulation } = start(tiers, step)
        const first = lookup(0, Effect.never)
        simulation.drain()
        const scheduler = yieldingAt(simulation, step, () => interrupt(first))
        const follower = lookup(0, undefined, scheduler)
        simulation.drain()
        simulation.advance(2_000)
        if (!scheduler.isReached()) {
          // It has joined, and waits for a creator that does not end.
          interrupt(first)
          interrupt(follower)
          simulation.drain()
          return false
        }
        // It joined in time, or made a run of its own: it hangs only if it waits
        // for the first caller's creator, which does not end.
        const exit = follower.unsafePoll()
        if (exit === null) interrupt(follower)
        else expect(exit, `step ${step}`).toEqual(Exit.succeed("value"))
        expectNothingLeft()
        return true
      })
      expect(steps).toBeGreaterThan(5)
    })

    // The first caller is the last to leave. At each of its yields on the way out,
    // before and after it has cleared the slot, another comes.
    it("that comes while the last one leaves joins in time, or makes a run of its own", async () => {
      const served: Array<boolean> = []
      const steps = await forEachStep((step) => {
        const { expectNothingLeft, lookup, simulation } = start(tiers, step)
        let isLeaving = false
        let newcomer: Fiber.RuntimeFiber<string> | undefined
        const scheduler = yieldingAt(
          simulation,
          step,
          () => {
            newcomer = lookup(0)
          },
          () => isLeaving
        )
        const first = lookup(0, Effect.never, scheduler)
        simulation.drain()
        isLeaving = true
        interrupt(first)
        simulation.drain()
        simulation.advance(2_000)
        if (!scheduler.isReached()) return false
        // The last step of all is no yield: nobody goes on after it.
        if (newcomer === undefined) return true
        // In time to join, it waits for the first caller's creator, which does not
        // end; a moment later, that is being ended, and it makes a run of its own.
        const exit = newcomer.unsafePoll()
        if (exit === null) interrupt(newcomer)
        else expect(exit, `step ${step}`).toEqual(Exit.succeed("value"))
        served.push(exit !== null)
        expectNothingLeft()
        return true
      })
      expect(new Set(served)).toEqual(new Set([false, true]))
      expect(steps).toBeGreaterThan(5)
    })

    it("interrupted wherever it can be, harms nobody", async () => {
      const steps = await forEachStep((step) => {
        const { expectNothingLeft, lookup, seen, simulation } = start(tiers, step)
        const first = lookup(0, Effect.sleep("1 second"))
        simulation.drain()
        const scheduler = yieldingAt(simulation, step, () =>
          simulation.afterRest(() => interrupt(follower))
        )
        const follower = lookup(0, undefined, scheduler)
        simulation.drain()
        simulation.advance(2_000)
        if (!scheduler.isReached()) return false
        expect(first.unsafePoll(), `step ${step}`).toEqual(Exit.succeed("value"))
        expect(follower.unsafePoll(), `step ${step}`).not.toBeNull()
        expect(seen.loads).toBe(1)
        expectNothingLeft()
        return true
      })
      expect(steps).toBeGreaterThan(5)
    })
  })
}
