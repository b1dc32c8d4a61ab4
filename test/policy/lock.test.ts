import { describe, expect, it } from "@effect/vitest"
import * as Lock from "../../src/policy/lock.js"

const request = { token: "a", duration: 1_000, isWaiting: false }

const fenceOf = ({ reply }: Lock.LockStep<Lock.LockReply>): bigint => {
  if (reply._tag === "Held") throw new Error("held")
  return reply.fence
}

describe("the fence", () => {
  it("is the server's time in microseconds", () => {
    expect(fenceOf(Lock.acquire({}, 1_795_268_577_935.123, request))).toBe(1_795_268_577_935_123n)
  })

  it("grows when two are granted in one microsecond, and when the clock is set back", () => {
    const first = Lock.acquire({}, 1_000, request)
    const second = Lock.acquire(first.cell, 1_000, request)
    expect(fenceOf(second)).toBe(fenceOf(first) + 1n)
    const third = Lock.acquire(Lock.release(second.cell, 1, "a").cell, 1, request)
    expect(fenceOf(third)).toBe(fenceOf(second) + 1n)
  })

  it("grows when what was known is lost", () => {
    const first = Lock.acquire({}, 1_000, request)
    expect(fenceOf(Lock.acquire({}, 1_001, request))).toBeGreaterThan(fenceOf(first))
  })
})

describe("the queue", () => {
  const held = Lock.acquire({}, 0, { ...request, duration: 60_000 }).cell
  const join = (cell: Lock.LockCell, token: string, now = 0) =>
    Lock.acquire(cell, now, { token, duration: 60_000, isWaiting: true })

  it("hands the lock to the first who came, and keeps it from all others meanwhile", () => {
    const queued = join(join(join(held, "b").cell, "c").cell, "b").cell
    const released = Lock.release(queued, 1, "a")
    expect(released.turn).toBe("b")
    expect(join(released.cell, "d", 2).reply._tag).toBe("Held")
    expect(join(released.cell, "b", 2).reply._tag).toBe("Granted")
  })

  it("passes over those who have left, and those who miss their turn", () => {
    const queued = join(join(join(held, "b").cell, "c").cell, "d").cell
    const released = Lock.release(Lock.release(queued, 1, "b").cell, 1, "a")
    expect(released.turn).toBe("c")
    const missed = join(released.cell, "d", 1 + Lock.turnLife)
    expect(missed.reply._tag).toBe("Granted")
    expect(Lock.release(missed.cell, 1 + Lock.turnLife, "d").turn).toBeUndefined()
  })

  it("is of those who wait alone, and forgotten when they ask no more", () => {
    expect(Lock.acquire(held, 0, { ...request, token: "b" }).cell.queue).toBeUndefined()
    const queued = join(held, "b").cell
    expect(Lock.release(queued, Lock.queueLife, "a").turn).toBeUndefined()
  })
})
