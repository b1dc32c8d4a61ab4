/** How long things live, by the server's clock: entries, leases, the memory of an ended lease. */
import * as Effect from "effect/Effect"
import type { BackendError } from "../../../port/CacheBackend.js"
import { now } from "../../../port/monotonic.js"
import { eventually, expectEqual, expectThat, type Nonconformity } from "../expectation.js"
import type { Group } from "../register.js"
import {
  ask,
  contentOf,
  entry,
  expectHolder,
  expectStored,
  granted,
  held,
  long,
  reading,
  replyOf,
  type Subject,
  take
} from "./subject.js"

/** A life short enough to wait for, which the backend can still give. */
const shortLife = ({ backend }: Subject): number =>
  Math.max(200, 2 * backend.capabilities.shortestTtl)

/** What has `life` milliseconds is there meanwhile (unless the test itself was late), then gone. */
const outlive = <A, E>(
  life: number,
  begin: Effect.Effect<A, E>,
  isThere: (begun: A) => Effect.Effect<void, E>,
  isGone: (begun: A) => Effect.Effect<void, E>
): Effect.Effect<void, E> =>
  Effect.gen(function* () {
    const from = yield* now
    const begun = yield* begin
    const early = yield* Effect.either(isThere(begun))
    const till = yield* now
    if (till - from < life) yield* early
    yield* eventually(isGone(begun), life - (till - from))
  })

const keepsFor = "keepFor is how long the entry stays, in milliseconds, then it is gone by itself"
const keepsAny = "keepFor may be Infinity, a fraction, or more than 2^31 milliseconds"
const runsOut =
  "a lease runs out by itself, after the duration given with its grant or last renewal, unannounced"
const remembers =
  "the token of a lease that was released or revoked is remembered for one lease duration"
const byServer =
  "serverTime reckons the server's clock from the monotonic one: at the same pace, near enough"

const expectGone = (subject: Subject, key: string) => expectStored(subject, key, undefined)

