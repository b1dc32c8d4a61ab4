import * as FastCheck from "effect/FastCheck"
import { describe, expect, it } from "vitest"
import {
  bookkeepingKey,
  bookkeepingOwner,
  encodeRegionName,
  endedKey,
  isPrefix,
  keyPattern,
  leaseKey,
  slotOf,
  userKey,
  valueKey
} from "../../src/policy/keys.js"
import { tagOfSlot } from "../../src/policy/slot.js"

// Few letters, so that the braces fall in every arrangement.
const key = FastCheck.array(
  FastCheck.constantFrom("{", "}", ":", "!", "a", "7", "é", "😀", "\ud800", "\0", "\r\n", "%"),
  { maxLength: 9 }
).map((parts) => parts.join(""))

const prefix = FastCheck.constantFrom("larder", "P", "a.b_c-d", "lease", "lease.")

/** Redis's rule, said another way than in the code. */
const hashed = (text: string): string => /^[^{]*\{([^}]+)\}/.exec(text)?.[1] ?? text

describe("prefixes and regions", () => {
  it("a prefix is 1 to 64 letters, digits, dots, underscores and hyphens", () => {
    for (const good of ["larder", "a", "A.b_c-9", "x".repeat(64)]) expect(isPrefix(good)).toBe(true)
    for (const bad of ["", "x".repeat(65), "a:b", "a!b", "{a}", "é", "a b", "a\n", "*"]) {
      expect(isPrefix(bad), bad).toBe(false)
    }
  })

  it("a region's name cannot be read as another region and a key", () => {
    expect(encodeRegionName("user")).toBe("user")
    expect(encodeRegionName("a:b%3A:")).toBe("a%3Ab%253A%3A")
    FastCheck.assert(
      FastCheck.property(key, (name) => {
        const encoded = encodeRegionName(name)
        expect(encoded).not.toContain(":")
        expect(encoded.replaceAll("%3A", ":").replaceAll("%25", "%")).toBe(name)
      })
    )
  })
})

describe("value keys", () => {
  it("a user's key comes back as it went in, and a neighbour's does not", () => {
    expect(valueKey("larder", "user:42")).toBe("larder:user:42")
    expect(userKey("larder", "larder2:user:42")).toBeUndefined()
    expect(userKey("larder", "larder!lease:{larder:k}")).toBeUndefined()
    FastCheck.assert(
      FastCheck.property(prefix, key, (P, k) => {
        expect(userKey(P, valueKey(P, k))).toBe(k)
      })
    )
  })
})

describe("bookkeeping keys", () => {
  it("look the same in every version, or one key would have two leases", () => {
    expect(leaseKey("P", "user:42")).toBe("P!lease:{P:user:42}")
    expect(leaseKey("P", "user:{42}:x")).toBe("P!lease:{42}:user:{42}:x")
    expect(leaseKey("P", "")).toBe("P!lease:{P:}")
    expect(leaseKey("P", "a{b")).toBe("P!lease:{P:a{b}")
    expect(leaseKey("P", "{{a}")).toBe("P!lease:{{a}:{{a}")
    expect(leaseKey("P", "a}b{")).toBe("P!lease:{1ho}:a}b{")
    expect(endedKey("P", "{}{x}")).toBe("P!ended:{fpu}:{}{x}")
  })

  it("live in the slot of their value key", () => {
    FastCheck.assert(
      FastCheck.property(prefix, key, (P, k) => {
        const slot = slotOf(valueKey(P, k))
        expect(slotOf(leaseKey(P, k))).toBe(slot)
        expect(slotOf(endedKey(P, k))).toBe(slot)
      }),
      { numRuns: 5_000 }
    )
  })

  it("belong to one value key each, and no value key equals one", () => {
    const owners = new Map<string, string>()
    FastCheck.assert(
      FastCheck.property(prefix, key, FastCheck.constantFrom("lease", "ended"), (P, k, kind) => {
        const stored = bookkeepingKey(P, kind, k)
        const owner = JSON.stringify([P, kind, k])
        expect(owners.get(stored) ?? owner).toBe(owner)
        owners.set(stored, owner)
        expect(bookkeepingOwner(P, kind, stored)).toBe(k)
        for (const other of ["larder", "P", "lease", "lease."]) {
          expect(userKey(other, stored)).toBeUndefined()
        }
      }),
      { numRuns: 20_000 }
    )
    expect(owners.size).toBeGreaterThan(5_000)
  })

  it("a key k:lock does not touch k, nor does a key that looks like bookkeeping", () => {
    expect(leaseKey("P", "k")).not.toBe(valueKey("P", "k:lock"))
    expect(leaseKey("P", "k")).not.toBe(valueKey("P", leaseKey("P", "k")))
  })

  it("are not found in what only resembles them", () => {
    for (const stranger of [
      "P!lease:{P:k",
      "P!lease:{P:k}x",
      "P!lease:{Q:k}",
      "P!lease:{x}:k",
      "P!ended:{P:k}",
      "Q!lease:{P:k}",
      "P:k",
      "}",
      ""
    ]) {
      expect(bookkeepingOwner("P", "lease", stranger), stranger).toBeUndefined()
    }
  })
})

