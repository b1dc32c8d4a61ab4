/**
 * Settings from the environment, for the `…Live` layers. A cache must not keep a
 * service from starting: what is wrong is a warning, and the default holds.
 */
import * as Config from "effect/Config"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import { isPrefix } from "../policy/keys.js"
import type { CacheOptions, LeaseOptions } from "./settings.js"

export interface CacheEnvironment extends CacheOptions {
  readonly enabled: boolean
  readonly capacity: number | undefined
  readonly lease: LeaseOptions
}

const seconds = 'seconds, or a duration such as "5 minutes"'

export const cacheEnvironment: Effect.Effect<CacheEnvironment> = Effect.all({
  enabled: Effect.map(
    read("LARDER_CACHE_ENABLED", (text) => booleans.get(text.toLowerCase()), "true or false"),
    (enabled) => enabled ?? true
  ),
  prefix: read(
    "LARDER_CACHE_PREFIX",
    (text) => (isPrefix(text) ? text : undefined),
    "1 to 64 characters out of A-Z a-z 0-9 . _ -"
  ),
  ttl: read("LARDER_CACHE_DEFAULT_TTL", duration, seconds),
  lease: Effect.map(
    read("LARDER_CACHE_LOCK_TIMEOUT", leaseDuration, `${seconds}, above zero and finite`),
    (duration): LeaseOptions => ({ duration })
  ),
  capacity: read(
    "LARDER_CACHE_CAPACITY",
    (text) => (/^[1-9]\d{0,8}$/.test(text) ? Number(text) : undefined),
    "a whole number of entries, from 1 up"
  )
})

const booleans = new Map([
  ...["true", "yes", "on", "1"].map((text) => [text, true] as const),
  ...["false", "no", "off", "0"].map((text) => [text, false] as const)
])

function duration(text: string): Duration.Duration | undefined {
  return /^\d+(\.\d+)?$/.test(text)
    ? Duration.seconds(Number(text))
    : Option.getOrUndefined(Duration.decodeUnknown(text))
}

function leaseDuration(text: string): Duration.Duration | undefined {
  const decoded = duration(text)
  const millis = decoded === undefined ? 0 : Duration.toMillis(decoded)
  return millis >= 1 && millis < Infinity ? decoded : undefined
}

/** The first of these that is set, for a cache in Redis. It may hold a password. */
export const redisUrl: Effect.Effect<Redacted.Redacted | undefined> = Effect.all([
  given("LARDER_CACHE_REDIS_URL"),
  given("REDIS_URL")
]).pipe(
  Effect.map((urls) => urls.find((url) => url !== "")),
  Effect.map((url) => (url === undefined ? undefined : Redacted.make(url)))
)

function given(name: string): Effect.Effect<string> {
  return Config.string(name).pipe(
    Config.map((text) => text.trim()),
    Effect.orElseSucceed(() => "")
  )
}

/** Unset and empty are the same: nothing is said. */
function read<A>(
  name: string,
  parse: (text: string) => A | undefined,
  allowed: string
): Effect.Effect<A | undefined> {
  return Effect.flatMap(given(name), (text) => {
    if (text === "") return Effect.succeed(undefined)
    const value = parse(text)
    return value === undefined
      ? Effect.as(
          Effect.logWarning(
            `${name} is ${JSON.stringify(text)}, using the default; allowed: ${allowed}`
          ),
          undefined
        )
      : Effect.succeed(value)
  })
}
