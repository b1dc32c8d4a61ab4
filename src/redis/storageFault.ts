/** What a storage says of a fault: what it means for an entry, and what to do. */
import type { BackendError } from "../port/CacheBackend.js"
import { StorageError } from "../port/StorageBackend.js"
import { isForbiddenText, messageOf, noConnection } from "./driver.js"
import type { Service } from "./RedisClient.js"

type Reason = StorageError["reason"]

/** By how a server's answer begins, or what it says of a script: what it means, and the remedy. */
const answers: ReadonlyArray<readonly [RegExp, Reason, string]> = [
  [/(^|: -)OOM\b/, "Full", "delete entries, give them a ttl, or raise the server's maxmemory"],
  [/(^|: -)READONLY\b/, "ReadOnly", "connect to the master of this replica"],
  [/(^|: -)MISCONF\b/, "ReadOnly", "see in the server's log why it cannot save to its disk"],
  [/(^|: -)NOREPLICAS\b/, "ReadOnly", "see what has become of the server's replicas"],
  [/^(LOADING|BUSY|MASTERDOWN|CLUSTERDOWN|TRYAGAIN|ASK)\b/, "Unavailable", "try again in a moment"]
]

const denied = "set user and password of RedisClient, and see what the server's ACL lets them do"

const explain = (
  { address, limits }: Pick<Service, "address" | "limits">,
  operation: string,
  error: BackendError,
  trouble: string | undefined
): readonly [Reason, string] => {
  const text = messageOf(error.cause)
  const isNoConnection = text === noConnection.message
  const isUnsent = isNoConnection || operation === "connect"
  const why = (isNoConnection ? (trouble ?? text) : text).replace(/\.+$/, "")
  if (isForbiddenText(why)) {
    return ["Denied", `${address} does not let us: ${why}. Remedy: ${denied}`]
  }
  const known = answers.find(([start]) => start.test(text))
  if (known !== undefined) return [known[1], `${address} says ${why}. Remedy: ${known[2]}`]
  switch (error.reason) {
    case "Timeout":
      return [
        "Timeout",
        `${address} gave no reply within ${limits.commandTimeout} ms, and whether it was done is ` +
          "unknown. Remedy: see why the server is slow, or raise commandTimeout of RedisClient"
      ]
    case "Refused":
      return ["Refused", `${address} says ${why}. Remedy: see to what it refuses`]
    default:
      return [
        "Unavailable",
        `there is no connection to ${address}: ${why}. ` +
          (isUnsent ? "Nothing was sent. " : "Whether it was done is unknown. ") +
          "Remedy: see that the server runs, and that its address is right"
      ]
  }
}

/**
 * A command failed.
 *
 * @param trouble why nothing is sent now, if that is known
 */
export const storageFault = (
  server: Pick<Service, "address" | "limits">,
  operation: string,
  error: BackendError,
  trouble?: string
): StorageError => {
  const [reason, detail] = explain(server, operation, error, trouble)
  return new StorageError({ backend: "redis", operation, reason, detail, cause: error.cause })
}

/** What stands at a key is none of ours: it is neither taken for missing nor removed. */
export const notOurs = (operation: string, key: string, why: string): StorageError =>
  new StorageError({
    backend: "redis",
    operation,
    reason: "Undecodable",
    detail:
      `what stands at ${JSON.stringify(key.slice(0, 100))} cannot be read: ${why}. ` +
      "It is left as it is. Remedy: another prefix, or delete what has no place there"
  })

export const isNoText = "it is no text, but another of Redis's types"
