/** `keys` and `clear`: all that begins with a text, nothing else, and no bookkeeping. */
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Fiber from "effect/Fiber"
import * as Stream from "effect/Stream"
import { eventually, expectEqual, expectThat } from "../expectation.js"
import { oddKeys } from "../oddKeys.js"
import type { Group } from "../register.js"
import {
  type BackendCase,
  entry,
  expectHolder,
  expectStored,
  getMany,
  long,
  type Subject,
  take
} from "./subject.js"

const lists =
  "keys gives the whole keys of live entries that begin with the text given, and no others"
const spares =
  "clear removes what begins with the text given, taken letter by letter, and nothing else"
const ordered =
  "clear deletes all leases it touches before the first value: the other way round, a commit in " +
  "between stores what is never deleted"

const put = (subject: Subject, keys: ReadonlyArray<string>, keepFor = long) =>
  Effect.forEach(
    keys,
    (key) => Effect.flatMap(entry(subject), (stored) => subject.backend.set(key, stored, keepFor)),
    { concurrency: 16, discard: true }
  )

const expectKeys = (
  { backend }: Subject,
  start: string,
  expected: ReadonlyArray<string>,
  what: string = `keys that begin with ${start}`
) =>
  Effect.flatMap(Stream.runCollect(backend.keys(start)), (found) =>
    // A key may come twice, in any order.
    expectEqual<ReadonlyArray<string>>(
      what,
      [...new Set(found)].toSorted(),
      [...expected].toSorted()
    )
  )

/** Which of these keys have an entry. */
const stillThere = (subject: Subject, keys: ReadonlyArray<string>) =>
  Effect.map(getMany(subject, keys), (found) =>
    keys.filter((_, index) => found[index] !== undefined)
  )

/** Clears what begins with `start`: `gone` has to go, `spared` has to stay. */
const expectCleared = (
  subject: Subject,
  start: string,
  gone: ReadonlyArray<string>,
  spared: ReadonlyArray<string>
) =>
  Effect.gen(function* () {
    const { backend, prefix } = subject
    yield* put(subject, [...gone, ...spared])
    yield* backend.clear(`${prefix}:${start}`)
    const what = `after clear of what begins with "${start}"`
    yield* expectEqual(`left ${what}`, yield* stillThere(subject, gone), [])
    yield* expectEqual(`spared ${what}`, yield* stillThere(subject, spared), [...spared])
  })

/**
 *     values first:  clear deletes value of k │ commit of k │ clear deletes lease of k
 *     and the commit's value is there for good.
 *
 * The commits run beside the clear, in the opposite order to that of the keys,
 * and slower from round to round: so some land in the first pass, between the
 * two on their key, in the second, and when all is over.
 */
const raceClear = (subject: Subject, pauses: number) =>
  Effect.gen(function* () {
    const { backend, key, prefix } = subject
    const start = `round${pauses}:`
    const keys = Array.from({ length: 120 }, (_, index) => key(`${start}${index}`))
    const stored = yield* entry(subject)
    const tokens = yield* Effect.forEach(keys, (of) => take(subject, of), { concurrency: 16 })
    const commits = keys.map((of, index) =>
      // A command's time, whatever that is here.
      Effect.repeatN(backend.getMany([of]), pauses).pipe(
        Effect.zipRight(backend.commit(of, tokens[index]!, stored, long))
      )
    )
    const committing = yield* Effect.fork(Effect.all(commits.toReversed(), { discard: true }))
    yield* backend.clear(`${prefix}:${start}`)
    yield* Fiber.join(committing)
    yield* expectEqual(
      "values of leases granted before the clear, after it and their commits",
      yield* stillThere(subject, keys),
      []
    )
  })

const listing: ReadonlyArray<BackendCase> = [
  {
    name: "keys gives all that begin with a text, and no neighbours",
    rule: lists,
    run: (subject) =>
      Effect.gen(function* () {
        const { key, keyOfNeighbour, neighbour, prefix } = subject
        const users = Array.from({ length: 300 }, (_, index) => key(`user:${index}`))
        const others = [key("user2:1"), key("user"), key("use"), key("u*er:1")]
        const foreign = [keyOfNeighbour("user:1")]
        yield* put(subject, [...users, ...others, ...foreign])
        yield* expectKeys(subject, `${prefix}:user:`, users)
        yield* expectKeys(subject, `${prefix}:`, [...users, ...others])
        yield* expectKeys(subject, `${prefix}:u*er:`, [key("u*er:1")])
        yield* expectKeys(subject, `${neighbour}:`, foreign)
        yield* expectKeys(subject, `${prefix}:nothing:`, [])
      })
  },
  {
    name: "keys gives any key as it was",
    rule: lists,
    run: (subject) =>
      Effect.gen(function* () {
        const keys = Object.values(oddKeys).map((userKey) => subject.key(userKey))
        yield* put(subject, keys)
        const found = yield* Stream.runCollect(subject.backend.keys(`${subject.prefix}:`))
        const names = Object.entries(oddKeys)
        const named = [...new Set(found)].map(
          (found) => names.find(([, userKey]) => subject.key(userKey) === found)?.[0] ?? found
        )
        yield* expectEqual("odd keys", named.toSorted(), names.map(([name]) => name).toSorted())
      })
  },
  {
    name: "keys lists no bookkeeping, and nothing that has gone",
    rule: lists,
    run: (subject) =>
      Effect.gen(function* () {
        const { backend, key, prefix } = subject
        yield* put(subject, [key("live"), key("invalidated")])
        yield* backend.set(key("stale"), yield* entry(subject, { expiresIn: -1_000 }), long)
        yield* put(subject, [key("run out")], Math.max(50, 2 * backend.capabilities.shortestTtl))
        yield* backend.invalidate(key("invalidated"))
        yield* take(subject, key("leased"))
        yield* take(subject, key("stale"))
        const released = yield* take(subject, key("released"))
        yield* backend.release(key("released"), released)
        yield* eventually(expectStored(subject, key("run out"), undefined), 50)
        yield* expectKeys(subject, `${prefix}:`, [key("live"), key("stale")])
      })
  }
]

