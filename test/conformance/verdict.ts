/** A test runner that keeps what it hears to itself: to test the suites by what they object to. */
import * as Effect from "effect/Effect"
import type { TestRunner } from "../../src/testing/conformance/register.js"

export interface Verdict {
  readonly passed: ReadonlyArray<string>
  readonly skipped: ReadonlyArray<string>
  readonly failed: ReadonlyArray<string>
  /** What each of the failed ones said. */
  readonly messages: ReadonlyMap<string, string>
}

/** Runs a suite, or some of its tests, a few at a time. */
export const verdictOn = (
  register: (tests: TestRunner) => void,
  only?: ReadonlyArray<string>
): Promise<Verdict> => {
  const tests: Array<{ readonly name: string; readonly run: Parameters<TestRunner["it"]>[1] }> = []
  register({
    describe: (_name, enter) => enter(),
    it: (name, run) => {
      if (only?.includes(name) ?? true) tests.push({ name, run })
    }
  })
  const messages = new Map<string, string>()
  const [passed, skipped] = [new Set<string>(), new Set<string>()]
  return Effect.forEach(
    tests,
    ({ name, run }) =>
      Effect.promise(() =>
        run({ skip: () => skipped.add(name) }).then(
          () => skipped.has(name) || passed.add(name),
          (error: unknown) => messages.set(name, String(error))
        )
      ),
    { concurrency: 8, discard: true }
  ).pipe(
    Effect.map(() => ({
      passed: [...passed],
      skipped: [...skipped],
      failed: [...messages.keys()],
      messages
    })),
    Effect.runPromise
  )
}
