/** WATCH belongs to a connection: what is sent on the next one is not guarded by it. */
import { expect, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Runtime from "effect/Runtime"
import { RedisClient } from "effect-larder/redis"
import type { Sender } from "../../src/redis/driver.js"
import type { Link } from "../../src/redis/link.js"
import { transactional } from "../../src/redis/transactional.js"
import { placeOf } from "../../src/redis/wire.js"
import { describeWithServer } from "../servers/describeWithServer.js"
import { startRedis } from "../servers/redis.js"
import { started } from "./backends.js"

const commandTimeout = 10_000

const linkTo = (url: string) =>
  Effect.map(
    Layer.build(RedisClient.layer({ url, commandTimeout })),
    (context) => Context.get(context, RedisClient).links[0]
  )

/**
 * One connection, then another in its place: it changes when the first step has
 * been answered, and before the answer is heard.
 *
 *     ours    WATCH, reads: the lease is ours    │ lost, and made anew │    MULTI, SET, EXEC
 *     theirs                                      invalidate
 */
const changing = (first: Sender, second: Sender, meanwhile: () => Promise<unknown>): Sender => {
  let current = first
  const call = async (name: string, ...args: ReadonlyArray<string | number | Buffer>) => {
    const reply = await current.call(name, ...args)
    if (name === "EXISTS") {
      await meanwhile()
      current = second
    }
    return reply
  }
  return {
    call,
    callBuffer: call,
    get stream() {
      return (current as unknown as { readonly stream: unknown }).stream
    }
  } as unknown as Sender
}

describeWithServer("a transaction", ["redis-server"], () => {
  const server = started(startRedis({ scripting: false }))

  it.scopedLive("whose connection was lost in its midst writes nothing", () =>
    Effect.gen(function* () {
      const { url } = yield* server
      const runPromise = Runtime.runPromise(yield* Effect.runtime())
      const [ours, theirs] = [yield* linkTo(url), yield* linkTo(url)]
      const steps = transactional(commandTimeout)
      const place = placeOf("larder:key")
      const request = { intent: "read", token: "token", duration: 60_000 } as const
      expect((yield* steps.lease(ours, place, request)).reply._tag).toBe("Granted")

      const torn: Link = {
        ...ours,
        nodeOf: () =>
          changing(ours.nodeOf(place.entry)!, theirs.nodeOf(place.entry)!, () =>
            runPromise(steps.invalidate(theirs, place))
          )
      }
      const exit = yield* Effect.exit(steps.commit(torn, place, "token", "old", 60_000))
      expect(Exit.isFailure(exit)).toBe(true)
      const found = yield* Effect.promise(() =>
        theirs.nodeOf(place.entry)!.call("GET", place.entry)
      )
      expect(found).toBeNull()
    })
  )
})
