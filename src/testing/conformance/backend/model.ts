/**
 * The backend against the pure transitions of `policy/lease.ts`: whatever is
 * asked of it, in whatever order, it answers as they do.
 *
 * One command after the other, and nothing near its end: entries expired long
 * ago or will in minutes, so that no clock decides. What goes on at once, and
 * what runs out, is for the other groups.
 */
import * as Effect from "effect/Effect"
import * as FastCheck from "effect/FastCheck"
import * as Option from "effect/Option"
import * as Runtime from "effect/Runtime"
import * as Envelope from "../../../policy/envelope.js"
import * as Lease from "../../../policy/lease.js"
import type { BackendError } from "../../../port/CacheBackend.js"
import { now } from "../../../port/monotonic.js"
import { expectEqual, type Nonconformity } from "../expectation.js"
import type { Group } from "../register.js"
import { contentOf, entry, replyOf, type Subject } from "./subject.js"

/** Nothing runs out while a sequence lasts. */
const ages = 600_000

interface Model {
  readonly cells: Map<string, Lease.Cell>
  /** Of all entries ever made. */
  readonly headers: Array<string>
}

interface Real {
  readonly subject: Subject
  /** Makes names of keys and tokens this sequence's own. */
  readonly own: (name: string) => string
  readonly run: (check: Effect.Effect<void, BackendError | Nonconformity>) => Promise<void>
}

/** Which header: of the entry that is there, of one made before, or of none ever made. */
type Which = "current" | "older" | "unknown"

type Operation =
  | { readonly command: "read"; readonly reject?: Which }
  | { readonly command: "refresh"; readonly seen: Which }
  | { readonly command: "commit" | "set"; readonly isStale: boolean; readonly isBytes: boolean }
  | { readonly command: "replace" | "renew" | "release" | "invalidate" }

const which = FastCheck.constantFrom<Array<Which>>("current", "older", "unknown")
const contents = { isStale: FastCheck.boolean(), isBytes: FastCheck.boolean() }

const operation = FastCheck.oneof<Array<FastCheck.Arbitrary<Operation>>>(
  FastCheck.constant({ command: "read" as const }),
  FastCheck.record({ command: FastCheck.constant("read" as const), reject: which }),
  FastCheck.record({ command: FastCheck.constant("refresh" as const), seen: which }),
  FastCheck.record({ command: FastCheck.constantFrom("commit", "set"), ...contents }),
  FastCheck.record({
    command: FastCheck.constantFrom("replace", "renew", "release", "invalidate")
  })
)

/** What a command does to the model, and how the backend is told to do the same. */
interface Both {
  readonly transition: (cell: Lease.Cell, now: number) => Lease.Step<unknown>
  readonly command: Effect.Effect<unknown, BackendError>
}

const both = (
  model: Model,
  subject: Subject,
  key: string,
  token: string,
  operation: Operation
): Effect.Effect<Both> => {
  const { backend } = subject
  const request = { token, duration: ages }
  switch (operation.command) {
    case "read": {
      const reject = operation.reject && headerOf(model, key, operation.reject)
      return Effect.succeed(leasing(subject, key, { ...request, intent: "read", reject }))
    }
    case "refresh": {
      const seen = headerOf(model, key, operation.seen)
      return Effect.succeed(leasing(subject, key, { ...request, intent: "refresh", seen }))
    }
    case "replace":
      return Effect.succeed(leasing(subject, key, { ...request, intent: "replace" }))
    case "commit":
      return Effect.map(make(model, subject, operation), (stored) => ({
        transition: (cell, now) => Lease.commit(cell, now, token, stored, ages),
        command: backend.commit(key, token, stored, ages)
      }))
    case "set":
      return Effect.map(make(model, subject, operation), (stored) => ({
        transition: (cell, now) => Lease.set(cell, now, stored, ages),
        command: Effect.asVoid(backend.set(key, stored, ages))
      }))
    case "renew":
      return Effect.succeed({
        transition: (cell, now) => Lease.renew(cell, now, token, ages),
        command: backend.renew(key, token, ages)
      })
    case "release":
      return Effect.succeed({
        transition: (cell, now) => Lease.release(cell, now, token),
        command: backend.release(key, token)
      })
    case "invalidate":
      return Effect.succeed({ transition: Lease.invalidate, command: backend.invalidate(key) })
  }
}

