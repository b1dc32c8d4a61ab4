/**
 * What JSON would change or lose.
 *
 * @since 0.1.0
 */

/**
 * Where in a value something cannot be stored (`$.user.tags[3]`), and what it is
 * (`an instance of Date`): the words of a log line.
 *
 * @since 0.1.0
 */
export interface Unstorable {
  readonly path: string
  readonly what: string
}

/** A depth that `JSON.stringify` manages from anywhere: it fails near 5,000 on an empty stack. */
const maxDepth = 1_000

/** Few values are as deep: a first look goes no further, so that a cycle ends it soon. */
const mostlyDeepest = 32

/** Two shared halves, thirty times over, are a billion values: JSON has no references. */
const maxValues = 10_000_000

interface Walk {
  readonly path: Array<string | number>
  /** To tell a cycle from a depth; undefined in the first look, which is to be quick. */
  readonly ancestors: Set<object> | undefined
  values: number
}

/**
 * Finds the first thing in a value that would not come back from JSON as it
 * was; `undefined` if all would. Never throws, and runs no getter of the value's
 * own.
 *
 * Not counted as a change: a null prototype, an object met twice without a
 * cycle, being frozen, a plain object of another realm. A top-level `undefined`
 * is fine: the envelope has a kind for it.
 *
 * @since 0.1.0
 */
export const unstorable = (value: unknown): Unstorable | undefined => {
  if (value === undefined) return undefined
  // What a first look refuses may be deep, and no more; or a cycle, whatever it was refused for.
  return firstIn(value) && firstIn(value, new Set())
}

const firstIn = (value: unknown, ancestors?: Set<object>): Unstorable | undefined => {
  const walk: Walk = { path: [], ancestors, values: 0 }
  let what: string | undefined
  try {
    what = whatOf(value, walk)
  } catch {
    // A proxy's trap threw, or the stack is spent. What was thrown is not looked
    // at: it can be a proxy of the same kind.
    what = "an object that throws when it is read"
  }
  return what === undefined ? undefined : { path: pathText(walk.path), what }
}

// On a refusal the path is left as it stands: it leads to the culprit.
const whatOf = (value: unknown, walk: Walk): string | undefined => {
  switch (typeof value) {
    case "string":
    case "boolean":
      return undefined
    case "number":
      if (Object.is(value, -0)) return "-0"
      return Number.isFinite(value) ? undefined : String(value)
    case "object":
      return value === null ? undefined : whatOfObject(value, walk)
    case "undefined":
      return "undefined"
    default:
      return `a ${typeof value}`
  }
}

const whatOfObject = (object: object, walk: Walk): string | undefined => {
  if (walk.ancestors?.has(object) === true) return "a cycle"
  const deepest = walk.ancestors === undefined ? mostlyDeepest : maxDepth
  if (walk.path.length === deepest) return `nesting deeper than ${deepest} levels`
  const prototype: object | null = Object.getPrototypeOf(object)
  const isArray = Array.isArray(object)
  if (!(isArray ? isArrayPrototype(prototype) : isPlainPrototype(prototype))) {
    return nameOf(prototype!)
  }
  walk.ancestors?.add(object)
  const what = isArray ? whatOfItems(object, walk) : whatOfProperties(object, walk)
  if (what !== undefined) return what
  walk.ancestors?.delete(object)
  // Last, when it is known that neither runs a getter of the object's own. By Reflect: a place
  // in the code that meets objects of all shapes finds a property that is not there slowly.
  if (typeof Reflect.get(object, "toJSON") === "function") return "a toJSON method"
  return isArray ? undefined : whatIsDisguised(object)
}

// JSON unwraps a boxed number for what it is inside, whatever its prototype.
const whatIsDisguised = (object: object): string | undefined => {
  const tag = Object.prototype.toString.call(object)
  return tag === "[object Object]" ? undefined : `a disguised ${tag.slice("[object ".length, -1)}`
}

const whatOfItems = (array: ReadonlyArray<unknown>, walk: Walk): string | undefined => {
  for (let index = 0; index < array.length; index++) {
    const what = whatOfProperty(array, index, walk)
    if (what !== undefined) return what
  }
  // The indices and `length`; whatever there is besides, JSON would leave out.
  return Reflect.ownKeys(array).length > array.length + 1 ? "an array with properties" : undefined
}

const whatOfProperties = (object: object, walk: Walk): string | undefined => {
  const keys = Reflect.ownKeys(object)
  for (let at = 0; at < keys.length; at++) {
    const key = keys[at]!
    const what = typeof key === "symbol" ? "a symbol key" : whatOfProperty(object, key, walk)
    if (what !== undefined) return what
  }
  return undefined
}

const whatOfProperty = (object: object, key: string | number, walk: Walk): string | undefined => {
  walk.path.push(key)
  if (++walk.values > maxValues) return `more than ${maxValues} values`
  const descriptor = Object.getOwnPropertyDescriptor(object, key)
  if (descriptor === undefined) return "a hole"
  if (!descriptor.enumerable) return "a non-enumerable property"
  if (!("value" in descriptor)) return "a getter"
  // Read as JSON reads, not from the descriptor: of a proxy they can differ.
  const what = whatOf((object as Record<string | number, unknown>)[key], walk)
  if (what === undefined) walk.path.pop()
  return what
}

// What JSON gives back has this realm's prototypes; data from another realm
// (node:vm, a test runner's sandbox) is as plain as ours.
const isPlainPrototype = (prototype: object | null): boolean =>
  prototype === null ||
  prototype === Object.prototype ||
  (Object.getPrototypeOf(prototype) === null && Object.hasOwn(prototype, "isPrototypeOf"))

const isArrayPrototype = (prototype: object | null): boolean =>
  prototype === null ||
  prototype === Array.prototype ||
  (Array.isArray(prototype) && isPlainPrototype(Object.getPrototypeOf(prototype)))

const nameOf = (prototype: object): string => {
  const constructor: unknown = Object.getOwnPropertyDescriptor(prototype, "constructor")?.value
  const name: unknown = typeof constructor === "function" ? constructor.name : undefined
  return typeof name === "string" && name !== ""
    ? `an instance of ${name.slice(0, 60)}`
    : "an object with a prototype of its own"
}

const pathText = (path: ReadonlyArray<string | number>): string => {
  const text = path.reduce<string>((start, step) => {
    if (start.length > 200) return start
    if (typeof step === "number") return `${start}[${step}]`
    if (/^[A-Za-z_$][\w$]*$/.test(step)) return `${start}.${step}`
    return `${start}[${JSON.stringify(step.slice(0, 200))}]`
  }, "$")
  return text.length > 200 ? `${text.slice(0, 199)}…` : text
}
