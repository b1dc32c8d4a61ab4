/**
 * A wall clock of a server's own, which a test moves while the server runs (libfaketime).
 *
 * Timers of the server still go by the real monotonic clock.
 */
import * as FileSystem from "@effect/platform/FileSystem"
import * as Effect from "effect/Effect"
import * as Path from "node:path"
import * as Binaries from "./binaries.js"

export interface FakeClock {
  /** What the server's environment must have. */
  readonly env: Readonly<Record<string, string>>
  readonly step: (millis: number) => Effect.Effect<void>
  /** To be run when a process under this clock is gone. */
  readonly cleanUp: (pid: number) => Effect.Effect<void>
}

/** The system's own. */
export const noFakeClock: FakeClock = {
  env: {},
  step: () => Effect.dieMessage("the clock of a server started without `fakeClock` is not ours"),
  cleanUp: () => Effect.void
}

/** Where a frozen clock stands first. */
const frozenAt = 1_700_000_000_000

export const makeFakeClock = (mode: "running" | "frozen", folder: string) =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const library = yield* Binaries.find("libfaketimeMT.so.1")
    const file = Path.join(folder, "clock")
    const write = mode === "frozen" ? frozen : running
    let passed = 0

    // Renamed into place: the server reads it at every look at the clock, and ends if it is half.
    const set = Effect.zipRight(
      Effect.suspend(() => fs.writeFileString(`${file}.next`, write(passed))),
      fs.rename(`${file}.next`, file)
    )
    yield* Effect.orDie(set)

    const clock: FakeClock = {
      env: {
        // libc between libfaketime and the server's own libraries, so that its malloc is taken:
        // jemalloc looks at the clock while it sets itself up, libfaketime allocates at the first
        // look at the clock, and together they recurse until the server is killed.
        LD_PRELOAD: `${library.path} libc.so.6`,
        FAKETIME_TIMESTAMP_FILE: file,
        FAKETIME_FMT: "%s",
        FAKETIME_NO_CACHE: "1",
        FAKETIME_DONT_FAKE_MONOTONIC: "1"
      },
      step: (millis) =>
        Effect.orDie(
          Effect.zipRight(
            Effect.sync(() => void (passed += millis)),
            set
          )
        ),
      // Named by process id; a later process of that id would not start.
      cleanUp: (pid) =>
        Effect.forEach(
          [`/dev/shm/faketime_shm_${pid}`, `/dev/shm/sem.faketime_sem_${pid}`],
          (leftover) => Effect.ignore(fs.remove(leftover)),
          { discard: true }
        )
    }
    return clock
  })

const running = (passed: number): string => `+${passed / 1000}`

// Half a microsecond more than it should be: what libfaketime parses as a double it cuts off, and
// 0.123 would become 0.122999.
const frozen = (passed: number): string => {
  const now = frozenAt + passed
  const fraction = String(now % 1000).padStart(3, "0")
  return `${Math.floor(now / 1000)}.${fraction}0005`
}
