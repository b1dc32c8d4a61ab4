import * as FastCheck from "effect/FastCheck"
import { describe, expect, it } from "vitest"
import { Sieve } from "../../src/core/sieve.js"

/** The paper's words, slowly: an array from the oldest to the newest, and where the hand is. */
class Model {
  readonly capacity: number
  nodes: Array<{ key: string; value: number; isUsed: boolean }> = []
  hand = 0
  evictions = 0

  constructor(capacity: number) {
    this.capacity = capacity
  }

  find(key: string) {
    return this.nodes.find((node) => node.key === key)
  }

  set(key: string, value: number) {
    const known = this.find(key)
    if (known !== undefined) return void Object.assign(known, { value, isUsed: true })
    if (this.nodes.length >= this.capacity) {
      while (this.nodes[this.hand]?.isUsed) {
        Object.assign(this.nodes[this.hand] ?? {}, { isUsed: false })
        this.hand = (this.hand + 1) % this.nodes.length
      }
      this.nodes.splice(this.hand, 1)
      // Whoever was evicted as the newest leaves the hand at the oldest, not at who comes next.
      if (this.hand === this.nodes.length) this.hand = 0
      this.evictions++
    }
    this.nodes.push({ key, value, isUsed: false })
  }

  delete(key: string): boolean {
    const at = this.nodes.findIndex((node) => node.key === key)
    if (at < 0) return false
    this.nodes.splice(at, 1)
    if (at < this.hand) this.hand--
    if (this.hand === this.nodes.length) this.hand = 0
    return true
  }
}

const key = FastCheck.integer({ min: 0, max: 11 }).map(String)
const step = FastCheck.oneof(
  { weight: 4, arbitrary: FastCheck.tuple(FastCheck.constant("set" as const), key) },
  { weight: 4, arbitrary: FastCheck.tuple(FastCheck.constant("get" as const), key) },
  { weight: 1, arbitrary: FastCheck.tuple(FastCheck.constant("peek" as const), key) },
  { weight: 2, arbitrary: FastCheck.tuple(FastCheck.constant("delete" as const), key) }
)

describe("SIEVE", () => {
  it("does what the paper says, whatever comes", () => {
    FastCheck.assert(
      FastCheck.property(
        FastCheck.integer({ min: 1, max: 8 }),
        FastCheck.array(step, { maxLength: 80 }),
        (capacity, steps) => {
          let evictions = 0
          const sieve = new Sieve<number>(capacity, () => evictions++)
          const model = new Model(capacity)
          steps.forEach(([act, name], index) => {
            const known = model.find(name)
            if (act === "set") {
              sieve.set(name, index)
              model.set(name, index)
            } else if (act === "delete") {
              expect(sieve.delete(name)).toBe(model.delete(name))
            } else {
              expect(sieve[act](name)).toBe(known?.value)
              if (act === "get" && known !== undefined) known.isUsed = true
            }
            expect(sieve.entries()).toEqual(model.nodes.map(({ key, value }) => [key, value]))
            expect(sieve.size).toBe(model.nodes.length)
            expect(evictions).toBe(model.evictions)
          })
        }
      ),
      { numRuns: 2_000 }
    )
  })

  it("keeps what is used when keys that nobody asks for again come by", () => {
    const sieve = new Sieve<number>(10, () => {})
    for (let index = 0; index < 5; index++) sieve.set(`used${index}`, index)
    for (let index = 0; index < 1_000; index++) {
      sieve.set(`once${index}`, index)
      if (index % 4 === 0) for (let used = 0; used < 5; used++) sieve.get(`used${used}`)
    }
    expect(Array.from({ length: 5 }, (_, index) => sieve.peek(`used${index}`))).toEqual([
      0, 1, 2, 3, 4
    ])
  })

  it("is empty when cleared, and can be filled again", () => {
    const sieve = new Sieve<string>(2, () => {})
    for (const name of ["a", "b", "c"]) sieve.set(name, name)
    sieve.clear()
    expect([sieve.size, sieve.get("c"), sieve.delete("c")]).toEqual([0, undefined, false])
    for (const name of ["d", "e", "f"]) sieve.set(name, name)
    expect(sieve.entries()).toEqual([
      ["e", "e"],
      ["f", "f"]
    ])
  })
})
