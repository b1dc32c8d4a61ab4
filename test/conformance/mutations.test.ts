import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { describe, expect, it } from "vitest"
import { Cache, MemoryBackend } from "effect-larder"
import * as Lease from "../../src/policy/lease.js"
import { cacheBackendConformance } from "../../src/testing/cacheBackendConformance.js"
import { cacheConformance } from "../../src/testing/cacheConformance.js"
import { verdictOn } from "./verdict.js"

// A suite that passes on anything says nothing: here each rule is broken, and
// the suites have to object, by the name of the rule that is broken.

const backendSuite = (options: MemoryBackend.MemoryBackendOptions) =>
  verdictOn((tests) => cacheBackendConformance("mutant", MemoryBackend.make(options), tests))

const cacheSuite = (options: MemoryBackend.MemoryBackendOptions) =>
  verdictOn((tests) =>
    cacheConformance(
      "mutant",
      Layer.unwrapEffect(
        Effect.map(MemoryBackend.make(options), (backend) => Cache.fromBackend(backend))
      ),
      tests
    )
  )

const rules = (mutation: Partial<typeof Lease>): MemoryBackend.MemoryBackendOptions => ({
  rules: { ...Lease, ...mutation }
})

/** Does something, and puts the lease back as it was. */
const keepingLease = <A>(before: Lease.Cell, step: Lease.Step<A>): Lease.Step<A> => ({
  ...step,
  cell: { ...step.cell, lease: before.lease, ended: before.ended }
})

const model = "answers as the pure transitions do, whatever comes in whatever order"

interface Mutation {
  readonly options: MemoryBackend.MemoryBackendOptions
  /** Tests that must fail, of the suite for backends and of that for caches. */
  readonly backend: ReadonlyArray<string>
  readonly cache: ReadonlyArray<string>
}

const mutations: Readonly<Record<string, Mutation>> = {
  "release without compare": {
    options: rules({
      release: (before, now) => ({ ...Lease.revoke(before, now, "ended"), reply: true })
    }),
    backend: ["a foreign token releases nothing", model],
    cache: []
  },
  "commit without token check": {
    options: rules({
      commit: (before, now, _token, stored, keepFor) => ({
        cell: {
          ...Lease.settle(before, now),
          value: { stored, keepUntil: now + keepFor },
          lease: undefined
        },
        reply: true
      })
    }),
    backend: [
      "a foreign token commits nothing",
      "commit stores, and gives the lease back",
      "a lease that ran out commits nothing, and is neither renewed nor released",
      "of commits at once under one token, one is accepted",
      "a commit never comes back after an invalidation beside it",
      "clear leaves no value of a lease that was granted before it",
      model
    ],
    cache: [
      "a rebuild that set overtook stores nothing",
      "a rebuild that invalidate overtook stores nothing",
      "a rebuild that clear overtook stores nothing"
    ]
  },
  "grant without second read": {
    options: rules({
      lease: (before, now, request) => {
        const step = Lease.lease({ ...before, value: undefined }, now, request)
        return request.intent === "read"
          ? { ...step, cell: { ...step.cell, value: before.value } }
          : Lease.lease(before, now, request)
      }
    }),
    backend: [
      "a late leaseholder reads again",
      "a fresh entry is handed over, and nothing is granted",
      model
    ],
    cache: []
  },
  "clear deletes values before leases": {
    options: { clearOrder: ["values", "leases"] },
    backend: ["clear leaves no value of a lease that was granted before it"],
    cache: []
  },
  "renew creates a lease": {
    options: rules({
      renew: (before, now, token, duration) => {
        const { lease } = Lease.settle(before, now)
        return lease === undefined
          ? {
              cell: {
                ...Lease.settle(before, now),
                lease: { token, duration, until: now + duration, isAwaited: false }
              },
              reply: true
            }
          : Lease.renew(before, now, token, duration)
      }
    }),
    backend: [
      "renew creates no lease",
      "a lease that ran out commits nothing, and is neither renewed nor released",
      model
    ],
    cache: []
  },
  "refresh ignores what was seen": {
    options: rules({
      lease: (before, now, request) => {
        const { value } = Lease.settle(before, now)
        return Lease.lease(
          before,
          now,
          request.intent === "refresh" && value !== undefined
            ? { ...request, seen: value.stored.slice(0, 109).toString() }
            : request
        )
      }
    }),
    backend: ["a refresh is granted while the entry is the one that was seen", model],
    cache: []
  },
  "set and invalidate revoke nothing": {
    options: rules({
      set: (before, now, stored, keepFor) =>
        keepingLease(before, Lease.set(before, now, stored, keepFor)),
      invalidate: (before, now) => keepingLease(before, Lease.invalidate(before, now))
    }),
    backend: [],
    cache: []
  },
  "replace is granted beside the old holder's lease": {
    options: rules({
      lease: (before, now, request) =>
        request.intent === "replace"
          ? keepingLease(before, Lease.lease(before, now, request))
          : Lease.lease(before, now, request)
    }),
    backend: [],
    cache: []
  },
  "an ended token is forgotten": {
    options: rules({
      settle: (cell, now) => ({ ...Lease.settle(cell, now), ended: undefined }),
      release: (before, now, token) => {
        const step = Lease.release(before, now, token)
        return { ...step, cell: { ...step.cell, ended: undefined } }
      }
    }),
    backend: [],
    cache: []
  },
  "nothing runs out": {
    options: rules({ settle: (cell) => cell }),
    backend: [],
    cache: []
  },
  "whoever waits is not told": {
    options: rules({
      commit: (before, now, token, stored, keepFor) => {
        const { cell, reply } = Lease.commit(before, now, token, stored, keepFor)
        return { cell, reply }
      }
    }),
    backend: [],
    cache: []
  },
  "every commit is pushed": {
    options: rules({
      commit: (before, now, token, stored, keepFor) => ({
        ...Lease.commit(before, now, token, stored, keepFor),
        push: { token, reason: "stored" }
      })
    }),
    backend: [],
    cache: []
  }
}
for (const [n, m] of Object.entries(mutations)) it(n, async () => {
  const t = Date.now()
  const a = await backendSuite(m.options)
  const t2 = Date.now()
  const b = await cacheSuite(m.options)
  console.log(n, t2 - t, Date.now() - t2, [...a.failed.keys()], [...b.failed.keys()])
})
