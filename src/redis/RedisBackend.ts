/** The port of `port/CacheBackend.ts` over a Redis client. */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import type { Encoded } from "../policy/envelope.js"
import type { BackendError, CacheBackend } from "../port/CacheBackend.js"
import { slotOf } from "../policy/keys.js"
import { now } from "../port/monotonic.js"
import { mapExit, Unfibered } from "../port/unfibered.js"
import {
  failsWith,
  fault,
  isAnswered,
  isWrongType,
  late,
  send,
  sending,
  sendTogether,
  socketOf
} from "./driver.js"
import type { Link } from "./link.js"
import { pages, undisturbed } from "./passes.js"
import type { Service } from "./RedisClient.js"
import { scripted } from "./scripted.js"
import { Strays } from "./strays.js"
import { type Done, publish, settleStep, type Steps } from "./steps.js"
import { pushText } from "./subscriptions.js"
import { transactional } from "./transactional.js"
import { fromWire, ownerOfLease, type Place, placeOf, toWire } from "./wire.js"

/** No answer has come that says it was, or will not be. */
const mayBeExecuted = (exit: Exit.Exit<unknown, BackendError>): boolean =>
  Exit.isFailure(exit) &&
  !failsWith(exit, ({ reason }) => reason === "Refused" || reason === "Late")

/** How many single-key commands of a pass are under way at a time. */
const atATime = 64