const headerOf = (model: Model, key: string, of: Which): string => {
  const current = model.cells.get(key)?.value?.stored
  const header = current && of === "current" ? Envelope.headerText(current) : undefined
  return header ?? (of === "older" ? model.headers.at(-2) : undefined) ?? "no header"
}

const leasing = ({ backend }: Subject, key: string, request: Lease.LeaseRequest): Both => ({
  transition: (cell, now) => {
    const step = Lease.lease(cell, now, request)
    return { ...step, reply: replyOf(step.reply) }
  },
  command: Effect.map(backend.lease(key, request), replyOf)
})

const make = (
  model: Model,
  subject: Subject,
  { isBytes, isStale }: Extract<Operation, { command: "commit" | "set" }>
): Effect.Effect<Envelope.Encoded> => {
  const payload =
    isBytes && subject.backend.capabilities.bytes ? Uint8Array.of(1, 0, 255) : '"text"'
  return Effect.tap(entry(subject, { payload, expiresIn: isStale ? -ages : ages }), (stored) =>
    Effect.sync(() => model.headers.push(Envelope.headerText(stored) ?? ""))
  )
}

class Command implements FastCheck.AsyncCommand<Model, Real> {
  constructor(
    private readonly operation: Operation,
    private readonly key: string,
    private readonly token: string
  ) {}

  check(): boolean {
    return true
  }

  toString(): string {
    const { command, ...options } = this.operation
    const given = Object.keys(options).length === 0 ? "" : ` ${JSON.stringify(options)}`
    return `${command} ${this.key} by ${this.token}${given}`
  }

  run(model: Model, { own, run, subject }: Real): Promise<void> {
    const { backend } = subject
    const key = subject.key(own(this.key))
    return run(
      Effect.gen(this, function* () {
        const { command, transition } = yield* both(
          model,
          subject,
          key,
          own(this.token),
          this.operation
        )
        const reply = yield* command
        const step = transition(model.cells.get(key) ?? {}, backend.serverTime(yield* now))
        model.cells.set(key, step.cell)
        yield* expectEqual(`the reply to: ${this.toString()}`, reply, step.reply)
        const [stored] = yield* backend.getMany([key])
        const holder = yield* backend.holder(key)
        yield* expectEqual(
          `entry and holder after: ${this.toString()}`,
          { entry: contentOf(stored), holder: Option.getOrUndefined(holder)?.token },
          { entry: contentOf(step.cell.value?.stored), holder: step.cell.lease?.token }
        )
      })
    )
  }
}

const command = FastCheck.tuple(
  operation,
  FastCheck.constantFrom("k1", "k2"),
  FastCheck.constantFrom("t1", "t2", "t3")
).map(([operation, key, token]) => new Command(operation, key, token))

/** What is left of the time limit of a test, for a server that is not next door. */
const runFor = 3_000

/** Throws the shortest sequence that fails, with its seed and path. */
const check = (subject: Subject, seed: number | undefined) =>
  Effect.flatMap(Effect.runtime<never>(), (runtime) => {
    let sequences = 0
    const property = FastCheck.asyncProperty(
      FastCheck.commands([command], { maxCommands: 30, size: "max" }),
      (commands) => {
        const sequence = ++sequences
        return FastCheck.asyncModelRun(
          () => ({
            model: { cells: new Map(), headers: [] },
            real: {
              subject,
              own: (name) => `${sequence}.${name}`,
              run: (check) => Runtime.runPromise(runtime)(check)
            }
          }),
          commands
        )
      }
    )
    return Effect.promise(() =>
      FastCheck.assert(property, {
        numRuns: 60,
        interruptAfterTimeLimit: runFor,
        ...(seed !== undefined && { seed })
      })
    )
  })

/** `seed` repeats the sequences of a run that failed, which has printed it. */
export const model = (seed: number | undefined): Group<Subject> => ({
  name: "model",
  cases: [
    {
      name: "answers as the pure transitions do, whatever comes in whatever order",
      rule: "lease, renew, commit, release, set and invalidate are the transitions of policy/lease.ts",
      run: (subject) => check(subject, seed)
    }
  ]
})