export const lives: Group<Subject> = {
  name: "time",
  cases: [
    {
      name: "what is set is gone after keepFor",
      rule: keepsFor,
      run: (subject) => {
        const [life, key] = [shortLife(subject), subject.key()]
        return outlive(
          life,
          Effect.tap(entry(subject), (stored) => subject.backend.set(key, stored, life)),
          (stored) => expectStored(subject, key, stored, "before keepFor is over"),
          () => expectGone(subject, key)
        )
      }
    },
    {
      name: "what is committed is gone after keepFor, and its lease can be had",
      rule: keepsFor,
      run: (subject) => {
        const [life, key] = [shortLife(subject), subject.key()]
        return outlive<void, BackendError | Nonconformity>(
          life,
          Effect.gen(function* () {
            const [token, stored] = [yield* take(subject, key), yield* entry(subject)]
            yield* subject.backend.commit(key, token, stored, life)
          }),
          () => Effect.void,
          () =>
            Effect.zipRight(
              expectGone(subject, key),
              ask(subject, key, reading(subject.token()), granted())
            )
        )
      }
    },
    {
      name: "a life below a second is as short as that",
      rule: keepsFor,
      unless: ({ backend }) =>
        backend.capabilities.shortestTtl > 100
          ? `the shortest life is ${backend.capabilities.shortestTtl} ms`
          : undefined,
      run: (subject) =>
        Effect.gen(function* () {
          const key = subject.key()
          const stored = yield* entry(subject)
          yield* subject.backend.set(key, stored, 100)
          yield* Effect.sleep(400)
          yield* expectStored(subject, key, undefined, "400 ms after a set with keepFor 100")
        })
    },
    {
      name: "a life may be a fraction, beyond 2^31 ms, or without end",
      rule: keepsAny,
      run: (subject) =>
        Effect.gen(function* () {
          const { backend, key } = subject
          const lives = [30_000.5, 60_000.25, 2 ** 31 - 1, 2 ** 31 + 1, 2 ** 33, Infinity]
          const entries = yield* Effect.forEach(lives, (life) =>
            Effect.gen(function* () {
              const stored = yield* entry(subject, { expiresIn: life })
              yield* backend.set(key(`set ${life}`), stored, life)
              const token = yield* take(subject, key(`committed ${life}`))
              const isStored = yield* backend.commit(key(`committed ${life}`), token, stored, life)
              yield* expectEqual(`commit with keepFor ${life}`, isStored, true)
              return stored
            })
          )
          // A timer or a field that overflows ends such a life at once.
          yield* Effect.sleep(50)
          yield* Effect.forEach(lives, (life, index) =>
            Effect.all([
              expectStored(subject, key(`set ${life}`), entries[index], `set, keepFor ${life}`),
              expectStored(
                subject,
                key(`committed ${life}`),
                entries[index],
                `committed, keepFor ${life}`
              )
            ])
          )
        })
    },
    {
      name: "a later set decides how long",
      rule: keepsFor,
      run: (subject) =>
        Effect.gen(function* () {
          const { backend, key } = subject
          const life = shortLife(subject)
          const stored = yield* entry(subject)
          yield* backend.set(key("longer"), stored, life)
          yield* backend.set(key("longer"), stored, long)
          yield* backend.set(key("shorter"), stored, Infinity)
          yield* backend.set(key("shorter"), stored, life)
          yield* eventually(expectGone(subject, key("shorter")), life)
          yield* expectStored(subject, key("longer"), stored, "set again with a longer life")
        })
    },
    {
      name: "a stale entry stays as long as keepFor says",
      rule: "keepFor decides when an entry goes, not the expiry in its header: readers serve it stale",
      run: (subject) =>
        Effect.gen(function* () {
          const stored = yield* entry(subject, { expiresIn: -long })
          yield* subject.backend.set(subject.key(), stored, long)
          yield* expectStored(subject, subject.key(), stored)
        })
    },
    {
      name: "a lease runs out by itself, unannounced",
      rule: runsOut,
      run: (subject) => {
        const [life, key] = [shortLife(subject), subject.key()]
        return outlive(
          life,
          take(subject, key, life),
          (token) => ask(subject, key, reading(subject.token()), held(token)),
          () => ask(subject, key, reading(subject.token()), granted())
        )
      }
    },
    {
      name: "a lease that ran out commits nothing, and is neither renewed nor released",
      rule: runsOut,
      run: (subject) =>
        Effect.gen(function* () {
          const { backend, key } = subject
          const life = shortLife(subject)
          const token = yield* take(subject, key(), life)
          const stored = yield* entry(subject)
          yield* eventually(expectHolder(subject, key(), undefined), life)
          yield* expectEqual("commit", yield* backend.commit(key(), token, stored, long), false)
          yield* expectEqual("renew", yield* backend.renew(key(), token, long), false)
          yield* expectEqual("release", yield* backend.release(key(), token), false)
          yield* expectStored(subject, key(), undefined)
          yield* ask(subject, key(), reading(subject.token()), granted())
        })
    },
    {
      name: "a renewed lease lives on from then",
      rule: runsOut,
      run: (subject) =>
        Effect.gen(function* () {
          const { backend, key } = subject
          const life = shortLife(subject)
          const longer = yield* take(subject, key("longer"), life)
          const isOurs = yield* backend.renew(key("longer"), longer, long + 0.5)
          const shorter = yield* take(subject, key("shorter"), long)
          yield* backend.renew(key("shorter"), shorter, life)
          yield* eventually(expectHolder(subject, key("shorter"), undefined), life)
          if (isOurs) yield* expectHolder(subject, key("longer"), longer, "who renewed for longer")
        })
    },
    {
      name: "holder says for how much longer",
      rule: "holder gives the token, and how many milliseconds the lease still has",
      run: (subject) =>
        Effect.gen(function* () {
          const { backend, key } = subject
          const token = yield* take(subject, key(), 20_000.5)
          const holder = yield* backend.holder(key())
          yield* expectThat(
            "the holder of a lease of 20 s",
            holder._tag === "Some" &&
              holder.value.token === token &&
              holder.value.remaining > 10_000 &&
              holder.value.remaining <= 20_001,
            `${token}, with 10 to 20 s remaining`,
            holder
          )
        })
    },
    {
      name: "an ended token is remembered for a lease duration",
      rule: remembers,
      run: (subject) => {
        const [life, key] = [shortLife(subject), subject.key()]
        const { backend } = subject
        return outlive(
          life,
          Effect.tap(take(subject, key, life), (token) => backend.release(key, token)),
          (token) => probe(subject, key, token),
          () => probe(subject, key, undefined)
        )
      }
    },
    {
      name: "the server's time goes at the pace of the monotonic clock",
      rule: byServer,
      run: ({ backend }) =>
        Effect.gen(function* () {
          const monotonic = yield* now
          const passed = backend.serverTime(monotonic + 10_000) - backend.serverTime(monotonic)
          yield* expectThat("10 s later", Math.abs(passed - 10_000) < 100, "10 s", passed)
          let last = backend.serverTime(yield* now)
          for (let sample = 0; sample < 10; sample++) {
            yield* Effect.sleep(5)
            const next = backend.serverTime(yield* now)
            yield* expectThat("5 ms later", next > last, `more than ${last}`, next)
            last = next
          }
        })
    },
    {
      name: "the server finds fresh what serverTime says is fresh",
      rule: byServer,
      run: (subject) =>
        Effect.gen(function* () {
          const { backend, key, token } = subject
          const fresh = yield* entry(subject, { expiresIn: 4_000 })
          const stale = yield* entry(subject, { expiresIn: -500 })
          yield* backend.set(key("fresh"), fresh, long)
          yield* backend.set(key("stale"), stale, long)
          const replies = yield* Effect.forEach(["fresh", "stale"], (name) =>
            Effect.map(backend.lease(key(name), reading(token())), replyOf)
          )
          yield* expectEqual(
            "leases of an entry that expires in 4 s, and of one that expired 0.5 s ago",
            replies,
            [{ _tag: "Value", stored: contentOf(fresh) }, granted()]
          )
        })
    }
  ]
}

/** Takes the lease for a moment, to hear what is remembered. It runs out at once, and leaves no word. */
const probe = (subject: Subject, key: string, ended: string | undefined) =>
  Effect.zipRight(
    ask(subject, key, reading(subject.token(), 1), granted(ended)),
    eventually(expectHolder(subject, key, undefined))
  )