export const make = (client: Service): CacheBackend => {
  const byScript = scripted(!client.isCluster)
  const byTransaction = transactional(client.limits.commandTimeout)

  const step = <A>(
    key: string,
    run: (steps: Steps, link: Link, place: Place) => Effect.Effect<Done<A>, BackendError>
  ): Effect.Effect<A, BackendError> =>
    Effect.suspend(() => {
      const place = placeOf(key)
      const link = client.linkOf(place.entry)
      return settleStep(
        link,
        place.prefix,
        Effect.suspend(() => run(byScript, link, place)),
        Effect.suspend(() => run(byTransaction, link, place))
      )
    })

  const [main] = client.links
  const strays = new Strays()
  /** The connection that commands go by now; undefined: none, or nobody knows which. */
  const socketOn = ({ sender }: Link) => (client.isCluster ? undefined : socketOf(sender()))

  /** By connection, and on a cluster by slot: MGET takes keys of one alone. */
  const groupOf = (key: string): Link | number =>
    client.isCluster ? slotOf(toWire(key)) : client.linkOf(toWire(key))

  const getMany: CacheBackend["getMany"] = (keys) => {
    const wireKeys = keys.map(toWire)
    const [first] = wireKeys
    if (first === undefined) return Effect.succeed([])
    const isAlone = wireKeys.length === 1
    const name = isAlone ? "GET" : "MGET"
    return new Unfibered((settle) =>
      mapExit(
        sending(client.linkOf(first).sender(), "getMany", name, wireKeys, "bytes"),
        (exit): Exit.Exit<ReadonlyArray<Encoded | undefined>, BackendError> => {
          // A stranger's list or hash at our key.
          if (isAlone && failsWith(exit, isWrongType)) return Exit.succeed([undefined])
          return Exit.map(exit, (reply) => {
            const found = (isAlone ? [reply] : reply) as ReadonlyArray<Encoded | null>
            return found.map((it) => it ?? undefined)
          })
        }
      )(settle)
    )
  }

  const set: CacheBackend["set"] = (key, stored, keepFor) =>
    Effect.flatMap(now, (time) => {
      const { commandTimeout } = client.limits
      const wireKey = toWire(key)
      const link = client.linkOf(wireKey)
      const deadline = link.clockOf(wireKey).at(time) + commandTimeout
      const isSent = link.sender() !== undefined
      const until = performance.now() + commandTimeout + link.clockOf(wireKey).uncertainty
      const stray = { socket: socketOn(link), until }
      return step(key, (steps, own, place) =>
        steps.set(own, place, stored, keepFor, deadline)
      ).pipe(
        // ◆ With the command on its way the caller leaves, or the connection breaks: an
        // invalidation that is replayed and confirmed must outlast it.
        Effect.onExit((exit) =>
          isSent && mayBeExecuted(exit)
            ? Effect.sync(() => strays.add(wireKey, stray))
            : Effect.void
        ),
        Effect.filterOrElse(
          (isInTime) => isInTime,
          () => Effect.zipRight(Effect.ignore(link.resample(wireKey)), Effect.fail(late("set")))
        ),
        Effect.asVoid
      )
    })

  const invalidate: CacheBackend["invalidate"] = (key) => {
    const wireKey = toWire(key)
    return Effect.zipRight(
      strays.outlast(wireKey, () => socketOn(client.linkOf(wireKey))),
      step(key, (steps, link, place) => steps.invalidate(link, place))
    )
  }

  /** ◆ Leases first: a holder that commits between the passes must find its lease gone. */
  const clear: CacheBackend["clear"] = (start) => {
    const wireStart = toWire(start)
    const prefix = wireStart.slice(0, wireStart.indexOf(":"))
    const leases = Stream.runForEach(pages(main, "clear", `${prefix}!lease:{`), (keys) => {
      const owners = keys
        .map((key) => ownerOfLease(prefix, key))
        .filter((owner): owner is string => owner?.startsWith(start) === true)
      return Effect.forEach(
        owners,
        (owner) => step(owner, (steps, link, place) => steps.revoke(link, place)),
        { concurrency: atATime, discard: true }
      )
    })
    const values = Stream.runForEach(pages(main, "clear", wireStart), (keys) =>
      // One key a command: on a cluster a server's keys are of many slots, and some may
      // be another's by now.
      Effect.flatMap(
        sendTogether(
          main.sender(),
          "clear",
          keys.map((key) => ["UNLINK", key] as const)
        ),
        (answers) => {
          const failed = answers.find((answer) => !isAnswered(answer))
          return failed === undefined ? Effect.void : Effect.fail(fault("clear", failed.reason))
        }
      )
    )
    // Without scripts those who set take turns, which this does not.
    const socket = () => (main.isScriptable ? socketOn(main) : undefined)
    return strays
      .outlastAll(wireStart, socket)
      .pipe(
        Effect.zipRight(undisturbed(main, Effect.zipRight(leases, values))),
        Effect.zipRight(publish(main, prefix, pushText("cleared", "", wireStart)))
      )
  }

  return {
    name: "redis",
    capabilities: { pushes: true, scan: true, bytes: true, shortestTtl: 1 },
    status: () => {
      const trouble = client.links.map((link) => link.trouble()).find((it) => it !== undefined)
      return { address: client.address, isReachable: trouble === undefined, reason: trouble }
    },
    serverTime: (monotonic) => main.clockOf("").at(monotonic),
    groupOf: client.isCluster || client.links.length > 1 ? groupOf : undefined,
    getMany,
    lease: (key, request) => step(key, (steps, link, place) => steps.lease(link, place, request)),
    renew: (key, token, duration) =>
      step(key, (steps, link, place) => steps.renew(link, place, token, duration)),
    commit: (key, token, stored, keepFor) =>
      step(key, (steps, link, place) => steps.commit(link, place, token, stored, keepFor)),
    release: (key, token) => step(key, (steps, link, place) => steps.release(link, place, token)),
    set,
    invalidate,
    clear,
    keys: (start) =>
      Stream.mapConcat(pages(main, "keys", toWire(start)), (keys) => keys.map(fromWire)),
    holder: (key) =>
      Effect.suspend(() => {
        const { lease } = placeOf(key)
        const to = client.linkOf(lease).sender()
        return Effect.map(
          Effect.all([send(to, "holder", "GET", [lease]), send(to, "holder", "PTTL", [lease])], {
            concurrency: 2
          }),
          ([record, remaining]) => {
            const [token] = String(record ?? "").split(" ")
            return token !== undefined && token !== "" && Number(remaining) >= 0
              ? Option.some({ token, remaining: Number(remaining) })
              : Option.none()
          }
        )
      }),
    subscribe: client.subscriptions.subscribe
  }
}
