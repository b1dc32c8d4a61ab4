import * as vm from "node:vm"
import * as FastCheck from "effect/FastCheck"
import { describe, expect, it } from "vitest"
import { unstorable } from "../../src/policy/storable.js"

class Point {
  x = 1
}

/** Has what a plain object's prototype is told by, and is none. */
class Chain {
  isPrototypeOf(): boolean {
    return false
  }
}

/** Is `after` what `before` was? A null prototype may have become a plain one. */
const isSame = (before: unknown, after: unknown): boolean => {
  if (typeof before !== "object" || before === null) return Object.is(before, after)
  if (typeof after !== "object" || after === null) return false
  const prototype: unknown = Object.getPrototypeOf(before)
  if (prototype !== null && prototype !== Object.getPrototypeOf(after)) return false
  const keys = Reflect.ownKeys(before)
  if (keys.length !== Reflect.ownKeys(after).length) return false
  return keys.every((key) => {
    if (Array.isArray(before) && key === "length") {
      return before.length === (after as Array<unknown>).length
    }
    const one = Object.getOwnPropertyDescriptor(before, key)
    const other = Object.getOwnPropertyDescriptor(after, key)
    return (
      one !== undefined &&
      other !== undefined &&
      one.enumerable === other.enumerable &&
      one.get === other.get &&
      one.set === other.set &&
      isSame(one.value, other.value)
    )
  })
}

const survivesJson = (value: unknown): boolean => {
  if (value === undefined) return true
  try {
    const text: string | undefined = JSON.stringify(value)
    return text !== undefined && isSame(value, JSON.parse(text))
  } catch {
    return false
  }
}

const key = FastCheck.oneof(
  FastCheck.string(),
  FastCheck.constantFrom("__proto__", "toJSON", "length", "constructor", "0", "a b", "é")
)

/** One thing out of place, put into plain data by `spoiled`. */
const oddity: FastCheck.Arbitrary<unknown> = FastCheck.constantFrom<Array<() => unknown>>(
  () => () => 1,
  () => Symbol("s"),
  () => new Point(),
  () => Promise.resolve(1),
  () => /a/,
  () => new Error("e"),
  () => new ArrayBuffer(2),
  () => new URL("http://a.b"),
  () => ({ toJSON: () => 1 }),
  () => Object.create({ toJSON: () => 1 }) as unknown,
  () => Object.create({ inherited: 1 }) as unknown,
  () => ({ [Symbol("s")]: 1 }),
  () => Object.defineProperty({}, "hidden", { value: 1 }),
  () => Object.defineProperty({}, "a", { get: () => 1, enumerable: true }),
  () => Object.defineProperty({}, "a", { set: () => {}, enumerable: true }),
  () => Object.defineProperty([1], "0", { get: () => 1 }),
  () => Object.assign([1, 2], { extra: 1 }),
  () => Object.assign([1, 2], { [Symbol("s")]: 1 }),
  () => Object.setPrototypeOf([1], null) as unknown,
  () => Object.setPrototypeOf(Object(5), Object.prototype) as unknown,
  () => Object.setPrototypeOf(Object(true), null) as unknown,
  () => new (class Items extends Array<number> {})(),
  () => Math,
  () => undefined,
  () => -0,
  () => 1n,
  () => NaN,
  () => Object.assign([], { length: 3 }),
  () => Object.freeze({ a: 1 }),
  () => ({ toJSON: "a string" }),
  () => JSON.parse('{"__proto__":{"a":1}}') as unknown,
  () => {
    const cycle: Record<string, unknown> = {}
    return ((cycle["self"] = { cycle }), cycle)
  }
).map((make) => make())

const { value: spoiled } = FastCheck.letrec<{ value: unknown }>((tie) => ({
  value: FastCheck.oneof(
    { depthSize: "small", withCrossShrink: true },
    { weight: 6, arbitrary: FastCheck.jsonValue() as FastCheck.Arbitrary<unknown> },
    { weight: 1, arbitrary: oddity },
    { weight: 4, arbitrary: FastCheck.array(tie("value"), { maxLength: 4 }) },
    { weight: 4, arbitrary: FastCheck.dictionary(key, tie("value"), { maxKeys: 4 }) },
    { weight: 1, arbitrary: tie("value").map((shared) => ({ one: shared, other: [shared] })) }
  )
}))

