import { describe, expect, it } from "@effect/vitest"
import * as FastCheck from "effect/FastCheck"
import {
  commandOf,
  makeFramer,
  makePlaceKeeper,
  makeReplyReader,
  type Words
} from "../../src/testing/faults/resp.js"
import { encode } from "./sockets.js"

/** Cuts bytes at the given places, and reads frames out of the pieces. */
const framesOf = (bytes: Buffer, cuts: ReadonlyArray<number>) => {
  const read = makeFramer()
  const places = [...new Set(cuts.map((cut) => cut % (bytes.length + 1)))].toSorted((a, b) => a - b)
  return [0, ...places].flatMap((from, n) => read(bytes.subarray(from, places[n])))
}

const text = FastCheck.string({ unit: "binary", maxLength: 12 })
const line = FastCheck.stringMatching(/^[^\r\n]{0,9}$/)
const cuts = FastCheck.array(FastCheck.nat(2_000), { maxLength: 40 })

const { frame: anyFrame } = FastCheck.letrec<{ frame: string; element: string }>((tie) => {
  const listOf = (types: ReadonlyArray<string>, perEntry: number) =>
    FastCheck.tuple(
      FastCheck.constantFrom(...types),
      FastCheck.array(tie("element"), { maxLength: 4 }).map((all) =>
        all.slice(0, all.length - (all.length % perEntry))
      )
    ).map(([type, all]) => `${type}${all.length / perEntry}\r\n${all.join("")}`)
  const element = FastCheck.oneof(
    { maxDepth: 4 },
    FastCheck.tuple(FastCheck.constantFrom(..."+-:,(_#"), line).map(
      ([type, rest]) => `${type}${rest}\r\n`
    ),
    FastCheck.tuple(FastCheck.constantFrom(..."$!="), text).map(
      ([type, rest]) => `${type}${Buffer.byteLength(rest)}\r\n${rest}\r\n`
    ),
    FastCheck.constantFrom("$-1\r\n", "*-1\r\n"),
    listOf(["*", "~", ">"], 1),
    listOf(["%"], 2)
  )
  const attribute = listOf(["|"], 2)
  return {
    element,
    frame: FastCheck.oneof(
      { weight: 9, arbitrary: element },
      { weight: 1, arbitrary: FastCheck.tuple(attribute, element).map((both) => both.join("")) }
    )
  }
})

describe("the framing of RESP", () => {
  it("gives the frames that were sent, in whatever chunks they come", () => {
    FastCheck.assert(
      FastCheck.property(FastCheck.array(anyFrame, { maxLength: 8 }), cuts, (frames, cuts) => {
        const read = framesOf(Buffer.from(frames.join("")), cuts)
        expect(read.map(({ bytes }) => bytes.toString())).toEqual(frames)
      }),
      { numRuns: 2_000 }
    )
  })

  it("gives the words of commands as the client wrote them", () => {
    const command = FastCheck.array(text, { minLength: 1, maxLength: 5 })
    FastCheck.assert(
      FastCheck.property(FastCheck.array(command, { maxLength: 5 }), cuts, (commands, cuts) => {
        const read = framesOf(Buffer.from(commands.map(encode).join("")), cuts)
        expect(read.map(commandOf)).toEqual(
          commands.map(([name = "", ...args]) => [name.toLowerCase(), ...args])
        )
      }),
      { numRuns: 1_000 }
    )
  })

  it("calls a frame by its own type, not by that of what is in it or before it", () => {
    const frames = [
      "*2\r\n:1\r\n>0\r\n",
      ">1\r\n+a\r\n",
      "|1\r\n+k\r\n*1\r\n:1\r\n%1\r\n:1\r\n:2\r\n"
    ]
    const read = framesOf(Buffer.from(frames.join("")), [])
    expect(read.map(({ type }) => type)).toEqual(["*", ">", "%"])
  })

  it.each(["GET key\r\n", "$x\r\n", "*1.5\r\n"])("refuses %j", (bytes) => {
    expect(() => makeFramer()(Buffer.from(bytes))).toThrow("RESP")
  })
})

describe("frames from the server", () => {
  const frame = (bytes: string) => makeFramer()(Buffer.from(bytes))[0]!
  const confirmed = (type: string, kind: string, channel: string) =>
    frame(`${type}3\r\n+${kind}\r\n+${channel}\r\n:1\r\n`)
  const message = frame(encode(["message", "a", "b"]))
  const range = ["lrange", "list", "0", "-1"]

  it("that look like messages are pushes only where something is subscribed in RESP2", () => {
    const read = makeReplyReader()
    expect(read(message, range)).toBe("end")
    expect(read(confirmed("*", "subscribe", "a"), ["subscribe", "a"])).toBe("end")
    expect(read(message, ["ping"])).toBe("push")
    expect(read(confirmed("*", "unsubscribe", "a"), ["unsubscribe", "a"])).toBe("end")
    expect(read(message, range)).toBe("end")
  })

  it("that look like messages are replies in RESP3, where pushes say what they are", () => {
    const read = makeReplyReader()
    expect(read(confirmed(">", "subscribe", "a"), ["subscribe", "a"])).toBe("end")
    expect(read(message, range)).toBe("end")
    expect(read(confirmed(">", "subscribe", "a"), range)).toBe("push")
  })

  it("answer a subscription once for each channel, and a refused one once", () => {
    const read = makeReplyReader()
    const readAll = (kind: string, channels: ReadonlyArray<string>, due: Words) =>
      channels.map((channel) => read(confirmed("*", kind, channel), due))
    const all = ["subscribe", "a", "b", "c"]
    expect(readAll("unsubscribe", [""], ["unsubscribe"])).toEqual(["end"])
    expect(readAll("subscribe", ["a", "b", "c"], all)).toEqual(["part", "part", "end"])
    expect(readAll("psubscribe", ["p*"], ["psubscribe", "p*"])).toEqual(["end"])
    expect(read(frame("-NOPERM\r\n"), all)).toBe("end")
    const left = readAll("unsubscribe", ["c", "a", "b"], ["unsubscribe"])
    expect(left).toEqual(["part", "part", "end"])
  })
})

describe("commands keep their place", () => {
  it.each<[sentence: string, commands: string, kept: string]>([
    ["never, if they are plain", "get evalsha publish", ""],
    ["if they change the connection", "get select get subscribe get", "select subscribe"],
    ["in a transaction", "get multi set unwatch set exec get", "multi set unwatch set exec"],
    ["from WATCH on", "watch get multi set discard get", "watch get multi set discard"],
    ["until UNWATCH", "watch get unwatch get", "watch get unwatch"],
    ["until UNWATCH, but not in MULTI", "watch multi unwatch exec", "watch multi unwatch exec"],
    ["until the connection is reset", "watch multi reset get", "watch multi reset"]
  ])("%s", (_, commands, kept) => {
    const keepsPlace = makePlaceKeeper()
    expect(commands.split(" ").filter((name) => keepsPlace([name]))).toEqual(
      kept.split(" ").filter((name) => name !== "")
    )
  })
})
