/** Passes bytes on in their order: as late, as slowly and in such packets as the wire says. */

/** The wire, one way, as it is now. */
export interface Pace {
  /** Milliseconds from one end to the other; with jitter, others each time. */
  readonly latency: () => number
  /** Bytes a millisecond. */
  readonly bandwidth: number
  /** The largest packet, in bytes. */
  readonly packet: number
}

interface Item {
  readonly bytes: Buffer
  readonly pass: (bytes: Buffer) => void
  /** When the latency is over. */
  readonly ready: number
  /** When the last byte is through; known once all before it is. */
  due?: number
}

/** What a narrow wire lets through at once, in milliseconds' worth: a change is soon felt. */
const breath = 10

const nothing = Buffer.alloc(0)

export const makeLine = (pace: () => Pace) => {
  const queue: Array<Item> = []
  let isFree = 0
  let stop: (() => void) | undefined

  // By when the bytes before it were through, not by when a timer said so: timers are late.
  const dueOf = (item: Item): number => {
    item.due ??= isFree = Math.max(isFree, item.ready) + item.bytes.length / pace().bandwidth
    return item.due
  }

  const drain = (): void => {
    stop = undefined
    for (let first = queue[0]; first !== undefined; first = queue[0]) {
      const wait = dueOf(first) - performance.now()
      if (wait > 0) return drainIn(wait)
      queue.shift()
      first.pass(first.bytes)
      // In another turn of the event loop, or two packets would be read as one.
      if (queue.length > 0 && pace().packet < Infinity) return drainNext()
    }
  }
  const drainIn = (millis: number): void => {
    const timer = setTimeout(drain, millis)
    stop = () => clearTimeout(timer)
  }
  const drainNext = (): void => {
    const immediate = setImmediate(drain)
    stop = () => clearImmediate(immediate)
  }

  const enqueue = (item: Item): void => {
    queue.push(item)
    if (stop === undefined) drainNext()
  }

  return {
    /** Passes the bytes on, in as many pieces as it takes. */
    carry: (bytes: Buffer, pass: (bytes: Buffer) => void): void => {
      const { bandwidth, packet } = pace()
      const latency = pace().latency()
      const isPlain = latency === 0 && bandwidth === Infinity && bytes.length <= packet
      if (isPlain && queue.length === 0) return pass(bytes)
      const size = Math.min(packet, Math.max(1, Math.floor(bandwidth * breath)))
      const ready = performance.now() + latency
      for (let at = 0; at < bytes.length; at += size) {
        enqueue({ bytes: bytes.subarray(at, at + size), pass, ready })
      }
    },
    /** Acts behind all that is on its way. */
    follow: (act: () => void): void => {
      const latency = pace().latency()
      if (latency === 0 && queue.length === 0) return act()
      enqueue({ bytes: nothing, pass: act, ready: performance.now() + latency })
    },
    empty: (): void => {
      queue.length = 0
      stop?.()
      stop = undefined
    }
  }
}
