/** The record of a lease: the text `token duration awaited`, as the scripts have it. */
import type { Lease } from "../policy/lease.js"
import type { Call } from "./driver.js"
import { untilCall } from "./transaction.js"

/** It runs out on the server: as long as it is there, it has not. */
export const leaseOf = (record: unknown, until = Infinity): Lease | undefined => {
  const [, token, duration, awaited] = /^(\S+) (\d+) ([01])$/.exec(String(record)) ?? []
  return token === undefined
    ? undefined
    : { token, duration: Number(duration), until, isAwaited: awaited === "1" }
}

/** Writes it, with the life that it has or else is to have. */
export const leaseCall = (key: string, lease: Lease | undefined, now: number): Call => {
  if (lease === undefined) return ["DEL", key]
  const { duration, isAwaited, token, until } = lease
  const life = until === Infinity ? ["KEEPTTL"] : untilCall(until, now)
  return ["SET", key, `${token} ${Math.ceil(duration)} ${isAwaited ? 1 : 0}`, ...life]
}
