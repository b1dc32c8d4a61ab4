/** How a cache is doing: what is wrong, what that means, and what to do. It asks nobody. */
import type * as DateTime from "effect/DateTime"
import * as Option from "effect/Option"
import type { BackendStatus } from "../port/CacheBackend.js"
import type { L2, Path } from "./path.js"
import type { CacheHealth } from "./service.js"

/** @param since when the cache was made */
export const health = (path: Path, since: DateTime.Utc): CacheHealth => {
  const { l2 } = path
  const pendingInvalidations = l2?.pending.size ?? 0
  const status = l2?.backend.status?.()
  const reason = l2 === undefined ? "" : troubles(l2, status, path.log.lastError()?.message)
  return {
    healthy: reason === "",
    backend: l2?.backend.name ?? "memory",
    address: Option.fromNullable(status?.address),
    reachable: status?.isReachable ?? true,
    circuit: l2?.breaker?.unsafeState() ?? "closed",
    since: l2?.breaker?.unsafeSince() ?? since,
    reason: reason === "" ? Option.none() : Option.some(reason),
    pendingInvalidations,
    lastError: Option.fromNullable(path.log.lastError())
  }
}

const troubles = (
  { backend: { capabilities, name }, breaker, pending }: L2,
  status: BackendStatus | undefined,
  lastError: string | undefined
): string => {
  const all: Array<string> = []
  if (status?.isReachable === false) all.push(unreachable(name, status))
  if (breaker !== undefined && breaker.unsafeState() !== "closed") {
    const why = lastError === undefined ? "" : ` The last error: ${lastError}.`
    const next = status?.isGivenUp === true ? givenUp : nextTry(breaker.unsafeRetryAfter())
    all.push(`The circuit to ${name} is ${breaker.unsafeState()}: ${degraded} ${next}${why}`)
  } else if (all.length > 0) {
    all.push(`So ${degraded}`)
  } else if (capabilities.keeps === false) {
    all.push(`${name} keeps nothing: ${degraded}`)
  }
  if (pending.size > 0) {
    // One that stands for too many keys, and a backend that came late and cannot clear.
    const isStuck = pending.isOverflowing && !capabilities.scan
    const remedy = isStuck
      ? `${name} cannot clear them: start this program again.`
      : "They are replayed by themselves."
    all.push(
      `${name} has not confirmed ${pending.size} invalidation(s): until it does, these keys ` +
        `are built in this process. ${remedy}`
    )
  }
  return all.join(" ")
}

const nextTry = (millis: number): string => {
  const seconds = Math.ceil(millis / 1_000)
  return `It is tried again ${seconds > 0 ? `in ${seconds} s` : "now"}.`
}

const givenUp = "It is given up: mend that, and start this program again."

const degraded = "nothing is read from it or stored there, and each process builds what it needs."

const unreachable = (name: string, { address, reason }: BackendStatus): string =>
  `There is no connection to ${name} at ${address}${reason === undefined ? "" : ` (${reason})`}. ` +
  "Is it running, and are address, user and password right?"
