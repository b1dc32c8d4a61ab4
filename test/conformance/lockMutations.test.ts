import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { DistributedLock, type LockBackend } from "effect-larder"
import { lockConformance } from "effect-larder/testing"
import { describe, expect, it } from "vitest"
import * as MemoryLockBackend from "../../src/memory/MemoryLockBackend.js"
import { verdictOn } from "./verdict.js"

// Would the suite for locks notice? Each mutant breaks one rule of a store in memory.

type Mutant = (inner: LockBackend) => Partial<LockBackend>

const suite = (mutant: Mutant) => {
  const layer = Layer.unwrapEffect(
    Effect.map(MemoryLockBackend.make, (inner) =>
      DistributedLock.fromBackend({ ...inner, ...mutant(inner) })
    )
  )
  return verdictOn((tests) => lockConformance("a mutant", layer, tests, { isShared: false }))
}

const mutants: Readonly<Record<string, { readonly mutant: Mutant; readonly noticed: string }>> = {
  "grants it to everybody": {
    mutant: ({ acquire }) => ({
      acquire: (name, request) => acquire(`${name} ${request.token}`, request)
    }),
    noticed: "who comes second is refused, until it is given back"
  },
  "has the same fence for all": {
    mutant: ({ acquire }) => ({
      acquire: (...args) =>
        Effect.map(acquire(...args), (reply) =>
          reply._tag === "Granted" ? { ...reply, fence: 1n } : reply
        )
    }),
    noticed: "the fence grows with every grant"
  },
  "never gives it back": {
    mutant: () => ({ release: () => Effect.succeed(true) }),
    noticed: "withLock gives it back when its body fails"
  },
  "renews nothing, and says that it has": {
    mutant: () => ({ renew: () => Effect.succeed(true) }),
    noticed: "what is renewed outlives its duration"
  },
  "takes no two names apart": {
    mutant: ({ acquire, release }) => ({
      acquire: (_, request) => acquire("one", request),
      release: (_, token) => release("one", token)
    }),
    noticed: "locks of other names do not hinder it"
  },
  "keeps the places of those who leave": {
    mutant: ({ acquire, release }) => {
      const granted = new Set<string>()
      return {
        acquire: (name, request) =>
          Effect.tap(acquire(name, request), ({ _tag }) =>
            Effect.sync(() => _tag === "Granted" && granted.add(request.token))
          ),
        release: (name, token) =>
          granted.has(token) ? release(name, token) : Effect.succeed(false)
      }
    },
    noticed: "who has waited too long is told so, and holds up nobody"
  }
}

describe("the suite for locks", () => {
  it("objects to nothing where no rule is broken", async () => {
    const { messages, passed } = await suite(() => ({}))
    expect([...messages.values()]).toEqual([])
    expect(passed.length).toBeGreaterThan(15)
  })

  it.each(Object.entries(mutants))(
    "objects to a store that %s",
    async (_, { mutant, noticed }) => {
      expect([...(await suite(mutant)).messages.keys()]).toContain(noticed)
    },
    120_000
  )
})
