/** What is stored comes back, under whatever key, as it was, in the order asked for. */
import * as Effect from "effect/Effect"
import * as Envelope from "../../../policy/envelope.js"
import { expectEqual, expectThat } from "../expectation.js"
import { oddKeys } from "../oddKeys.js"
import type { Group } from "../register.js"
import {
  ask,
  contentOf,
  entry,
  expectStored,
  getMany,
  granted,
  long,
  reading,
  type Subject
} from "./subject.js"

/** Stores an entry of its own at each key. */
const fill = (subject: Subject, keys: ReadonlyArray<string>) =>
  Effect.forEach(
    keys,
    (key, index) =>
      Effect.tap(entry(subject, { payload: `{"index":${index}}` }), (stored) =>
        subject.backend.set(key, stored, long)
      ),
    { concurrency: 16 }
  )

const inOrder = "getMany gives one answer a key, in the order asked, undefined for a miss"
const asItWas = "what is stored is handed back letter for letter, and byte for byte"
const injective =
  "any string is a key, and different keys are different entries: map them if need be"
const grants = "what is no entry of ours never stands in the way: getMany may miss it, lease grants"

const oddTexts: Readonly<Record<string, string>> = {
  nothing: "",
  NUL: '"\0"',
  "CR LF": '"\r\nEND\r\n"',
  unicode: '"ключ 🔑 鍵 e\u0301 \u2028"',
  "U+FFFD": '"\ufffd"',
  "a byte order mark": "\ufeff{}",
  quotes: "\"'`\\\\",
  "200 kB": JSON.stringify("v".repeat(200_000))
}

const oddBytes: Readonly<Record<string, Uint8Array>> = {
  "no bytes": new Uint8Array(),
  "every byte": Uint8Array.from({ length: 256 }, (_, byte) => byte),
  "no UTF-8": Uint8Array.of(0xff, 0xfe, 0xc3, 0x28, 0x80, 0x00),
  "CR LF": Uint8Array.of(13, 10, 13, 10),
  "50 kB": Uint8Array.from({ length: 50_000 }, (_, at) => (at * 31) % 256)
}

const strangers: Readonly<Record<string, Envelope.Encoded>> = {
  "an empty text": "",
  "a short text": "hello",
  JSON: JSON.stringify({ hello: "world" }),
  "a text of a header's length": "x".repeat(Envelope.headerLength),
  "a header without digits": `L1 j v ${"x".repeat(Envelope.headerLength)}`,
  "a header cut short": "L1 j v 01763712000000 9999",
  bytes: Uint8Array.from({ length: 256 }, (_, byte) => 255 - byte)
}

const roundTrip = (subject: Subject, payloads: Readonly<Record<string, Envelope.Encoded>>) =>
  Effect.forEach(
    Object.entries(payloads),
    ([what, payload]) =>
      Effect.gen(function* () {
        const { backend, key, token } = subject
        const [set, committed] = [key(`set ${what}`), key(`committed ${what}`)]
        const stored = yield* entry(subject, { payload })
        yield* backend.set(set, stored, long)
        yield* expectStored(subject, set, stored, `${what}, after set`)
        const own = token()
        yield* ask(subject, committed, reading(own), granted())
        yield* expectEqual("commit", yield* backend.commit(committed, own, stored, long), true)
        yield* expectStored(subject, committed, stored, `${what}, after commit`)
        const value = { _tag: "Value", stored: contentOf(stored) }
        yield* ask(subject, committed, reading(token()), value, `${what}, read by lease`)
      }),
    { discard: true }
  )

