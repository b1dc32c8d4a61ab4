import * as FastCheck from "effect/FastCheck"
import { expect, it } from "vitest"
import {
  decodeStored,
  encodeStored,
  longestHead,
  readHead
} from "../../src/policy/storageEnvelope.js"

const entry = {
  value: '{"rows":10}',
  metadata: "{}",
  version: 0,
  createdAt: 1_763_797_138_123,
  expiresAt: Infinity
}

const text =
  "larder-storage:1 version=0 created=1763797138123 expires=never metadata=2 value=11\n" +
  '{}\n{"rows":10}'

it("is legible", () => {
  expect(encodeStored(entry)).toBe(text)
})

it("comes back as it was, whatever the texts", () => {
  const time = FastCheck.integer({ min: 0, max: 8.64e15 })
  const any = FastCheck.record({
    value: FastCheck.string({ unit: "binary" }),
    metadata: FastCheck.string({ unit: "binary" }),
    version: FastCheck.nat({ max: Number.MAX_SAFE_INTEGER }),
    createdAt: time,
    expiresAt: FastCheck.oneof(time, FastCheck.constant(Infinity))
  })
  FastCheck.assert(
    FastCheck.property(any, (it) => {
      const stored = encodeStored(it)
      const head = readHead(stored.slice(0, longestHead))
      expect(decodeStored(stored)).toEqual(it)
      expect(head && stored.startsWith(head.text)).toBe(true)
    })
  )
})

it("says what is wrong with what is cut off, longer, damaged, newer, or a stranger's", () => {
  const changed = "it is not as long as it says: it has been cut off, or changed"
  expect(decodeStored(text.slice(0, -1))).toBe(changed)
  expect(decodeStored(text + "1")).toBe(changed)
  expect(decodeStored(text.replace("metadata=2", "metadata=1"))).toBe(changed)
  expect(decodeStored(text.replace("created=", "created=x"))).toBe("its first line is damaged")
  expect(decodeStored(text.replace(":1", ":2"))).toBe(
    "it is stored in form 2, and this version of effect-larder reads form 1"
  )
  for (const stranger of ["", "1", '{"rows":10}', "L1 j v", " " + text]) {
    expect(decodeStored(stranger)).toBe("it is a text that no storage of effect-larder has written")
  }
})
