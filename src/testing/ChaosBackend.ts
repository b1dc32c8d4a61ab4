/**
 * A backend in which things go wrong at random, by a seed: for the question whether
 * a program bears it, where `ControlledBackend` asks what it does in one order.
 *
 * @since 0.1.0
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as FiberSet from "effect/FiberSet"
import * as Runtime from "effect/Runtime"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { BackendError, type CacheBackend, type Push } from "../port/CacheBackend.js"
import type * as ControlledBackend from "./ControlledBackend.js"

/**
 * The commands that can go wrong: all but `subscribe`, of which the pushes can.
 *
 * @since 0.1.0
 * @category models
 */
export type CommandName = ControlledBackend.CommandName | "keys"

/**
 * What can befall a command, each from 0, never, to 1, always; one at most does, so
 * together they are 1 at most. Unset: 0.
 *
 * - `failures`: it fails for one of the `reasons`, and is not executed
 * - `lostReplies`: it is executed, and fails with `Timeout`
 * - `lateExecutions`: it fails with `Timeout`, and is executed after that; but a
 *   `set`, which must do nothing when it is late, fails with `Late`, and is not
 * - `delays`: it is executed late, and answered later still
 * - `hangs`: nothing happens for as long as `longestHang`, then it fails with `Timeout`
 * - `throws`: it dies, as when a driver throws, and is not executed
 *
 * @since 0.1.0
 * @category models
 */
export interface CommandFaults {
  readonly failures?: number | undefined
  readonly lostReplies?: number | undefined
  readonly lateExecutions?: number | undefined
  readonly delays?: number | undefined
  readonly hangs?: number | undefined
  readonly throws?: number | undefined
}

/**
 * What can befall a push, in the same way.
 *
 * @since 0.1.0
 * @category models
 */
export interface PushFaults {
  readonly lostPushes?: number | undefined
  readonly duplicatedPushes?: number | undefined
  /** They may be overtaken by later ones. */
  readonly delayedPushes?: number | undefined
}

/**
 * What goes wrong, and how often.
 *
 * - `commands`: for commands of these names, in the place of what is said for all
 * - `reasons`: why commands fail; default `Timeout`, `Unavailable` and `Refused`
 * - `longestDelay`: of commands and pushes; default 100 milliseconds
 * - `longestHang`: default 1 second
 *
 * @since 0.1.0
 * @category models
 */
export interface ChaosOptions extends CommandFaults, PushFaults {
  readonly commands?: { readonly [name in CommandName]?: CommandFaults | undefined } | undefined
  readonly reasons?: ReadonlyArray<"Timeout" | "Unavailable" | "Refused"> | undefined
  readonly longestDelay?: Duration.DurationInput | undefined
  readonly longestHang?: Duration.DurationInput | undefined
}

/**
 * How often each fault was done, and how many commands and pushes came through
 * without one.
 *
 * @since 0.1.0
 * @category models
 */
export type ChaosCounts = Readonly<Record<Fault | "unharmed", number>>

/**
 * A backend, and the weather in it.
 *
 * @since 0.1.0
 * @category models
 */
export interface ChaosBackend {
  readonly backend: CacheBackend
  /**
   * From now on nothing goes wrong any more. What has gone wrong already takes its
   * course: a command may still be executed, and a push come, within `longestDelay`.
   */
  readonly calm: Effect.Effect<void>
  /** From now on things go wrong, as they do from the start. */
  readonly storm: Effect.Effect<void>
  readonly counts: Effect.Effect<ChaosCounts>
}

const commandFaults = [
  "failures",
  "lostReplies",
  "lateExecutions",
  "delays",
  "hangs",
  "throws"
] as const
const pushFaults = ["lostPushes", "duplicatedPushes", "delayedPushes"] as const

type CommandFault = (typeof commandFaults)[number]
type PushFault = (typeof pushFaults)[number]
type Fault = CommandFault | PushFault

