/** A process with nothing but `RedisCacheLive`: its settings are in its environment. */
import * as Array from "effect/Array"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Option from "effect/Option"
import { Cache } from "effect-larder"
import { RedisCacheLive } from "effect-larder/redis"
import { subscribe } from "node:diagnostics_channel"
import { serve } from "../servers/serve.js"

export interface Logged {
  readonly level: string
  readonly text: string
  readonly annotations: Readonly<Record<string, unknown>>
}

let sockets = 0
subscribe("net.client.socket", () => {
  sockets++
})

const logged: Array<Logged> = []
const logging = Logger.replace(
  Logger.defaultLogger,
  Logger.make(({ annotations, logLevel, message }) => {
    logged.push({
      level: logLevel.label,
      text: Array.ensure(message).map(String).join(" "),
      annotations: Object.fromEntries(annotations)
    })
  })
)

let loads = 0
const create = Effect.delay(
  Effect.sync(() => `load ${++loads} of ${process.pid}`),
  "50 millis"
)

const make = Effect.gen(function* () {
  const cache = yield* Layer.build(RedisCacheLive)
  return {
    /** The values that so many callers got at once, each named once. */
    ask: ({ callers, key }: { readonly key: string; readonly callers: number }) =>
      Effect.replicateEffect(Cache.getOrCreate(key, create), callers, {
        concurrency: "unbounded"
      }).pipe(
        Effect.map((values) => [...new Set(values)]),
        Effect.provide(cache),
        Effect.provide(logging)
      ),
    health: () =>
      Effect.provide(
        Effect.map(Cache.health, ({ address, backend, circuit, healthy, reachable, reason }) => ({
          ...{ backend, circuit, healthy, reachable },
          address: Option.getOrUndefined(address),
          reason: Option.getOrUndefined(reason)
        })),
        cache
      ),
    loads: () => Effect.sync(() => loads),
    logged: () => Effect.sync(() => logged),
    /** How many connections this process has tried to open, to anywhere. */
    sockets: () => Effect.sync(() => sockets)
  }
})

export type LiveHandlers = Effect.Effect.Success<typeof make>

serve(Effect.provide(make, logging))