const anything = FastCheck.anything({
  key,
  withBigInt: true,
  withBoxedValues: true,
  withDate: true,
  withMap: true,
  withNullPrototype: true,
  withObjectString: true,
  withSet: true,
  withSparseArray: true,
  withTypedArray: true
})

describe("what is stored as JSON", () => {
  it("is refused if and only if JSON would change or lose some of it", () => {
    let refused = 0
    let stored = 0
    FastCheck.assert(
      FastCheck.property(FastCheck.oneof(spoiled, anything), (value) => {
        const found = unstorable(value)
        if (found === undefined) stored++
        else refused++
        expect(found === undefined, found?.path).toBe(survivesJson(value))
      }),
      { numRuns: 20_000 }
    )
    expect(refused).toBeGreaterThan(1_000)
    expect(stored).toBeGreaterThan(1_000)
  })

  it("may be null, undefined, empty, zero or false", () => {
    for (const value of [null, undefined, "", 0, false, [], {}, "\ud800", Number.MAX_VALUE]) {
      expect(unstorable(value)).toBeUndefined()
    }
  })

  it("may have a null prototype, shared parts, and be frozen", () => {
    const shared = Object.freeze({ a: [1] })
    expect(unstorable([shared, shared, { shared }])).toBeUndefined()
    expect(unstorable(Object.assign(Object.create(null), { shared }))).toBeUndefined()
  })

  it("may come from another realm, if it is plain there", () => {
    expect(unstorable(vm.runInNewContext("({ a: [1, { b: null }] })"))).toBeUndefined()
    expect(unstorable(vm.runInNewContext("[new Date(0)]"))).toEqual({
      path: "$[0]",
      what: "an instance of Date"
    })
    expect(unstorable(vm.runInNewContext("class A extends Array {}; new A()"))?.what).toBe(
      "an instance of A"
    )
  })

  const at = (value: unknown) => ({ user: { tags: [1, 2, 3, value] } })
  const hidden = Object.defineProperty({}, "x", { value: 1 })
  const getter = Object.defineProperty({}, "x", { get: () => 1, enumerable: true })
  const anonymous = (() =>
    class {
      readonly a = 1
    })()
  const nameless = Object.create({ constructor: 5 }) as unknown
  const sparse: Array<unknown> = [1]
  sparse[4_000_000_000] = 1

  it.each<[what: string, value: unknown, below?: string]>([
    ["undefined", undefined],
    ["NaN", NaN],
    ["-Infinity", -Infinity],
    ["-0", -0],
    ["a bigint", 1n],
    ["a symbol", Symbol("s")],
    ["a function", () => 1],
    ["an instance of Date", new Date(0)],
    ["an instance of Map", new Map()],
    ["an instance of Point", new Point()],
    ["an instance of Chain", new Chain()],
    ["an instance of Uint8Array", new Uint8Array(1)],
    ["an instance of Number", Object(5)],
    ["an object with a prototype of its own", Object.create({})],
    ["an object with a prototype of its own", new anonymous()],
    ["an object with a prototype of its own", nameless],
    ["an object with a prototype of its own", Object.create(Object.create(null) as object)],
    ["an object with a prototype of its own", Object.setPrototypeOf([], {})],
    ["a hole", [1, , 2], "[1]"], // oxlint-disable-line no-sparse-arrays
    ["a hole", sparse, "[1]"],
    ["an array with properties", Object.assign([1], { x: 1 })],
    ["a symbol key", { [Symbol("s")]: 1 }],
    ["a non-enumerable property", hidden, ".x"],
    ["a getter", getter, ".x"],
    ["a function", { toJSON: () => 1 }, ".toJSON"],
    ["a disguised Number", Object.setPrototypeOf(Object(5), Object.prototype)],
    ["undefined", { "a b": undefined }, '["a b"]'],
    ["undefined", { "a\n": [undefined] }, '["a\\n"][0]']
  ])("%s is named, and where it is", (what, value, below = "") => {
    expect(unstorable(at(value))).toEqual({ path: `$.user.tags[3]${below}`, what })
  })

  it("is named at the top too", () => {
    expect(unstorable(new Date(0))).toEqual({ path: "$", what: "an instance of Date" })
    expect(unstorable(NaN)).toEqual({ path: "$", what: "NaN" })
  })

  it("names a cycle where it closes", () => {
    const cycle: Record<string, unknown> = { a: [] }
    ;(cycle["a"] as Array<unknown>).push({ cycle })
    expect(unstorable(cycle)).toEqual({ path: "$.a[0].cycle", what: "a cycle" })
  })

  it("sees a toJSON that everything inherits", () => {
    Reflect.defineProperty(Array.prototype, "toJSON", { value: () => 1, configurable: true })
    try {
      expect(unstorable({ a: [] })).toEqual({ path: "$.a", what: "a toJSON method" })
    } finally {
      delete (Array.prototype as { toJSON?: unknown }).toJSON
    }
  })

  it("runs no getter", () => {
    const value = {}
    for (const name of ["a", "toJSON"]) {
      Object.defineProperty(value, name, {
        enumerable: true,
        get: () => expect.unreachable("a getter ran")
      })
    }
    expect(unstorable(value)?.what).toBe("a getter")
  })
})

