/** The port of `port/LockBackend.ts` over a Redis client. */
import * as Effect from "effect/Effect"
import type { BackendError } from "../port/CacheBackend.js"
import type { LockBackend } from "../port/LockBackend.js"
import { userKey } from "../policy/keys.js"
import type { Link } from "./link.js"
import { type LockSteps, scriptedLock, transactionalLock } from "./lockSteps.js"
import type { Service } from "./RedisClient.js"
import { type Done, settleStep } from "./steps.js"
import { type LockPlace, lockPlaceOf } from "./wire.js"

export const make = (client: Service, prefix: string): LockBackend => {
  const byScript = scriptedLock(!client.isCluster)
  const byTransaction = transactionalLock(client.limits.commandTimeout)

  const step = <A>(
    name: string,
    run: (steps: LockSteps, link: Link, place: LockPlace) => Effect.Effect<Done<A>, BackendError>
  ): Effect.Effect<A, BackendError> =>
    Effect.suspend(() => {
      const place = lockPlaceOf(prefix, name)
      const link = client.linkOf(place.key)
      return settleStep(
        link,
        prefix,
        Effect.suspend(() => run(byScript, link, place)),
        Effect.suspend(() => run(byTransaction, link, place))
      )
    })

  return {
    name: "redis",
    acquire: (name, request) =>
      step(name, (steps, link, place) => steps.acquire(link, place, request)),
    renew: (name, token, duration) =>
      step(name, (steps, link, place) => steps.renew(link, place, token, duration)),
    release: (name, token) => step(name, (steps, link, place) => steps.release(link, place, token)),
    subscribe: (handler) =>
      client.subscriptions.subscribe(prefix, (signal) => {
        if (signal._tag !== "Push" || signal.reason !== "ended") return
        const name = userKey(prefix, signal.key)
        if (name !== undefined) handler(name, signal.token)
      })
  }
}