const clearing: ReadonlyArray<BackendCase> = [
  {
    name: "clear removes all of a prefix, and nothing of one that begins like it",
    rule: spares,
    run: (subject) =>
      Effect.gen(function* () {
        const { key, keyOfNeighbour } = subject
        const own = Array.from({ length: 300 }, (_, index) => key(`many:${index}`))
        const odd = Object.values(oddKeys).map((userKey) => key(userKey))
        const foreign = ["", "many:1", "user:1"].map(keyOfNeighbour)
        yield* expectCleared(subject, "", [...own, ...odd], foreign)
      })
  },
  {
    name: "clear of a region spares other regions",
    rule: spares,
    run: (subject) =>
      expectCleared(
        subject,
        "user:",
        ["user:", "user:1", "user:1:posts", "user:*"].map(subject.key),
        ["user", "user2:1", "users:1", "use:1", "1:user:1", "User:1", "*"].map(subject.key)
      )
  },
  {
    name: "clear takes glob characters for what they are",
    rule: spares,
    run: (subject) =>
      Effect.gen(function* () {
        const { key } = subject
        yield* expectCleared(subject, "a*:", [key("a*:1")], ["ab:1", "a:1", "a*"].map(key))
        yield* expectCleared(subject, "a?:", [key("a?:1")], ["ab:1", "a:1"].map(key))
        yield* expectCleared(subject, "[ab]:", [key("[ab]:1")], ["a:1", "b:1"].map(key))
        yield* expectCleared(subject, "[^a]:", [key("[^a]:1")], ["b:1", "^:1"].map(key))
        yield* expectCleared(subject, "\\a:", [key("\\a:1")], ["a:1", "\\:1"].map(key))
        yield* expectCleared(subject, "{a}:", [key("{a}:1")], ["a:1", "{b}:1"].map(key))
      })
  },
  {
    name: "clear revokes the leases of what it clears, and no others",
    rule: spares,
    run: (subject) =>
      Effect.gen(function* () {
        const { backend, key, keyOfNeighbour, prefix } = subject
        const stored = yield* entry(subject)
        const [gone, spared, foreign] = [key("user:1"), key("user2:1"), keyOfNeighbour("user:1")]
        const stale = key("user:stale")
        yield* backend.set(stale, yield* entry(subject, { expiresIn: -1_000 }), long)
        const tokens = yield* Effect.forEach([gone, stale], (of) => take(subject, of))
        const others = yield* Effect.forEach([spared, foreign], (of) => take(subject, of))
        yield* backend.clear(`${prefix}:user:`)
        yield* Effect.forEach([gone, stale], (of, index) =>
          Effect.gen(function* () {
            yield* expectHolder(subject, of, undefined, "the holder of what was cleared")
            const isStored = yield* backend.commit(of, tokens[index]!, stored, long)
            yield* expectEqual("a commit after the clear", isStored, false)
            yield* expectStored(subject, of, undefined)
          })
        )
        yield* expectHolder(subject, spared, others[0], "the holder in a region not cleared")
        yield* expectHolder(subject, foreign, others[1], "the holder under another prefix")
      })
  },
  {
    name: "clear leaves no value of a lease that was granted before it",
    rule: ordered,
    run: (subject) => Effect.forEach([0, 1, 3], (pauses) => raceClear(subject, pauses))
  }
]

const scanning = ({ backend }: Subject): string | undefined =>
  backend.capabilities.scan ? undefined : `${backend.name} cannot scan`

export const scans: Group<Subject> = {
  name: "keys and clear",
  cases: [
    ...[...listing, ...clearing].map((one) => ({ ...one, unless: scanning })),
    {
      name: "a backend that cannot scan refuses to clear",
      rule: "without `scan` among its capabilities, clear fails with Refused",
      unless: ({ backend }) => (backend.capabilities.scan ? `${backend.name} can scan` : undefined),
      run: ({ backend, prefix }) =>
        Effect.flatMap(Effect.either(backend.clear(`${prefix}:`)), (outcome) =>
          expectThat(
            "clear",
            Either.isLeft(outcome) && outcome.left.reason === "Refused",
            "to fail with Refused",
            outcome
          )
        )
    }
  ]
}
