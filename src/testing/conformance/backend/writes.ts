/** Writes overtake what is being rebuilt: what was set or invalidated meanwhile wins. */
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type { BackendError } from "../../../port/CacheBackend.js"
import { expectEqual } from "../expectation.js"
import type { Group } from "../register.js"
import {
  ask,
  contentOf,
  entry,
  expectHolder,
  expectStored,
  getMany,
  granted,
  long,
  reading,
  type Subject,
  take
} from "./subject.js"

const revokes =
  "set, invalidate and clear revoke the lease of what they touch, in the same step: the commit of " +
  "whoever held it is refused"
const answers =
  "invalidate says whether an entry was there; one that is stale counts, a lease does not"
const oneStep =
  "commit, set and invalidate are each one step: between compare and store nothing comes"

const outlasts =
  "an invalidation that is confirmed outlasts every set that was begun before it, also one whose " +
  "caller has left"

/** After it, the rebuild that was under way has no rights any more. */
const expectRevoked = (subject: Subject, key: string, token: string, what: string) =>
  Effect.gen(function* () {
    const { backend } = subject
    const late = yield* entry(subject)
    yield* expectHolder(subject, key, undefined, `the holder after ${what}`)
    const renewed = yield* backend.renew(key, token, long)
    yield* expectEqual(`renew after ${what}`, renewed, false)
    const committed = yield* backend.commit(key, token, late, long)
    yield* expectEqual(`commit after ${what}`, committed, false)
    const released = yield* backend.release(key, token)
    yield* expectEqual(`release after ${what}`, released, false)
  })

/** Each write runs beside a commit, on many keys; gives what is there in the end. */
const race = (subject: Subject, write: (key: string) => Effect.Effect<unknown, BackendError>) =>
  Effect.gen(function* () {
    const { backend } = subject
    const keys = Array.from({ length: 60 }, (_, index) => subject.key(`race:${index}`))
    const tokens = yield* Effect.forEach(keys, (key) => take(subject, key), { concurrency: 16 })
    const late = yield* entry(subject)
    const commands = keys.flatMap((key, index) => {
      const commit = backend.commit(key, tokens[index]!, late, long)
      return index % 2 === 0 ? [commit, write(key)] : [write(key), commit]
    })
    yield* Effect.all(commands, { concurrency: "unbounded", discard: true })
    return (yield* getMany(subject, keys)).map(contentOf)
  })

export const writes: Group<Subject> = {
  name: "writes",
  cases: [
    {
      name: "set stores, and revokes the lease",
      rule: revokes,
      run: (subject) =>
        Effect.gen(function* () {
          const { backend, key, token } = subject
          const own = yield* take(subject, key())
          const [first, second] = [yield* entry(subject), yield* entry(subject)]
          yield* backend.set(key(), first, long)
          yield* expectRevoked(subject, key(), own, "set")
          yield* expectStored(subject, key(), first, "what is stored after set")
          yield* backend.set(key(), second, long)
          yield* expectStored(subject, key(), second, "what is stored after the second set")
          yield* backend.invalidate(key())
          yield* ask(subject, key(), reading(token()), granted(own), "who asks after set")
        })
    },
    {
      name: "invalidate removes, and revokes the lease",
      rule: revokes,
      run: (subject) =>
        Effect.gen(function* () {
          const { backend, key, token } = subject
          yield* backend.set(key(), yield* entry(subject, { expiresIn: -1_000 }), long)
          const own = yield* take(subject, key())
          yield* backend.invalidate(key())
          yield* expectRevoked(subject, key(), own, "invalidate")
          yield* expectStored(subject, key(), undefined, "what is stored after invalidate")
          yield* ask(subject, key(), reading(token()), granted(own), "who asks after invalidate")
        })
    },
    {
      name: "invalidate answers whether an entry was there",
      rule: answers,
      run: (subject) =>
        Effect.gen(function* () {
          const { backend, key } = subject
          const invalidate = backend.invalidate(key())
          yield* expectEqual("of nothing", yield* invalidate, false)
          yield* backend.set(key(), yield* entry(subject), long)
          yield* expectEqual("of a fresh entry", yield* invalidate, true)
          yield* expectEqual("of the same, a second time", yield* invalidate, false)
          yield* backend.set(key(), yield* entry(subject, { expiresIn: -1_000 }), long)
          yield* expectEqual("of a stale entry", yield* invalidate, true)
          yield* take(subject, key())
          yield* expectEqual("of a lease alone", yield* invalidate, false)
        })
    },
    {
      name: "invalidate outlasts a set whose caller has left",
      rule: outlasts,
      run: (subject) =>
        Effect.gen(function* () {
          const { backend } = subject
          const keys = Array.from({ length: 60 }, (_, index) => subject.key(`left:${index}`))
          const set = yield* entry(subject)
          yield* Effect.forEach(
            keys,
            (key, index) =>
              Effect.gen(function* () {
                const setting = yield* Effect.fork(backend.set(key, set, long))
                // Some leave before it is sent, and some when it has been executed.
                yield* Effect.repeatN(Effect.yieldNow(), index % 6)
                yield* Fiber.interrupt(setting)
                yield* backend.invalidate(key)
              }),
            { concurrency: 16, discard: true }
          )
          // What comes after it would be behind what went before.
          yield* Effect.forEach(keys, backend.holder, { concurrency: 16, discard: true })
          const left = yield* getMany(subject, keys)
          yield* expectEqual(
            "what is stored after set, left by its caller, and invalidate, on 60 keys",
            left,
            left.map(() => undefined)
          )
        })
    },
    {
      name: "a write touches no other key",
      rule: revokes,
      run: (subject) =>
        Effect.gen(function* () {
          const { backend, key, keyOfNeighbour } = subject
          const others = [key("a:b"), key("ab"), key(""), keyOfNeighbour("a")]
          const stored = yield* entry(subject, { expiresIn: -1_000 })
          const tokens = yield* Effect.forEach(others, (other) =>
            Effect.zipRight(backend.set(other, stored, long), take(subject, other))
          )
          yield* backend.set(key("a"), stored, long)
          yield* backend.invalidate(key("a"))
          yield* Effect.forEach(others, (other, index) =>
            Effect.zipRight(
              expectStored(subject, other, stored, `${other}, after writes to ${key("a")}`),
              expectHolder(subject, other, tokens[index], `the holder of ${other}`)
            )
          )
        })
    },
    {
      name: "a commit never comes back after an invalidation beside it",
      rule: oneStep,
      run: (subject) =>
        Effect.gen(function* () {
          const left = yield* race(subject, subject.backend.invalidate)
          yield* expectEqual(
            "what is stored after commit and invalidate at once, on 60 keys",
            left,
            left.map(() => undefined)
          )
        })
    },
    {
      name: "a commit never overwrites what is set beside it",
      rule: oneStep,
      run: (subject) =>
        Effect.gen(function* () {
          const set = yield* entry(subject)
          const left = yield* race(subject, (key) => subject.backend.set(key, set, long))
          yield* expectEqual(
            "what is stored after commit and set at once, on 60 keys",
            left,
            left.map(() => contentOf(set))
          )
        })
    }
  ]
}