describe("a value that resists", () => {
  const nested = (depth: number): unknown => {
    let value: unknown = 1
    for (let level = 0; level < depth; level++) value = [value]
    return value
  }

  it("by its depth is refused, and its path is cut", () => {
    expect(unstorable(nested(1_000))).toBeUndefined()
    for (const depth of [1_001, 100_000]) {
      const found = unstorable(nested(depth))
      expect(found?.what).toBe("nesting deeper than 1000 levels")
      expect(found?.path).toMatch(/^\$(\[0\])+\[?…$/)
      expect(found?.path.length).toBe(200)
    }
  })

  it("by its size is refused: thirty levels of two shared halves are a billion values", () => {
    let value: unknown = 0
    for (let level = 0; level < 30; level++) value = [value, value]
    expect(unstorable(value)?.what).toBe("more than 10000000 values")
  })

  it("by a stack that is nearly spent is refused, or told right", () => {
    const value = nested(500)
    const dig = (): unknown => {
      try {
        return dig()
      } catch {
        return unstorable(value)?.what
      }
    }
    expect([undefined, "an object that throws when it is read"]).toContain(dig())
  })

  const trap = () => {
    throw new Proxy({}, { getPrototypeOf: () => expect.unreachable("looked at what was thrown") })
  }
  const revoked = Proxy.revocable({}, {})
  revoked.revoke()

  it.each<[trap: string, value: unknown, path: string]>([
    ["getPrototypeOf", new Proxy({}, { getPrototypeOf: trap }), "$.a"],
    ["ownKeys", new Proxy({}, { ownKeys: trap }), "$.a"],
    ["getOwnPropertyDescriptor", new Proxy({ x: 1 }, { getOwnPropertyDescriptor: trap }), "$.a.x"],
    ["get", new Proxy({ x: 1 }, { get: trap }), "$.a.x"],
    ["get", new Proxy([], { get: trap }), "$.a"],
    ["nothing left", revoked.proxy, "$.a"]
  ])("by a proxy's %s that throws is refused", (_, value, path) => {
    expect(unstorable({ a: value })).toEqual({
      path,
      what: "an object that throws when it is read"
    })
  })

  it("by proxies without end is refused", () => {
    const endless = (): object =>
      new Proxy({ next: 1 }, { get: (_, name) => (name === "next" ? endless() : undefined) })
    expect(unstorable(endless())?.what).toBe("nesting deeper than 1000 levels")
    const long = new Proxy([] as Array<number>, { get: () => 1e15 })
    expect(unstorable(long)).toEqual({ path: "$[0]", what: "a hole" })
  })

  it("by a cycle behind many values is told of the cycle, and soon", () => {
    const wide: Array<unknown> = Array.from({ length: 400_000 }, () => 1)
    wide.push(wide)
    expect(unstorable(wide)).toEqual({ path: "$[400000]", what: "a cycle" })
  })

  it("by what a proxy shows to readers is judged by that", () => {
    const shows = new Proxy({ x: 1 }, { get: (_, name) => (name === "x" ? 1n : undefined) })
    expect(unstorable(shows)).toEqual({ path: "$.x", what: "a bigint" })
    expect(unstorable(new Proxy({ x: [1] }, {}))).toBeUndefined()
  })
})
