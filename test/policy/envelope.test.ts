import * as FastCheck from "effect/FastCheck"
import { describe, expect, it } from "vitest"
import {
  decode,
  encode,
  expiresAtOf,
  type Header,
  headerLength,
  headerText,
  offsets,
  timeDigits
} from "../../src/policy/envelope.js"
import { writeHeader } from "../../src/policy/header.js"

const never = 10 ** timeDigits - 1

const header: Header = {
  codec: "j",
  kind: "v",
  createdAt: 1_763_712_000_000,
  expiresAt: 1_763_715_600_000,
  staleUntil: 1_763_715_660_000,
  errorUntil: Infinity,
  delta: 120,
  version: 2,
  stamp: "0123456789abcxyz"
}
const text =
  "L1 j v 01763712000000 01763715600000 01763715660000 99999999999999 " +
  "000000120 000000002 0123456789abcxyz 0000 "

const time = FastCheck.oneof(
  FastCheck.integer({ min: 0, max: never - 1 }),
  FastCheck.constant(Infinity)
)
const anyHeader: FastCheck.Arbitrary<Header> = FastCheck.record({
  codec: FastCheck.constantFrom("j", "b"),
  kind: FastCheck.constantFrom("v", "e", "u"),
  createdAt: FastCheck.integer({ min: 0, max: never - 1 }),
  expiresAt: time,
  staleUntil: time,
  errorUntil: time,
  delta: FastCheck.integer({ min: 0, max: 999_999_999 }),
  version: FastCheck.integer({ min: 0, max: 999_999_999 }),
  stamp: FastCheck.stringOf(FastCheck.constantFrom(..."09afz"), { minLength: 16, maxLength: 16 })
})

const bytesOf = (string: string): Uint8Array => new TextEncoder().encode(string)

describe("the stored form", () => {
  it("is legible, and the same in every version", () => {
    expect(encode(header, '{"a":1}')).toBe(`${text}{"a":1}`)
    expect(text.length).toBe(headerLength)
    expect(writeHeader(header)).toBe(text)
  })

  it("has its fields where a script looks for them", () => {
    const at = (field: keyof typeof offsets, length: number) =>
      text.slice(offsets[field], offsets[field] + length)
    expect(at("codec", 2)).toBe("j ")
    expect(at("kind", 2)).toBe("v ")
    expect(at("createdAt", timeDigits)).toBe("01763712000000")
    expect(at("expiresAt", timeDigits)).toBe("01763715600000")
    expect(at("staleUntil", timeDigits)).toBe("01763715660000")
    expect(at("errorUntil", timeDigits)).toBe("99999999999999")
    expect(at("delta", 10)).toBe("000000120 ")
    expect(at("version", 10)).toBe("000000002 ")
    expect(at("stamp", 17)).toBe("0123456789abcxyz ")
    expect(at("tags", 5)).toBe("0000 ")
    // Lua: string.sub(v, 23, 36)
    expect(text.slice(23 - 1, 36)).toBe(at("expiresAt", timeDigits))
  })

  it("comes back as it went in", () => {
    FastCheck.assert(
      FastCheck.property(
        anyHeader,
        FastCheck.fullUnicodeString(),
        FastCheck.uint8Array(),
        FastCheck.boolean(),
        (written, payload, bytes, isText) => {
          // Codec b as text is read back as the UTF-8 of that text.
          const content =
            written.codec === "b" && !isText ? bytes : payload.replaceAll("\ufffd", "")
          const stored = encode(written, content)
          expect(typeof stored).toBe(typeof content)
          const expected =
            written.codec === "j" || typeof content !== "string" ? content : bytesOf(content)
          const { stamp: _, ...header } = written
          expect(decode(stored)).toEqual({ header, payload: expected })
          expect(expiresAtOf(stored)).toBe(written.expiresAt)
          expect(headerText(stored)).toBe(writeHeader(written))
        }
      )
    )
  })

  it("is read alike as text and as bytes", () => {
    FastCheck.assert(
      FastCheck.property(anyHeader, FastCheck.fullUnicodeString(), (written, payload) => {
        const stored = encode(written, payload.replaceAll("\ufffd", "")) as string
        expect(decode(bytesOf(stored))).toEqual(decode(stored))
        expect(expiresAtOf(bytesOf(stored))).toBe(expiresAtOf(stored))
        expect(headerText(bytesOf(stored))).toBe(headerText(stored))
        expect(decode(encode(written, bytesOf(stored.slice(headerLength))))).toEqual(decode(stored))
      })
    )
  })

  it("is a view of the bytes handed in, wherever they lie in their buffer", () => {
    const stored = encode({ ...header, codec: "b" }, new Uint8Array([0, 255, 128]))
    const padded = Buffer.concat([Buffer.from("xx"), stored as Uint8Array]).subarray(2)
    expect(Array.from(decode(padded)!.payload as Uint8Array)).toEqual([0, 255, 128])
  })

  it("rounds a fractional expiry up and creation down, and never goes below 0", () => {
    const rounded = decode(
      encode(
        { ...header, createdAt: 5.9, expiresAt: 5.1, staleUntil: 5.5, errorUntil: -3, delta: 0.2 },
        ""
      )
    )
    expect(rounded?.header).toMatchObject({
      createdAt: 5,
      expiresAt: 6,
      staleUntil: 6,
      errorUntil: 0,
      delta: 1
    })
    const odd = { ...header, createdAt: -1, expiresAt: NaN, version: 1.5 }
    expect(decode(encode(odd, ""))?.header).toMatchObject({
      createdAt: 0,
      expiresAt: 0,
      version: 1
    })
  })

  it("saturates: a time beyond 14 digits is never, a count stops at nine nines", () => {
    const far = { ...header, expiresAt: never, staleUntil: 1e300, delta: 1e12, version: Infinity }
    expect(decode(encode(far, ""))?.header).toMatchObject({
      expiresAt: Infinity,
      staleUntil: Infinity,
      delta: 999_999_999,
      version: 999_999_999
    })
  })

  it("may have tags one day: a reader of today skips them", () => {
    const tagged = `${text.slice(0, offsets.tags)}0005 a,b,c{"a":1}`
    expect(decode(tagged)?.payload).toBe('{"a":1}')
    expect(decode(bytesOf(tagged))?.payload).toBe('{"a":1}')
    expect(decode(tagged.slice(0, headerLength + 5))?.payload).toBe("")
    expect(decode(tagged.slice(0, headerLength + 4))).toBeUndefined()
  })
})

