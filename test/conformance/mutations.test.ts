import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import { describe, expect, it } from "vitest"
import { BackendError, Cache, type CacheBackend, MemoryBackend } from "effect-larder"
import { headerText } from "../../src/policy/envelope.js"
import * as Lease from "../../src/policy/lease.js"
import { cacheBackendConformance } from "../../src/testing/cacheBackendConformance.js"
import { cacheConformance } from "../../src/testing/cacheConformance.js"
import { verdictOn } from "./verdict.js"

// A suite that passes on anything says nothing: here each rule is broken, and
// the suites have to object, by the name of the rule that is broken.

type Options = MemoryBackend.MemoryBackendOptions

const over = (backend: Effect.Effect<CacheBackend>) =>
  Layer.unwrapEffect(Effect.map(backend, (made) => Cache.fromBackend(made)))

const backendSuite = (options: Options, only?: ReadonlyArray<string>) =>
  verdictOn((tests) => cacheBackendConformance("mutant", MemoryBackend.make(options), tests), only)

const cacheSuite = (options: Options, only?: ReadonlyArray<string>) =>
  verdictOn((tests) => cacheConformance("mutant", over(MemoryBackend.make(options)), tests), only)

const rules = (mutation: Partial<typeof Lease>): Options => ({
  rules: { ...Lease, ...mutation }
})

/** Does something, and puts the lease back as it was. */
const keepingLease = <A>(before: Lease.Cell, step: Lease.Step<A>): Lease.Step<A> => ({
  ...step,
  cell: { ...step.cell, lease: before.lease, ended: before.ended }
})

const model = "answers as the pure transitions do, whatever comes in whatever order"

interface Mutation {
  readonly options: Options
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
            ? { ...request, seen: headerText(value.stored) ?? "" }
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
    backend: [
      "set stores, and revokes the lease",
      "invalidate removes, and revokes the lease",
      "a commit never comes back after an invalidation beside it",
      "a commit never overwrites what is set beside it",
      model
    ],
    cache: [
      "a rebuild that set overtook stores nothing",
      "a rebuild that invalidate overtook stores nothing"
    ]
  },
  "replace leaves the lease with its holder": {
    options: rules({
      lease: (before, now, request) =>
        request.intent === "replace"
          ? keepingLease(before, Lease.lease(before, now, request))
          : Lease.lease(before, now, request)
    }),
    backend: ["replace takes the lease from its holder, and needs no miss", model],
    cache: ["refresh: true runs the creator, and stores what it makes"]
  },
  "an ended token is forgotten": {
    options: rules({
      release: (before, now, token) => {
        const step = Lease.release(before, now, token)
        return { ...step, cell: { ...step.cell, ended: undefined } }
      }
    }),
    backend: [
      "an ended token is told to the next who asks, granted or not",
      "an ended token is remembered for a lease duration",
      model
    ],
    cache: []
  },
  "nothing runs out": {
    options: rules({ settle: (cell) => cell }),
    backend: [
      "what is set is gone after keepFor",
      "a lease that ran out commits nothing, and is neither renewed nor released"
    ],
    cache: []
  },
  "who waits is not told": {
    options: rules({
      commit: (before, now, token, stored, keepFor) => {
        const { cell, reply } = Lease.commit(before, now, token, stored, keepFor)
        return { cell, reply }
      }
    }),
    backend: ["who waits for a lease hears that it was stored"],
    cache: []
  },
  "who does not wait is told": {
    options: rules({
      commit: (before, now, token, stored, keepFor) => ({
        ...Lease.commit(before, now, token, stored, keepFor),
        push: { token, reason: "stored" }
      })
    }),
    backend: ["nobody hears of a lease that nobody waits for", "what is refused is not pushed"],
    cache: []
  }
}

/** A backend that can only do what it must. */
const plain: Effect.Effect<CacheBackend> = Effect.map(
  MemoryBackend.make({ pushes: false }),
  (backend) => ({
    ...backend,
    capabilities: { ...backend.capabilities, scan: false },
    clear: () => new BackendError({ backend: backend.name, command: "clear", reason: "Refused" })
  })
)

/** A backend that forgets a set whose caller has left, and does not wait for it. */
const forgetful: Effect.Effect<CacheBackend> = Effect.map(MemoryBackend.make(), (backend) => ({
  ...backend,
  set: (...args) => {
    const slowly = Effect.repeatN(Effect.yieldNow(), 20)
    return Effect.flatMap(
      Effect.forkDaemon(Effect.zipRight(slowly, backend.set(...args))),
      Fiber.join
    )
  }
}))

describe("the suites", () => {
  it("object to nothing where no rule is broken", async () => {
    const backend = await backendSuite({})
    expect([...backend.messages.values()]).toEqual([])
    expect(backend.skipped).toEqual(["a backend that cannot scan refuses to clear"])
    const cache = await cacheSuite({})
    expect([...cache.messages.values()]).toEqual([])
    expect(backend.passed.length + cache.passed.length).toBeGreaterThan(100)
  })

  it("object to nothing that a backend says it cannot do", async () => {
    const backend = await verdictOn((tests) => cacheBackendConformance("plain", plain, tests))
    expect([...backend.messages.values()]).toEqual([])
    expect(backend.passed).toContain("a backend that cannot scan refuses to clear")
    expect(backend.skipped).toEqual(
      expect.arrayContaining([
        "clear removes all of a prefix, and nothing of one that begins like it",
        "everybody hears of a write, and which lease it revoked"
      ])
    )
    const cache = await verdictOn((tests) =>
      cacheConformance("plain", over(plain), tests, { scan: false })
    )
    expect([...cache.messages.values()]).toEqual([])
    expect(cache.passed).not.toContain("clear removes every entry")
  })

  it.concurrent.each(Object.entries(mutations))("object to: %s", async (_name, mutation) => {
    const backend = await backendSuite(mutation.options, mutation.backend)
    expect(backend.passed).toEqual([])
    expect(backend.failed.toSorted()).toEqual([...mutation.backend].toSorted())
    const cache = await cacheSuite(mutation.options, mutation.cache)
    expect(cache.passed).toEqual([])
    expect(cache.failed.toSorted()).toEqual([...mutation.cache].toSorted())
  })

  it("object to a backend whose sets come after what followed them", async () => {
    const { failed } = await verdictOn((tests) =>
      cacheBackendConformance("forgetful", forgetful, tests)
    )
    expect(failed).toEqual(["invalidate outlasts a set whose caller has left"])
  })

  it("say what was expected, what was seen, and by which rule", async () => {
    const { backend, options } = mutations["release without compare"]!
    const { messages } = await backendSuite(options, backend)
    expect(messages.get(model)).toMatch(/seed: -?\d+, path: [^]+ rule: {5}lease, renew/)
    expect(messages.get("a foreign token releases nothing")).toBe(
      [
        "ConformanceError: release under another token",
        "  expected: false",
        "  seen:     true",
        "  rule:     release is a compare-and-delete: in one step, it ends the lease only if it is " +
          "held under the token given"
      ].join("\n")
    )
  })
})
