/** Pushes: who waits hears of the end of a lease, everybody of a write, nobody of what is foreign. */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Runtime from "effect/Runtime"
import * as Scope from "effect/Scope"
import type { Push, Signal } from "../../../port/CacheBackend.js"
import { eventually, expectEqual, expectThat } from "../expectation.js"
import type { Group } from "../register.js"
import {
  ask,
  type BackendCase,
  contentOf,
  entry,
  getMany,
  granted,
  held,
  long,
  reading,
  type Subject,
  take
} from "./subject.js"

const awaited =
  "the end of a lease is pushed if a read was told that it is held: stored, or else ended"
const unawaited =
  "a commit or release that nobody was told to wait for is not pushed: it saves a message"
const written =
  "set and invalidate are always pushed, with the token they revoked or the empty string"
const cleared = "clear is pushed once, when its last pass is over: whoever looks then finds nothing"
const foreign = "a subscription hears of keys whose prefix is the one given, to the letter"
const ends = "a subscription ends with its scope"

/** Subscribes, and waits until that is confirmed. */
const listen = ({ backend }: Subject, prefix: string, onSignal?: (signal: Signal) => void) =>
  Effect.gen(function* () {
    const signals: Array<Signal> = []
    yield* backend.subscribe(prefix, (signal) => {
      signals.push(signal)
      onSignal?.(signal)
    })
    const isConfirmed = Effect.suspend(() =>
      expectThat(
        "the subscription's first signal",
        signals[0]?._tag === "Subscribed",
        "Subscribed",
        signals
      )
    )
    yield* eventually(isConfirmed)
    return (key: string): ReadonlyArray<Push> =>
      signals.filter((signal) => signal._tag === "Push").filter((push) => push.key === key)
  })

type Heard = (key: string) => ReadonlyArray<Push>

type Told = Pick<Push, "reason" | "token">

const toldOf = (heard: Heard, key: string): ReadonlyArray<Told> =>
  heard(key).map(({ reason, token }) => ({ reason, token }))

const expectPushes = (heard: Heard, key: string, expected: ReadonlyArray<Told>, what: string) =>
  eventually(Effect.suspend(() => expectEqual(what, toldOf(heard, key), expected)))

/** To be asked once all has been heard. */
const expectSilence = (heard: Heard, key: string, what: string) =>
  Effect.suspend(() => expectEqual(what, toldOf(heard, key), []))

/** Until what has been pushed so far has come: pushes come in the order they were sent, more or less. */
const allHeard = ({ backend, key }: Subject, heard: Heard) =>
  Effect.gen(function* () {
    yield* backend.invalidate(key("sentinel"))
    const isHeard = Effect.suspend(() =>
      expectThat("the push of an invalidation", heard(key("sentinel")).length > 0, "to come", [])
    )
    yield* eventually(isHeard)
    yield* Effect.sleep(30)
  })

/** Someone is told to wait for the lease. */
const wait = (subject: Subject, key: string, token: string) =>
  ask(subject, key, reading(subject.token()), held(token), "the one who waits")