describe("what is no entry", () => {
  it("a stranger's value, another format, an empty one is none", () => {
    for (const stranger of ["", "OK", "x".repeat(500), `L2${text.slice(2)}`, text.slice(1)]) {
      for (const stored of [stranger, bytesOf(stranger)]) {
        expect(decode(stored)).toBeUndefined()
        expect(headerText(stored)).toBeUndefined()
        expect(expiresAtOf(stored)).toBeUndefined()
      }
    }
    FastCheck.assert(
      FastCheck.property(FastCheck.uint8Array({ maxLength: 300 }), (bytes) => {
        expect(decode(bytes)).toBeUndefined()
      })
    )
  })

  it("a truncated header is none, at any length", () => {
    for (let length = 0; length < headerLength; length++) {
      expect(decode(text.slice(0, length))).toBeUndefined()
      expect(expiresAtOf(text.slice(0, length))).toBeUndefined()
    }
    expect(decode(text)?.payload).toBe("")
  })

  it("a header with a wrong character anywhere is none", () => {
    for (let index = 0; index < headerLength; index++) {
      for (const wrong of ["\0", "/", ":", "`", "{", "-", "+", ".", "A", "é"]) {
        const damaged = text.slice(0, index) + wrong + text.slice(index + 1)
        expect(decode(damaged), damaged).toBeUndefined()
        expect(decode(Buffer.from(damaged, "latin1")), damaged).toBeUndefined()
      }
    }
  })

  it("a digit, a space or a letter in another's place does not pass for it", () => {
    FastCheck.assert(
      FastCheck.property(
        FastCheck.nat(headerLength - 1),
        FastCheck.constantFrom(..." 0 9 j b v e u z 1e"),
        (index, other) => {
          const damaged = `${text.slice(0, index) + other + text.slice(index + 1)}payload`
          const read = decode(damaged)
          if (read === undefined || damaged.startsWith(text)) return
          // What was read is what stands there: nothing was guessed or repaired.
          const tags = Number(damaged.slice(offsets.tags, offsets.tags + 4))
          const stamp = damaged.slice(offsets.stamp, offsets.tags - 1)
          expect(writeHeader({ ...read.header, stamp }).slice(0, offsets.tags)).toBe(
            damaged.slice(0, offsets.tags)
          )
          const payload = damaged.slice(headerLength + tags)
          expect(read.payload).toEqual(read.header.codec === "j" ? payload : bytesOf(payload))
        }
      ),
      { numRuns: 2_000 }
    )
  })

  it("a damaged one is still named by its header, so that it can be replaced", () => {
    const damaged = `L1 x${text.slice(4)}payload`
    expect(decode(damaged)).toBeUndefined()
    expect(expiresAtOf(damaged)).toBe(header.expiresAt)
    expect(headerText(damaged)).toBe(damaged.slice(0, headerLength))
    const broken = `${text.slice(0, offsets.expiresAt)}x${text.slice(offsets.expiresAt + 1)}`
    expect(expiresAtOf(broken)).toBeUndefined()
  })

  it("a header that is not ASCII is none, and has no name: sent back, it would be another", () => {
    for (const index of [offsets.createdAt, offsets.stamp, offsets.tags]) {
      const damaged = `${text.slice(0, index)}é${text.slice(index + 1)}payload`
      for (const stored of [damaged, Buffer.from(damaged), Buffer.from(damaged, "latin1")]) {
        expect(decode(stored)).toBeUndefined()
        expect(headerText(stored)).toBeUndefined()
        expect(expiresAtOf(stored)).toBeUndefined()
      }
    }
  })

  it("bytes that are no UTF-8 are none as JSON, nor what a driver made of such bytes", () => {
    const damaged = Buffer.concat([Buffer.from(text), Buffer.from([34, 0xc3, 34])])
    expect(decode(damaged)).toBeUndefined()
    const bytes = encode({ ...header, codec: "b" }, new Uint8Array([1, 0xc3, 2])) as Uint8Array
    expect(decode(bytes)?.payload).toEqual(new Uint8Array([1, 0xc3, 2]))
    expect(decode(Buffer.from(bytes).toString("utf8"))).toBeUndefined()
  })
})