describe("slots", () => {
  it("are those that a Redis 7 server gives", () => {
    const slots = {
      "": 0,
      "123456789": 12739,
      foo: 12182,
      bar: 5061,
      "user:{42}:x": 8000,
      "foo{bar}{zap}": 5061,
      "foo{}{bar}": 8363,
      "foo{{bar}}zap": 4015,
      "P:a}b{": 11615,
      "a{b": 13340,
      "é{}": 12524,
      "naïve:😀": 13073
    }
    for (const [text, slot] of Object.entries(slots)) expect(slotOf(text), text).toBe(slot)
  })

  it("depend on the hash tag alone", () => {
    FastCheck.assert(
      FastCheck.property(key, (k) => {
        const tag = hashed(k)
        if (tag !== k) expect(slotOf(`other{${tag}}`)).toBe(slotOf(k))
        else if (k !== "" && !k.includes("}")) expect(slotOf(`{${k}}`)).toBe(slotOf(k))
      })
    )
  })

  it("have a tag each, of at most four letters, the same whoever asks first", () => {
    const last = tagOfSlot(16_383)
    for (let slot = 0; slot < 16_384; slot++) {
      const tag = tagOfSlot(slot)
      expect(slotOf(tag)).toBe(slot)
      expect(tag).toMatch(/^[0-9a-z]{1,4}$/)
    }
    expect(tagOfSlot(16_383)).toBe(last)
  })
})

describe("key patterns", () => {
  it("stand for all keys alike", () => {
    expect(keyPattern("user:42")).toBe("user:*")
    expect(keyPattern("report-2024-07")).toBe("report-#-#")
    expect(keyPattern("v2:user:42")).toBe("v#:*")
    expect(keyPattern(":x")).toBe(":*")
    expect(keyPattern("")).toBe("")
  })

  it("cannot break or forge a log line", () => {
    expect(keyPattern("a\r\nERROR\u001b[31m")).toBe("a\\u{d}\\u{a}ERROR\\u{1b}[#m")
    expect(keyPattern("\u202eevil\ud800")).toBe("\\u{202e}evil\\u{d800}")
  })

  it("have at most 80 characters, none of them cut in half", () => {
    expect(keyPattern("x".repeat(1_000_000))).toBe("x".repeat(80))
    expect(keyPattern(`${"x".repeat(1_000_000)}:y`)).toBe(`${"x".repeat(78)}:*`)
    expect(keyPattern("😀".repeat(200))).toBe("😀".repeat(80))
    FastCheck.assert(
      FastCheck.property(FastCheck.fullUnicodeString({ maxLength: 200 }), (k) => {
        const pattern = keyPattern(k)
        expect(Array.from(pattern).length).toBeLessThanOrEqual(80)
        expect(pattern).not.toMatch(/[\p{Cc}\p{Cs}]/u)
      })
    )
  })
})