const cases: ReadonlyArray<BackendCase> = [
  {
    name: "who waits for a lease hears that it was stored",
    rule: awaited,
    run: (subject) =>
      Effect.gen(function* () {
        const { backend, key, prefix } = subject
        const heard = yield* listen(subject, prefix)
        const token = yield* take(subject, key())
        yield* wait(subject, key(), token)
        yield* backend.renew(key(), token, long)
        yield* backend.commit(key(), token, yield* entry(subject), long)
        yield* expectPushes(heard, key(), [{ reason: "stored", token }], "after an awaited commit")
      })
  },
  {
    name: "who waits for a lease hears that it ended without a value",
    rule: awaited,
    run: (subject) =>
      Effect.gen(function* () {
        const { backend, key, prefix, token } = subject
        const heard = yield* listen(subject, prefix)
        const released = yield* take(subject, key("released"))
        yield* wait(subject, key("released"), released)
        yield* backend.release(key("released"), released)
        const ended = [{ reason: "ended", token: released }] as const
        yield* expectPushes(heard, key("released"), ended, "after an awaited release")
        const replaced = yield* take(subject, key("replaced"))
        yield* wait(subject, key("replaced"), replaced)
        const replace = { intent: "replace", token: token(), duration: long } as const
        yield* ask(subject, key("replaced"), replace, granted(replaced))
        const taken = [{ reason: "ended", token: replaced }] as const
        yield* expectPushes(heard, key("replaced"), taken, "after an awaited lease was replaced")
      })
  },
  {
    name: "nobody hears of a lease that nobody waits for",
    rule: unawaited,
    run: (subject) =>
      Effect.gen(function* () {
        const { backend, key, prefix } = subject
        const heard = yield* listen(subject, prefix)
        const committed = yield* take(subject, key("committed"))
        yield* backend.commit(key("committed"), committed, yield* entry(subject), long)
        const released = yield* take(subject, key("released"))
        yield* backend.release(key("released"), released)
        yield* allHeard(subject, heard)
        yield* expectSilence(heard, key("committed"), "after a commit nobody waits for")
        yield* expectSilence(heard, key("released"), "after a release nobody waits for")
      })
  },
  {
    name: "what is refused is not pushed",
    rule: awaited,
    run: (subject) =>
      Effect.gen(function* () {
        const { backend, key, prefix, token } = subject
        const heard = yield* listen(subject, prefix)
        yield* wait(subject, key(), yield* take(subject, key()))
        yield* backend.commit(key(), token(), yield* entry(subject), long)
        yield* backend.release(key(), token())
        yield* backend.renew(key(), token(), long)
        yield* allHeard(subject, heard)
        yield* expectSilence(heard, key(), "after commands under a foreign token")
      })
  },
  {
    name: "everybody hears of a write, and which lease it revoked",
    rule: written,
    run: (subject) =>
      Effect.gen(function* () {
        const { backend, key, prefix } = subject
        const [heard, alsoHeard] = [yield* listen(subject, prefix), yield* listen(subject, prefix)]
        const stored = yield* entry(subject)
        const [set, invalidated] = [
          yield* take(subject, key("set")),
          yield* take(subject, key("inv"))
        ]
        yield* wait(subject, key("inv"), invalidated)
        yield* backend.set(key("set"), stored, long)
        yield* backend.invalidate(key("inv"))
        yield* backend.set(key("plain"), stored, long)
        yield* backend.invalidate(key("plain"))
        for (const each of [heard, alsoHeard]) {
          const revoked = { reason: "written" } as const
          yield* expectPushes(each, key("set"), [{ ...revoked, token: set }], "after set")
          yield* expectPushes(
            each,
            key("inv"),
            [{ ...revoked, token: invalidated }],
            "after invalidate"
          )
          const twice = [revoked, revoked].map((push) => ({ ...push, token: "" }))
          yield* expectPushes(each, key("plain"), twice, "after set and invalidate with no lease")
        }
      })
  },
  {
    // L1s empty themselves on hearing it: what they then read must be gone.
    name: "a clear is heard when all is gone",
    rule: cleared,
    run: (subject) =>
      Effect.gen(function* () {
        const { backend, key, prefix } = subject
        const keys = Array.from({ length: 150 }, (_, index) => key(`user:${index}`))
        const start = `${prefix}:user:`
        const runtime = yield* Effect.runtime<never>()
        const found: Array<ReadonlyArray<unknown>> = []
        const look = Effect.map(getMany(subject, keys), (stored) => {
          found.push(stored.map(contentOf).filter((content) => content !== undefined))
        })
        const heard = yield* listen(subject, prefix, (signal) => {
          if (signal._tag === "Push" && signal.reason === "cleared") Runtime.runFork(runtime)(look)
        })
        const stored = yield* entry(subject)
        yield* Effect.forEach(keys, (of) => backend.set(of, stored, long), { concurrency: 16 })
        yield* backend.clear(start)
        yield* expectPushes(heard, start, [{ reason: "cleared", token: "" }], "after clear")
        yield* eventually(
          Effect.suspend(() => expectEqual("entries found on hearing of the clear", found, [[]]))
        )
      }),
    unless: ({ backend }) => (backend.capabilities.scan ? undefined : `${backend.name} cannot scan`)
  },
  {
    name: "nobody hears what happens under another prefix",
    rule: foreign,
    run: (subject) =>
      Effect.gen(function* () {
        const { backend, key, keyOfNeighbour, neighbour, prefix } = subject
        const heard = yield* listen(subject, prefix)
        const heardNext = yield* listen(subject, neighbour)
        const shorter = yield* listen(subject, prefix.slice(0, -1))
        const theirs = keyOfNeighbour("key")
        yield* backend.set(theirs, yield* entry(subject), long)
        yield* expectPushes(
          heardNext,
          theirs,
          [{ reason: "written", token: "" }],
          "their own write"
        )
        yield* allHeard(subject, heard)
        yield* expectSilence(heard, theirs, `what ${prefix} hears of ${theirs}`)
        const sentinel = key("sentinel")
        yield* expectSilence(heardNext, sentinel, `what ${neighbour} hears of ${sentinel}`)
        yield* expectSilence(shorter, sentinel, `what a shorter prefix hears of ${sentinel}`)
      })
  },
  {
    name: "a subscription ends with its scope, and others go on",
    rule: ends,
    run: (subject) =>
      Effect.gen(function* () {
        const { backend, key, prefix } = subject
        const scope = yield* Scope.make()
        const ended = yield* Scope.extend(listen(subject, prefix), scope)
        const heard = yield* listen(subject, prefix)
        yield* Scope.close(scope, Exit.void)
        yield* backend.invalidate(key("after"))
        yield* allHeard(subject, heard)
        const push = [{ reason: "written", token: "" }] as const
        yield* expectPushes(heard, key("after"), push, "what the other hears")
        yield* expectSilence(ended, key("after"), "what is heard after the scope has closed")
      })
  }
]

export const pushes: Group<Subject> = {
  name: "pushes",
  cases: cases.map((one) => ({
    ...one,
    unless: (subject) =>
      subject.backend.capabilities.pushes
        ? one.unless?.(subject)
        : `${subject.backend.name} has no pushes`
  }))
}
