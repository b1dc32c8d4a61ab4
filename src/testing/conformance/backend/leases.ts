/** The lease, one transition at a time: whoever breaks one is told which. */
import * as Effect from "effect/Effect"
import * as Envelope from "../../../policy/envelope.js"
import { expectEqual } from "../expectation.js"
import type { Group } from "../register.js"
import {
  ask,
  contentOf,
  declined,
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

const valueOf = (stored: Envelope.Encoded): object => ({ _tag: "Value", stored: contentOf(stored) })

const headerOf = (stored: Envelope.Encoded): string => Envelope.headerText(stored) ?? ""

/** Sets an entry of its own. */
const put = (subject: Subject, key: string, expiresIn = long) =>
  Effect.tap(entry(subject, { expiresIn }), (stored) => subject.backend.set(key, stored, long))

const readsAgain =
  "lease reads in the same step as it grants: with a fresh entry there, nobody is granted anything"
const oneHolder =
  "one step reads, and grants only if nobody holds the lease; others are told who does"
const byToken = "commit stores only if the lease is held under the token given, in the same step"
const oneCommit = "a token serves one attempt: commit gives the lease back"
const neverCreates = "renew prolongs the lease that is held under the token given; it creates none"
const compares =
  "release is a compare-and-delete: in one step, it ends the lease only if it is held under the " +
  "token given"
const rejects =
  "with `reject`, a fresh entry with that header counts as none; any other is handed over"
const refreshes =
  "intent refresh is granted only if nobody holds the lease and the entry is the one seen"
const replaces = "intent replace takes the lease from whoever holds it, and reads nothing"
const leavesWord = "a release, and whatever revokes a lease, leaves its token for the next to ask"

export const leases: Group<Subject> = {
  name: "leases",
  cases: [
    {
      name: "the lease of a key with no entry is granted",
      rule: oneHolder,
      run: (subject) =>
        Effect.gen(function* () {
          const key = subject.key()
          yield* expectHolder(subject, key, undefined, "the holder before anybody asked")
          const token = yield* take(subject, key)
          yield* expectHolder(subject, key, token)
          yield* expectStored(subject, key, undefined, "what a lease leaves at the value's key")
        })
    },
    {
      name: "a second asker is told who holds the lease",
      rule: oneHolder,
      run: (subject) =>
        Effect.gen(function* () {
          const { key, token } = subject
          const first = yield* take(subject, key())
          yield* ask(subject, key(), reading(token()), held(first), "the second to ask")
          yield* ask(subject, key(), reading(token()), held(first), "the third to ask")
          yield* expectHolder(subject, key(), first)
        })
    },
    {
      name: "of many who ask at once, one is granted the lease",
      rule: oneHolder,
      run: (subject) =>
        Effect.gen(function* () {
          const { backend, key, token } = subject
          const asked = Array.from({ length: 50 }, token)
          const replies = yield* Effect.forEach(
            asked,
            (own) => backend.lease(key(), reading(own)),
            { concurrency: "unbounded" }
          )
          const winners = asked.filter((_, index) => replies[index]?._tag === "Granted")
          yield* expectEqual("how many of 50 were granted the lease", winners.length, 1)
          yield* expectEqual(
            "what the others were told",
            replies.filter(({ _tag }) => _tag !== "Granted").map(replyOf),
            asked.slice(1).map(() => held(winners[0]!))
          )
          yield* expectHolder(subject, key(), winners[0])
        })
    },
    {
      name: "a fresh entry is handed over, and nothing is granted",
      rule: readsAgain,
      run: (subject) =>
        Effect.gen(function* () {
          const { key, token } = subject
          const stored = yield* put(subject, key())
          yield* ask(subject, key(), reading(token()), valueOf(stored))
          yield* expectHolder(subject, key(), undefined)
        })
    },
    {
      // A waits for the lease; B stores and gives it back; A asks.
      name: "a late leaseholder reads again",
      rule: readsAgain,
      run: (subject) =>
        Effect.gen(function* () {
          const { backend, key, token } = subject
          const late = token()
          const first = yield* take(subject, key())
          yield* ask(subject, key(), reading(late), held(first))
          const stored = yield* entry(subject)
          yield* expectEqual("commit", yield* backend.commit(key(), first, stored, long), true)
          yield* ask(subject, key(), reading(late), valueOf(stored), "who waited, after the commit")
          yield* expectHolder(subject, key(), undefined)
        })
    },
    {
      name: "a fresh entry is handed over while its refresh is under way",
      rule: readsAgain,
      run: (subject) =>
        Effect.gen(function* () {
          const { key, token } = subject
          const stored = yield* put(subject, key())
          const own = token()
          const refresh = { token: own, duration: long, intent: "refresh" } as const
          yield* ask(subject, key(), { ...refresh, seen: headerOf(stored) }, granted())
          yield* ask(subject, key(), reading(token()), valueOf(stored))
          yield* expectHolder(subject, key(), own)
        })
    },
    {
      name: "the lease of a stale entry is granted, and the entry stays",
      rule: readsAgain,
      run: (subject) =>
        Effect.gen(function* () {
          const { key } = subject
          const stored = yield* put(subject, key(), -1_000)
          yield* take(subject, key())
          yield* expectStored(subject, key(), stored)
        })
    },
    {
      name: "commit stores, and gives the lease back",
      rule: oneCommit,
      run: (subject) =>
        Effect.gen(function* () {
          const { backend, key } = subject
          const token = yield* take(subject, key())
          const [first, second] = [yield* entry(subject), yield* entry(subject)]
          yield* expectEqual("commit", yield* backend.commit(key(), token, first, long), true)
          yield* expectStored(subject, key(), first)
          yield* expectHolder(subject, key(), undefined, "the holder after the commit")
          const again = yield* backend.commit(key(), token, second, long)
          yield* expectEqual("a second commit under the same token", again, false)
          yield* expectStored(subject, key(), first, "what is stored after the second commit")
        })
    },
    {
      name: "a foreign token commits nothing",
      rule: byToken,
      run: (subject) =>
        Effect.gen(function* () {
          const { backend, key, token } = subject
          const mine = yield* take(subject, key())
          const stored = yield* entry(subject)
          const commit = (own: string) => backend.commit(key(), own, stored, long)
          yield* expectEqual("commit under another token", yield* commit(token()), false)
          yield* expectEqual("commit under an empty token", yield* commit(""), false)
          yield* expectStored(subject, key(), undefined)
          yield* expectHolder(subject, key(), mine)
          const unleased = yield* backend.commit(key("nobody's"), token(), stored, long)
          yield* expectEqual("commit where nobody holds a lease", unleased, false)
          yield* expectStored(subject, key("nobody's"), undefined)
        })
    },
    {
      name: "of commits at once under one token, one is accepted",
      rule: byToken,
      run: (subject) =>
        Effect.gen(function* () {
          const { backend, key } = subject
          const token = yield* take(subject, key())
          const entries = yield* Effect.replicateEffect(entry(subject), 10)
          const accepted = yield* Effect.filter(
            entries,
            (stored) => backend.commit(key(), token, stored, long),
            { concurrency: "unbounded" }
          )
          yield* expectEqual("how many of 10 were accepted", accepted.length, 1)
          yield* expectStored(subject, key(), accepted[0])
        })
    },
    {
      name: "renew prolongs our lease, and no other",
      rule: neverCreates,
      run: (subject) =>
        Effect.gen(function* () {
          const { backend, key, token } = subject
          const mine = yield* take(subject, key(), 20_000)
          const foreign = yield* backend.renew(key(), token(), 10 * long)
          yield* expectEqual("renew under another token", foreign, false)
          const remaining = Effect.map(backend.holder(key()), (holder) =>
            holder._tag === "Some" ? Math.ceil(holder.value.remaining / 20_000) : 0
          )
          yield* expectEqual("units of 20 s remaining after that", yield* remaining, 1)
          yield* expectEqual("renew", yield* backend.renew(key(), mine, 40_000), true)
          yield* expectEqual("units of 20 s remaining after that", yield* remaining, 2)
          yield* expectHolder(subject, key(), mine)
        })
    },
    {
      name: "renew creates no lease",
      rule: neverCreates,
      run: (subject) =>
        Effect.gen(function* () {
          const { backend, key, token } = subject
          const never = yield* backend.renew(key("never"), token(), long)
          yield* expectEqual("renew where nobody ever held a lease", never, false)
          yield* expectHolder(subject, key("never"), undefined)
          const own = yield* take(subject, key("ended"))
          yield* backend.release(key("ended"), own)
          const ended = yield* backend.renew(key("ended"), own, long)
          yield* expectEqual("renew after the release", ended, false)
          yield* expectHolder(subject, key("ended"), undefined)
          const other = yield* take(subject, key("committed"))
          yield* backend.commit(key("committed"), other, yield* entry(subject), long)
          const committed = yield* backend.renew(key("committed"), other, long)
          yield* expectEqual("renew after the commit", committed, false)
          yield* expectHolder(subject, key("committed"), undefined)
        })
    },
    {
      name: "release gives our lease back, and leaves the entry",
      rule: compares,
      run: (subject) =>
        Effect.gen(function* () {
          const { backend, key, token } = subject
          const stored = yield* put(subject, key(), -1_000)
          const own = yield* take(subject, key())
          yield* expectEqual("release", yield* backend.release(key(), own), true)
          yield* expectHolder(subject, key(), undefined)
          yield* expectStored(subject, key(), stored)
          yield* expectEqual("a second release", yield* backend.release(key(), own), false)
          yield* ask(subject, key(), reading(token()), granted(own))
        })
    },
    {
      // A's lease runs out and is granted to B; then A's release arrives.
      name: "a foreign token releases nothing",
      rule: compares,
      run: (subject) =>
        Effect.gen(function* () {
          const { backend, key, token } = subject
          const mine = yield* take(subject, key())
          const foreign = yield* backend.release(key(), token())
          yield* expectEqual("release under another token", foreign, false)
          yield* expectHolder(subject, key(), mine)
          const stored = yield* entry(subject)
          yield* expectEqual("commit", yield* backend.commit(key(), mine, stored, long), true)
          const unleased = yield* backend.release(key("nobody's"), token())
          yield* expectEqual("release where nobody holds a lease", unleased, false)
        })
    },
    {
      name: "an ended token is told to the next who asks, granted or not",
      rule: leavesWord,
      run: (subject) =>
        Effect.gen(function* () {
          const { backend, key, token } = subject
          const first = yield* take(subject, key())
          yield* backend.release(key(), first)
          const second = token()
          yield* ask(subject, key(), reading(second), granted(first))
          yield* ask(subject, key(), reading(token()), held(second, first))
          yield* backend.release(key(), second)
          yield* ask(subject, key(), reading(token()), granted(second), "after the second release")
        })
    },
    {
      name: "a commit is no end without a value",
      rule: "only what ends a lease without a usable value is remembered: a commit is not",
      run: (subject) =>
        Effect.gen(function* () {
          const { backend, key, token } = subject
          const own = yield* take(subject, key())
          const stored = yield* entry(subject, { expiresIn: -1_000 })
          yield* backend.commit(key(), own, stored, long)
          yield* ask(subject, key(), reading(token()), granted(), "after a commit that is stale")
        })
    },
    {
      name: "what the asker could not decode is replaced",
      rule: rejects,
      run: (subject) =>
        Effect.gen(function* () {
          const { key, token } = subject
          const undecodable = yield* put(subject, key())
          const reject = headerOf(undecodable)
          const [first, second] = [token(), token()]
          yield* ask(subject, key(), { ...reading(first), intent: "read", reject }, granted())
          yield* ask(subject, key(), { ...reading(second), intent: "read", reject }, held(first))
          yield* ask(subject, key(), reading(second), valueOf(undecodable), "who rejects nothing")
          const other = yield* put(subject, key())
          yield* ask(
            subject,
            key(),
            { ...reading(second), intent: "read", reject },
            valueOf(other),
            "who rejects the entry that was there before"
          )
        })
    },
    {
      name: "a refresh is granted while the entry is the one that was seen",
      rule: refreshes,
      run: (subject) =>
        Effect.gen(function* () {
          const { backend, key, token } = subject
          const refresh = (own: string, seen: Envelope.Encoded) =>
            ({ token: own, duration: long, intent: "refresh", seen: headerOf(seen) }) as const
          const old = yield* put(subject, key())
          const current = yield* put(subject, key())
          const own = token()
          yield* ask(subject, key(), refresh(own, old), declined, "a refresh of an older entry")
          yield* expectHolder(subject, key(), undefined)
          yield* ask(subject, key(), refresh(own, current), granted())
          yield* ask(subject, key(), refresh(token(), current), declined, "a second refresh")
          yield* expectHolder(subject, key(), own)
          const next = yield* entry(subject)
          yield* expectEqual("commit", yield* backend.commit(key(), own, next, long), true)
          yield* ask(subject, key(), refresh(token(), current), declined, "a refresh come late")
        })
    },
    {
      name: "a refresh of what is gone is declined",
      rule: refreshes,
      run: (subject) =>
        Effect.gen(function* () {
          const { backend, key, token } = subject
          const seen = headerOf(yield* put(subject, key()))
          yield* backend.invalidate(key())
          const refresh = { token: token(), duration: long, intent: "refresh", seen } as const
          yield* ask(subject, key(), refresh, declined)
          yield* ask(subject, key(), { ...refresh, seen: "" }, declined, "a refresh of nothing")
          yield* expectHolder(subject, key(), undefined)
        })
    },
    {
      name: "a stale entry that was seen can be refreshed",
      rule: refreshes,
      run: (subject) =>
        Effect.gen(function* () {
          const { key, token } = subject
          const seen = headerOf(yield* put(subject, key(), -1_000))
          const own = token()
          yield* ask(
            subject,
            key(),
            { token: own, duration: long, intent: "refresh", seen },
            granted()
          )
          yield* ask(subject, key(), reading(token()), held(own))
        })
    },
    {
      name: "replace takes the lease from its holder, and needs no miss",
      rule: replaces,
      run: (subject) =>
        Effect.gen(function* () {
          const { backend, key, token } = subject
          const stored = yield* put(subject, key())
          const [first, second] = [token(), token()]
          const replace = { duration: long, intent: "replace" } as const
          yield* ask(subject, key(), { ...replace, token: first }, granted())
          yield* ask(subject, key(), { ...replace, token: second }, granted(first))
          const late = yield* entry(subject)
          yield* expectEqual("commit", yield* backend.commit(key(), first, late, long), false)
          yield* expectEqual("renew", yield* backend.renew(key(), first, long), false)
          yield* expectEqual("release", yield* backend.release(key(), first), false)
          yield* expectStored(subject, key(), stored, "the entry, until the replacement is there")
          const next = yield* entry(subject)
          yield* expectEqual("commit", yield* backend.commit(key(), second, next, long), true)
          yield* expectStored(subject, key(), next)
        })
    }
  ]
}
