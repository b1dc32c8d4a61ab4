/** A test runner that keeps what it hears to itself: to test the suites by what they object to. */
import * as Effect from "effect/Effect"
import type { TestRunner } from "../../src/testing/cacheBackendConformance.js"

export interface Verdict {
  readonly passed: ReadonlyArray<string>
  /** What a failed test said, by its name. */
  readonly failed: ReadonlyMap<string, string>
}

/** Runs a suite, a few of its tests at a time. */
export const verdictOn = (register: (tests: TestRunner) => void): Promise<Verdict> => {
  const tests: Array<{ readonly name: string; readonly run: () => Promise<void> }> = []
  register({
    describe: (_name, enter) => enter(),
    it: (name, run) => tests.push({ name, run: () => run() })
  })
  const failed = new Map<string, string>()
  const passed: Array<string> = []
  return Effect.forEach(
    tests,
    ({ name, run }) =>
      Effect.promise(() =>
        run().then(
          () => passed.push(name),
          (error: unknown) => failed.set(name, String(error))
        )
      ),
    { concurrency: 8, discard: true }
  ).pipe(Effect.as({ passed, failed }), Effect.runPromise)
}
