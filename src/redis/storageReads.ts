/** What stands at keys: one command for one, for several one round trip a server; a second for what is missing. */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type { BackendError } from "../port/CacheBackend.js"
import { slotOf } from "../policy/slot.js"
import { Unfibered } from "../port/unfibered.js"
import {
  type Call,
  failsWith,
  fault,
  holdTogether,
  isAnswered,
  isWrongType,
  sending,
  sendTogether
} from "./driver.js"
import type { Service } from "./RedisClient.js"

/** A text, nothing, or another type of Redis's. */
export type Found = string | undefined | typeof stranger

export const stranger = Symbol("no text")

/** On a cluster, keys of one slot: a command takes no others. Elsewhere all. */
export const groupsOf = <A>(
  { isCluster }: Pick<Service, "isCluster">,
  items: ReadonlyArray<A>,
  wireKeyOf: (item: A) => string
): ReadonlyArray<ReadonlyArray<A>> => {
  if (!isCluster || items.length < 2) return [items]
  const groups = new Map<number, Array<A>>()
  for (const item of items) {
    const slot = slotOf(wireKeyOf(item))
    const group = groups.get(slot)
    if (group === undefined) groups.set(slot, [item])
    else group.push(item)
  }
  return [...groups.values()]
}

/** One answer a key, in order. */
export const readMany = (
  client: Service,
  command: string,
  wireKeys: ReadonlyArray<string>
): Effect.Effect<ReadonlyArray<Found>, BackendError> => {
  const [first] = wireKeys
  if (first === undefined) return Effect.succeed([])
  if (wireKeys.length === 1) return Effect.map(readOne(client, command, first), (it) => [it])
  const found: Array<Found> = []
  const all = wireKeys.map((_, index) => index)
  // MGET takes another type for nothing at all.
  const read = Effect.map(ask(client, command, "MGET", wireKeys, all), (answers) => {
    for (const [group, value] of answers) {
      const texts = value as ReadonlyArray<string | null>
      for (let at = 0; at < group.length; at++) found[group[at]!] = texts[at] ?? undefined
    }
    return all.filter((index) => found[index] === undefined)
  })
  return Effect.flatMap(read, (missing) =>
    missing.length === 0
      ? Effect.succeed(found)
      : Effect.as(lookAgain(client, command, wireKeys, missing, found), found)
  )
}

/** EXISTS says whether there is something after all. */
const lookAgain = (
  client: Service,
  command: string,
  wireKeys: ReadonlyArray<string>,
  missing: ReadonlyArray<number>,
  found: Array<Found>
): Effect.Effect<void, BackendError> =>
  Effect.flatMap(ask(client, command, "EXISTS", wireKeys, missing), (answers) =>
    Effect.forEach(
      answers.flatMap(([group, count]) => (Number(count) > 0 ? group : [])),
      (index) =>
        Effect.map(readOne(client, command, wireKeys[index]!), (it) => {
          found[index] = it
        }),
      { concurrency: "unbounded", discard: true }
    )
  )

/**
 * Of those of the keys that are at these indices: one command a group of them, all in one round
 * trip, and what each group was answered.
 */
const ask = (
  client: Service,
  command: string,
  name: string,
  wireKeys: ReadonlyArray<string>,
  indices: ReadonlyArray<number>
): Effect.Effect<ReadonlyArray<readonly [ReadonlyArray<number>, unknown]>, BackendError> =>
  Effect.suspend(() => {
    const groups = groupsOf(client, indices, (index) => wireKeys[index]!)
    const to = client.linkOf(wireKeys[0] ?? "").sender()
    holdTogether(to)
    const calls = groups.map((group): Call => [name, ...group.map((index) => wireKeys[index]!)])
    return Effect.flatMap(sendTogether(to, command, calls), (answers) =>
      Effect.forEach(answers, (answer, index) =>
        isAnswered(answer)
          ? Effect.succeed([groups[index] ?? [], answer.value] as const)
          : Effect.fail(fault(command, answer.reason))
      )
    )
  })

const readOne = (
  client: Service,
  command: string,
  wireKey: string
): Effect.Effect<Found, BackendError> =>
  new Unfibered((settle) => {
    const to = client.linkOf(wireKey).sender()
    holdTogether(to)
    sending(
      to,
      command,
      "GET",
      [wireKey],
      "text"
    )((exit) =>
      settle(
        failsWith(exit, isWrongType)
          ? Exit.succeed(stranger)
          : Exit.map(exit, (reply) => (reply as string | null) ?? undefined)
      )
    )
  })
