/** RESP (2, and 3 as far as replies and pushes go): where a frame ends, and whose it is. */

export interface Frame {
  /** The first character of the frame; after attributes, that of what they describe. */
  readonly type: string
  readonly bytes: Buffer
}

/**
 * A command or a push: `["get", "key"]`, `["message", "channel", "text"]`.
 *
 * @since 0.1.0
 * @category models
 */
export type Words = ReadonlyArray<string>

interface Element {
  readonly type: string
  /** Where its text is; empty for what has elements instead. */
  readonly from: number
  readonly to: number
  readonly end: number
  readonly children: number
}

const isOneOf = (types: string) => (type: string) => types.includes(type)
const isLine = isOneOf("+-:,(_#")
const isBlob = isOneOf("$!=")
const isList = isOneOf("*~>")
const isMap = isOneOf("%|")

const elementAt = (buffer: Buffer, at: number): Element | undefined => {
  if (at >= buffer.length) return undefined
  const type = String.fromCharCode(buffer[at]!)
  if (![isLine, isBlob, isList, isMap].some((is) => is(type))) {
    throw new Error(`not RESP: ${JSON.stringify(buffer.toString("latin1", at, at + 40))}`)
  }
  const to = buffer.indexOf("\r\n", at)
  if (to < 0) return undefined
  const after = to + 2
  if (isLine(type)) return { type, from: at + 1, to, end: after, children: 0 }
  const size = Number(buffer.toString("latin1", at + 1, to))
  if (!Number.isInteger(size)) throw new Error(`not a size in RESP: ${buffer.toString()}`)
  if (size < 0 || !isBlob(type)) {
    const children = Math.max(0, size) * (isMap(type) ? 2 : 1)
    return { type, from: after, to: after, end: after, children }
  }
  const end = after + size + 2
  return end > buffer.length ? undefined : { type, from: after, to: end - 2, end, children: 0 }
}

/** Cuts a stream of bytes into frames, however it comes in chunks. */
export const makeFramer = (): ((chunk: Buffer) => ReadonlyArray<Frame>) => {
  let buffer: Buffer = Buffer.alloc(0)
  let at = 0
  // Elements to come until the frame is whole. An attribute is none: what it describes follows.
  let missing = 1
  let type: string | undefined
  return (chunk) => {
    buffer = Buffer.concat([buffer, chunk])
    const frames: Array<Frame> = []
    let start = 0
    for (let next = elementAt(buffer, at); next !== undefined; next = elementAt(buffer, at)) {
      at = next.end
      if (missing === 1 && next.type !== "|") type ??= next.type
      missing += next.children - (next.type === "|" ? 0 : 1)
      if (missing > 0 || type === undefined) continue
      frames.push({ type, bytes: buffer.subarray(start, at) })
      start = at
      missing = 1
      type = undefined
    }
    buffer = buffer.subarray(start)
    at -= start
    return frames
  }
}

/** The scalars of a frame, in order, as UTF-8. */
export const wordsOf = (frame: Frame): Words => {
  const words: Array<string> = []
  let at = 0
  for (
    let next = elementAt(frame.bytes, at);
    next !== undefined;
    next = elementAt(frame.bytes, at)
  ) {
    if (!isList(next.type) && !isMap(next.type)) {
      words.push(frame.bytes.toString("utf8", next.from, next.to))
    }
    at = next.end
  }
  return words
}

/** A client's frame as a command, its name in lower case. */
export const commandOf = (frame: Frame): Words => {
  const [name = "", ...args] = wordsOf(frame)
  return [name.toLowerCase(), ...args]
}

const confirmation = /^([sp]?)(un)?subscribe$/
const message = /^[sp]?message$/

const changesTheConnection = new Set([
  ...["auth", "hello", "select", "client", "reset", "quit", "readonly", "readwrite", "asking"],
  ...["multi", "exec", "discard", "watch", "unwatch", "wait", "waitaof"]
])

/**
 * Tells, of each command of a connection in turn, whether it must be executed
 * after all before it and before all after it: its effect is on the connection,
 * or it stands between `WATCH` or `MULTI` and their end.
 */
export const makePlaceKeeper = (): ((command: Words) => boolean) => {
  let isInMulti = false
  let isWatching = false
  return ([name = ""]) => {
    const keepsPlace =
      isInMulti || isWatching || changesTheConnection.has(name) || confirmation.test(name)
    if (name === "multi") isInMulti = true
    if (name === "watch") isWatching = true
    if (name === "unwatch") isWatching = false
    if (name === "exec" || name === "discard" || name === "reset") isInMulti = isWatching = false
    return keepsPlace
  }
}

/** A frame from the server: the end of a command's answer, a part of it, or a push. */
export type Belonging = "end" | "part" | "push"

/**
 * Tells, of each frame from the server in turn, what it is, given the command
 * whose answer is due. A RESP2 message looks like any array: only on a connection
 * that is subscribed is it a push. A subscription to n channels is answered n times.
 */
export const makeReplyReader = (): ((frame: Frame, due: Words | undefined) => Belonging) => {
  const subscriptions = new Set<string>()
  let pushType = ">"
  let left: number | undefined
  const confirm = (kind: string, isLeaving: boolean, channel: string, [, ...asked]: Words) => {
    const ofKind = [...subscriptions].filter((name) => name.startsWith(`${kind}:`))
    left = (left ?? (asked.length || ofKind.length)) - 1
    if (isLeaving) subscriptions.delete(`${kind}:${channel}`)
    else subscriptions.add(`${kind}:${channel}`)
    if (left > 0) return "part"
    left = undefined
    return "end"
  }
  return (frame, due) => {
    const name = due?.[0] ?? ""
    const mayBePush = frame.type === pushType && subscriptions.size > 0
    if (frame.type === ">" || (frame.type === "*" && (mayBePush || confirmation.test(name)))) {
      const [first = "", channel = ""] = wordsOf(frame)
      const [isConfirmation, kind = "", un] = confirmation.exec(first) ?? []
      if (due !== undefined && isConfirmation !== undefined && first === name) {
        pushType = frame.type
        return confirm(kind, un !== undefined, channel, due)
      }
      if (frame.type === ">" || message.test(first)) return "push"
    }
    if (name === "reset") subscriptions.clear()
    return "end"
  }
}
