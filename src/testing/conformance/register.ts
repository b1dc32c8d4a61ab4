/** Turns the cases of a suite into tests of whatever runner there is. */
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Predicate from "effect/Predicate"
import type * as Scope from "effect/Scope"
import { Nonconformity, show } from "./expectation.js"

/**
 * What a suite needs of a test runner: `describe` and `it` as Vitest, Jest, Mocha
 * and `node:test` have them.
 *
 * A test that cannot be asked of a backend, for want of a capability, is skipped
 * by the runner's own `skip` (of the context that `it` gives, or of `this`), and
 * passes where there is none.
 *
 * @since 0.1.0
 * @category models
 */
export interface TestRunner {
  readonly describe: (name: string, register: () => void) => unknown
  readonly it: (name: string, run: (...given: ReadonlyArray<unknown>) => Promise<void>) => unknown
}

/** One test, on a subject made for it alone. */
export interface Case<S> {
  readonly name: string
  /** What has to hold, and how to get there: said when it does not. */
  readonly rule: string
  /** Why this subject cannot be asked, if it cannot. */
  readonly unless?: ((subject: S) => string | undefined) | undefined
  readonly run: (subject: S) => Effect.Effect<unknown, unknown, Scope.Scope>
}

/** A case whose effects use the services that its subject holds. */
export interface Using<R, S> extends Omit<Case<S>, "run" | "unless"> {
  readonly run: (subject: S) => Effect.Effect<unknown, unknown, R | Scope.Scope>
}

export const provided = <R, S extends { readonly context: Context.Context<R> }>({
  name,
  rule,
  run
}: Using<R, S>): Case<S> => ({
  name,
  rule,
  run: (subject) =>
    Effect.mapInputContext(run(subject), (scope: Context.Context<Scope.Scope>) =>
      Context.merge(scope, subject.context)
    )
})

export interface Group<S> {
  readonly name: string
  readonly cases: ReadonlyArray<Case<S>>
}

/** A test failed: what was expected and seen, and the rule behind it. */
class ConformanceError extends Error {
  override readonly name = "ConformanceError"
  constructor(rule: string, cause: Cause.Cause<unknown>) {
    const error = Cause.squash(cause)
    const what = error instanceof Error ? error.message : show(error)
    super(`${what}\n  rule:     ${rule}`, { cause: error })
  }
}

/** Runners give up after 5 seconds, without a word on what was being done. */
const timeLimit = 4_500

export const register = <S, E>(
  { describe, it }: TestRunner,
  name: string,
  groups: ReadonlyArray<Group<S>>,
  subject: Effect.Effect<S, E, Scope.Scope>
): void => {
  describe(name, () => {
    for (const { cases, name: about } of groups) {
      describe(about, () => {
        for (const one of cases) {
          // No parameter: Jest would wait for it to be called, Vitest look into it for fixtures.
          it(one.name, function (this: unknown) {
            return perform(one, subject, arguments[0] ?? this)
          })
        }
      })
    }
  })
}

const perform = async <S, E>(
  { rule, run, unless }: Case<S>,
  subject: Effect.Effect<S, E, Scope.Scope>,
  context: unknown
): Promise<void> => {
  const exit = await Effect.runPromiseExit(
    Effect.flatMap(subject, (made) => {
      const reason = unless?.(made)
      return reason === undefined ? Effect.as(run(made), undefined) : Effect.succeed(reason)
    }).pipe(
      Effect.scoped,
      Effect.disconnect,
      Effect.timeoutFail({ duration: timeLimit, onTimeout: tooLong })
    )
  )
  if (Exit.isFailure(exit)) throw new ConformanceError(rule, exit.cause)
  if (exit.value !== undefined && Predicate.hasProperty(context, "skip")) {
    // Called on the context, and last: some runners throw from it.
    const { skip } = context
    if (Predicate.isFunction(skip)) Reflect.apply(skip, context, [exit.value])
  }
}

const tooLong = () =>
  new Nonconformity({
    what: "the test as a whole",
    expected: `to end within ${timeLimit} ms`,
    seen: "it had not ended"
  })