/**
 * Lets things go wrong in a backend. Chance is the `Random` of whoever makes it:
 * with `Effect.withRandom(Random.make("a seed"))` the same happens to the same
 * commands in the same order. Time is Effect's `Clock`.
 *
 * What the port promises still holds, but for the faults themselves: each command
 * settles, `longestHang` or `longestDelay` later at most than it would; what fails with
 * `Refused` is not executed; no `set` is executed after it has failed. A subscription
 * says truly when it is confirmed and lost: what goes wrong with pushes it does not
 * notice. What is to be executed late is dropped when the scope closes.
 *
 * A rate that is none is a defect.
 *
 * @example
 * ```ts
 * import * as Effect from "effect/Effect"
 * import * as Random from "effect/Random"
 * import { Cache, MemoryBackend } from "effect-larder"
 * import { ChaosBackend } from "effect-larder/testing"
 *
 * export const program = Effect.gen(function* () {
 *   const { backend, counts } = yield* ChaosBackend.make(yield* MemoryBackend.make(), {
 *     failures: 0.2,
 *     lostReplies: 0.1,
 *     commands: { commit: { failures: 1 } }
 *   })
 *   yield* Cache.getOrCreate("answer", Effect.succeed(42)).pipe(
 *     Effect.provide(Cache.fromBackend(backend))
 *   )
 *   return yield* counts
 * }).pipe(Effect.scoped, Effect.withRandom(Random.make("seed")))
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (
  inner: CacheBackend,
  options: ChaosOptions = {}
): Effect.Effect<ChaosBackend, never, Scope.Scope> =>
  Effect.gen(function* () {
    const { commands = {}, reasons = ["Timeout", "Unavailable", "Refused"] } = options
    const longestDelay = Duration.toMillis(options.longestDelay ?? "100 millis")
    const longestHang = Duration.decode(options.longestHang ?? "1 second")
    for (const faults of [options, ...Object.values(commands)]) {
      check(commandFaults, faults ?? {})
    }
    check(pushFaults, options)

    const random = yield* Effect.random
    const runSync = Runtime.runSync(yield* Effect.runtime<never>())
    const runLate = yield* FiberSet.makeRuntime<never>()
    const chance = (): number => runSync(random.next)
    const counts = Object.fromEntries(
      [...commandFaults, ...pushFaults, "unharmed"].map((name) => [name, 0])
    ) as Record<Fault | "unharmed", number>
    let isCalm = false

    const draw = <F extends Fault>(names: ReadonlyArray<F>, rates: Rates<F>): F | "unharmed" => {
      const drawn = isCalm ? "unharmed" : pick(names, rates, chance())
      counts[drawn]++
      return drawn
    }

    const command = <A>(
      name: CommandName,
      effect: Effect.Effect<A, BackendError>
    ): Effect.Effect<A, BackendError> => {
      const fail = (reason: BackendError["reason"]) =>
        new BackendError({ backend: inner.name, command: name, reason })
      const suffer: Record<CommandFault | "unharmed", () => Effect.Effect<A, BackendError>> = {
        unharmed: () => effect,
        failures: () => fail(reasons[Math.floor(chance() * reasons.length)] ?? "Unavailable"),
        lostReplies: () => Effect.zipRight(Effect.exit(effect), fail("Timeout")),
        lateExecutions: () => {
          if (name === "set") return fail("Late")
          runLate(Effect.delay(Effect.exit(effect), chance() * longestDelay))
          return fail("Timeout")
        },
        delays: () => {
          const [whole, share] = [chance() * longestDelay, chance()]
          return effect.pipe(
            Effect.delay(whole * share),
            Effect.zipLeft(Effect.sleep(whole * (1 - share)))
          )
        },
        hangs: () => Effect.delay(fail("Timeout"), longestHang),
        throws: () => Effect.dieMessage(`ChaosBackend: ${name} throws`)
      }
      return Effect.suspend(() => suffer[draw(commandFaults, commands[name] ?? options)]())
    }

    const subscribe: CacheBackend["subscribe"] = (prefix, handler) =>
      Effect.gen(function* () {
        const runSoon = yield* FiberSet.makeRuntime<never>()
        const suffer: Record<PushFault | "unharmed", (push: Push) => void> = {
          unharmed: handler,
          lostPushes: () => {},
          duplicatedPushes: (push) => {
            handler(push)
            handler(push)
          },
          delayedPushes: (push) => {
            runSoon(
              Effect.delay(
                Effect.sync(() => handler(push)),
                chance() * longestDelay
              )
            )
          }
        }
        yield* inner.subscribe(prefix, (signal) => {
          if (signal._tag === "Push") suffer[draw(pushFaults, options)](signal)
          else handler(signal)
        })
      })

    return {
      backend: {
        name: inner.name,
        capabilities: inner.capabilities,
        status: inner.status?.bind(inner),
        groupOf: inner.groupOf?.bind(inner),
        serverTime: (monotonic) => inner.serverTime(monotonic),
        getMany: (keys) => command("getMany", inner.getMany(keys)),
        lease: (key, request) => command("lease", inner.lease(key, request)),
        renew: (key, token, duration) => command("renew", inner.renew(key, token, duration)),
        commit: (key, token, stored, keepFor) =>
          command("commit", inner.commit(key, token, stored, keepFor)),
        release: (key, token) => command("release", inner.release(key, token)),
        set: (key, stored, keepFor) => command("set", inner.set(key, stored, keepFor)),
        invalidate: (key) => command("invalidate", inner.invalidate(key)),
        clear: (start) => command("clear", inner.clear(start)),
        keys: (start) => Stream.unwrap(command("keys", Effect.succeed(inner.keys(start)))),
        holder: (key) => command("holder", inner.holder(key)),
        subscribe
      },
      calm: Effect.sync(() => {
        isCalm = true
      }),
      storm: Effect.sync(() => {
        isCalm = false
      }),
      counts: Effect.sync(() => ({ ...counts }))
    }
  })

type Rates<F extends string> = { readonly [name in F]?: number | undefined }

/** Which of them a number in [0, 1) means: each has a part of it as long as its rate. */
const pick = <F extends string>(
  names: ReadonlyArray<F>,
  rates: Rates<F>,
  number: number
): F | "unharmed" => {
  let left = number
  for (const name of names) {
    left -= rates[name] ?? 0
    if (left < 0) return name
  }
  return "unharmed"
}

const check = <F extends string>(names: ReadonlyArray<F>, rates: Rates<F>): void => {
  const given = names.map((name) => rates[name] ?? 0)
  const sum = given.reduce((sum, rate) => sum + rate, 0)
  // A little more than 1 is what is left of ten times 0.1.
  if (given.every((rate) => rate >= 0) && sum < 1.000_001) return
  throw new Error(
    `ChaosBackend: the rates are ${given.join(", ")}; allowed: from 0 to 1, and 1 together`
  )
}
