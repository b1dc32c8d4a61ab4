/** Settings of a cache: checked and turned into plain numbers once, when its layer is built. */
import type * as Duration from "effect/Duration"
import * as Schedule from "effect/Schedule"
import { millis, wrong } from "./option.js"
import type * as Breaker from "./breaker.js"
import type { CacheCodec } from "./codec.js"
import { type Defer, deferred } from "./gather.js"
import { isPrefix } from "../policy/keys.js"
import type { Defaults, OnLoad } from "./path.js"

/**
 * What every cache layer takes. Durations of zero mean "none".
 *
 * @since 0.1.0
 * @category models
 */
export interface CacheOptions {
  /** Labels metrics and logs; default: the prefix. */
  readonly name?: string | undefined
  /** What its keys begin with in a shared backend, before the colon; default `larder`. */
  readonly prefix?: string | undefined
  /** How long an entry is fresh; default 1 hour. Infinity: for good. Zero: nothing is stored. */
  readonly ttl?: Duration.DurationInput | undefined
  /** How long after that it may be served while it is rebuilt; default 0. */
  readonly staleWhileRevalidate?: Duration.DurationInput | undefined
  /** How long after the ttl it may be served where its rebuild fails; default 0. */
  readonly staleIfError?: Duration.DurationInput | undefined
  /** Eagerness of early refresh; default 1, 0 turns it off. */
  readonly beta?: number | undefined
}

/**
 * How long a process may hold the right to rebuild a key.
 *
 * @since 0.1.0
 * @category models
 */
export interface LeaseOptions {
  /** How long a holder may be silent before another may rebuild; default 5 seconds. */
  readonly duration?: Duration.DurationInput | undefined
  /** After this long a lease is not renewed any more; default 5 minutes. */
  readonly maxHold?: Duration.DurationInput | undefined
}

/**
 * When to stop asking a backend that does not answer, and for how long.
 *
 * - `enabled`: default true. Without it every lookup asks, and waits for its time limit
 * - `failureThreshold`: so many commands in a row that got no answer open the circuit;
 *   default 5. A refusal is an answer
 * - `openFor`: how long nothing is sent then; default 15 seconds. After a probe that gets no
 *   answer it counts from when that was sent. Or a schedule: its delays are how long it stays
 *   open the first time, and after each recovery that fails; to have no connection is none
 * - `successThreshold`: so many probes that are answered close it; default 2. They are
 *   sent behind: no caller waits for one
 * - `isFailure`: whether the `BackendError` that a command failed with, or its defect, speaks
 *   against the backend; default: it got no answer in time, there was no connection, or it is
 *   a defect. If it throws, it does
 * - `name`: labels its log lines and metrics; default: the name of the cache
 *
 * @since 0.1.0
 * @category models
 */
export interface BreakerOptions extends Breaker.Options {
  readonly enabled?: boolean | undefined
}

export interface Settings {
  readonly name: string
  readonly prefix: string
  readonly isStrict: boolean
  readonly defaults: Defaults
  readonly onLoad: OnLoad | undefined
  /** How L2 stores values; undefined: as JSON. */
  readonly codec: CacheCodec | undefined
  /** Undefined: what is asked of L2 is sent, whatever became of what was sent before. */
  readonly breaker: BreakerOptions | undefined
  /** When to send gathered reads; tests hold it. */
  readonly defer: Defer
}

/**
 * Settings of a cache that processes share.
 *
 * - `lease`: how long a process may hold the right to rebuild a key
 * - `codec`: makes bytes of what would be JSON; all processes must agree on it
 * - `breaker`: when to stop asking a backend that does not answer
 *
 * @since 0.1.0
 * @category models
 */
export interface SharedCacheOptions extends CacheOptions {
  readonly lease?: LeaseOptions | undefined
  readonly codec?: CacheCodec | undefined
  readonly breaker?: BreakerOptions | undefined
}

export interface Extra extends Pick<SharedCacheOptions, "lease" | "codec" | "breaker"> {
  readonly strict?: boolean | undefined
  readonly onLoad?: OnLoad | undefined
  readonly defer?: Defer | undefined
}

/** Throws where a setting is wrong: a defect of whoever builds the layer. */
export const settings = (options: CacheOptions, extra: Extra = {}): Settings => {
  const prefix = prefixOf(options.prefix)
  const beta = options.beta ?? 1
  if (!(beta >= 0)) throw wrong("beta", beta, "a number from 0 up; 0 turns early refresh off")
  const leaseDuration = millis("lease.duration", extra.lease?.duration, 5_000)
  if (!(leaseDuration >= 1 && leaseDuration < Infinity)) {
    throw wrong("lease.duration", leaseDuration, "at least 1 millisecond, and finite")
  }
  checkOpenFor(extra.breaker?.openFor)
  return {
    name: options.name ?? prefix,
    prefix,
    isStrict: extra.strict ?? false,
    defaults: {
      ttl: millis("ttl", options.ttl, 3_600_000),
      staleWhileRevalidate: millis("staleWhileRevalidate", options.staleWhileRevalidate, 0),
      staleIfError: millis("staleIfError", options.staleIfError, 0),
      beta,
      leaseDuration,
      maxHold: millis("lease.maxHold", extra.lease?.maxHold, 300_000)
    },
    onLoad: extra.onLoad,
    codec: extra.codec,
    breaker: extra.breaker?.enabled === false ? undefined : (extra.breaker ?? {}),
    defer: extra.defer ?? deferred
  }
}

/** Nobody but time closes the circuit of a cache, and no timer is longer than this. */
const longestOpenFor = 2_147_483_647

const checkOpenFor = (openFor: BreakerOptions["openFor"]): void => {
  if (openFor === undefined || Schedule.isSchedule(openFor)) return
  const duration = millis("breaker.openFor", openFor, 0)
  if (duration > longestOpenFor) {
    throw wrong("breaker.openFor", duration, "a duration of 24 days at most, or a schedule")
  }
}

/** Throws where it is none. */
export const prefixOf = (given = "larder"): string => {
  if (!isPrefix(given)) {
    throw wrong("prefix", given, "1 to 64 characters out of A-Z a-z 0-9 . _ -")
  }
  return given
}

/** An entry count for L1. */
export const capacity = (given: number | undefined): number => {
  const entries = given ?? 10_000
  if (!Number.isSafeInteger(entries) || entries < 1) {
    throw wrong("capacity", entries, "a whole number of entries, from 1 up")
  }
  return entries
}