export const values: Group<Subject> = {
  name: "values",
  cases: [
    {
      name: "getMany answers in the order asked, with undefined where nothing is",
      rule: inOrder,
      run: (subject) =>
        Effect.gen(function* () {
          const { backend, key } = subject
          const [a, b, c] = [key("a"), key("b"), key("c")]
          const [first, second] = yield* fill(subject, [a, b])
          const found = yield* getMany(subject, [c, b, a, c, b])
          yield* expectEqual(
            "getMany of c, b, a, c, b where a and b are stored",
            found.map(contentOf),
            [undefined, second, first, undefined, second].map(contentOf)
          )
          yield* expectEqual("getMany of no keys", yield* backend.getMany([]), [])
        })
    },
    {
      name: "getMany can be run again, and what it gave before stays",
      rule: inOrder,
      run: (subject) =>
        Effect.gen(function* () {
          const { key } = subject
          const keys = [key("a"), key("b"), key("c")]
          const look = Effect.map(getMany(subject, keys), (found) => ({
            found,
            contents: found.map(contentOf)
          }))
          const before = yield* look
          yield* fill(subject, keys)
          const after = yield* look
          yield* expectEqual("what is found then", after.contents.includes(undefined), false)
          yield* expectEqual("what was found before", before.found.map(contentOf), before.contents)
        })
    },
    {
      name: "getMany answers 256 keys at once",
      rule: inOrder,
      run: (subject) =>
        Effect.gen(function* () {
          const keys = Array.from({ length: 256 }, (_, index) => subject.key(`many:${index}`))
          const stored = yield* fill(
            subject,
            keys.filter((_, index) => index % 2 === 0)
          )
          const found = yield* getMany(subject, keys)
          yield* expectEqual(
            "256 keys, every second of them stored",
            found.map(contentOf),
            keys.map((_, index) => (index % 2 === 0 ? contentOf(stored[index / 2]) : undefined))
          )
        })
    },
    {
      name: "any string is a key, and no two are the same",
      rule: injective,
      run: (subject) =>
        Effect.gen(function* () {
          const names = Object.keys(oddKeys)
          const keys = names.map((name) => subject.key(oddKeys[name]))
          const stored = yield* fill(subject, keys)
          yield* Effect.forEach(
            names,
            (name, index) => expectStored(subject, keys[index]!, stored[index], name),
            { discard: true }
          )
          const found = yield* getMany(subject, keys)
          yield* expectEqual(
            "all of them, in one command",
            found.map(contentOf),
            stored.map(contentOf)
          )
        })
    },
    {
      name: "any string has a lease of its own",
      rule: injective,
      run: (subject) =>
        Effect.forEach(
          Object.entries(oddKeys),
          ([name, userKey]) =>
            Effect.gen(function* () {
              const { backend, token } = subject
              const key = subject.key(userKey)
              const own = token()
              yield* ask(subject, key, reading(own), granted(), name)
              const stored = yield* entry(subject)
              yield* expectEqual(name, yield* backend.commit(key, own, stored, long), true)
              const value = { _tag: "Value", stored: contentOf(stored) }
              yield* ask(subject, key, reading(token()), value, name)
              yield* expectEqual(name, yield* backend.invalidate(key), true)
              yield* expectStored(subject, key, undefined, name)
            }),
          { discard: true }
        )
    },
    {
      name: "a user's key that looks like bookkeeping touches no lease",
      rule: "bookkeeping lives where no value key can be: under P!… where values are at P:…",
      run: (subject) =>
        Effect.gen(function* () {
          const { backend, key, token } = subject
          const own = token()
          yield* ask(subject, key("a"), reading(own), granted())
          const looks = ["a:lock", "a:lease", "a!lease", "!lease:{a}", "lease:a", "ended:a"]
          yield* fill(
            subject,
            looks.map((like) => key(like))
          )
          yield* Effect.forEach(looks, (like) => backend.invalidate(key(like)))
          const holder = yield* backend.holder(key("a"))
          yield* expectThat(
            "the lease of key a, after writes to keys like a:lock",
            holder._tag === "Some" && holder.value.token === own,
            `held by ${own}`,
            holder
          )
        })
    },
    {
      name: "texts come back as they were",
      rule: asItWas,
      run: (subject) => roundTrip(subject, oddTexts)
    },
    {
      name: "bytes come back as they were",
      rule: asItWas,
      unless: ({ backend }) => (backend.capabilities.bytes ? undefined : "its values are text"),
      run: (subject) => roundTrip(subject, oddBytes)
    },
    {
      name: "a stranger's value is handed over or missed, and the lease is granted",
      rule: grants,
      run: (subject) =>
        Effect.forEach(
          Object.entries(strangers),
          ([what, value]) =>
            Effect.gen(function* () {
              const { backend, key, token } = subject
              const own = token()
              yield* backend.set(key(what), value, long)
              const [found] = yield* backend.getMany([key(what)])
              yield* expectThat(
                `getMany of ${what}`,
                found === undefined || Envelope.decode(found) === undefined,
                "what is no entry, or undefined",
                found
              )
              yield* ask(subject, key(what), reading(own), granted(), what)
              const stored = yield* entry(subject)
              yield* expectEqual(
                `commit over ${what}`,
                yield* backend.commit(key(what), own, stored, long),
                true
              )
              yield* expectStored(subject, key(what), stored, `after the commit over ${what}`)
            }),
          { discard: true }
        )
    }
  ]
}
