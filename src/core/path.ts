/** What one cache is made of: its tiers, what is under way, and its settings in plain numbers. */
import type * as Fiber from "effect/Fiber"
import type * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import { millis } from "./option.js"
import { valueKey } from "../policy/keys.js"
import type { CacheBackend } from "../port/CacheBackend.js"
import type { Breaker } from "./breaker.js"
import type { CacheCodec } from "./codec.js"
import { emptyTally, type Tally } from "./counters.js"
import type { Events } from "./events.js"
import type { Gather } from "./gather.js"
import type { L1 } from "./l1.js"
import type { Log } from "./log.js"
import type { Odds } from "./odds.js"
import type { Pending } from "./pending.js"
import type { Rebuild } from "./rebuild.js"
import type { Renewals, Terms } from "./renewal.js"
import { type LookupOptions, type Region, whole } from "./request.js"
import type { Waiters } from "./waiting.js"

/** Defaults of a cache, decoded once. Durations are milliseconds. */
export interface Defaults {
  readonly ttl: number
  readonly staleWhileRevalidate: number
  readonly staleIfError: number
  readonly beta: number
  readonly leaseDuration: number
  readonly maxHold: number
}

/** A creator has ended: for whoever records loads (`MemoryCache.layerTest`). */
export type OnLoad = (load: {
  readonly key: string
  readonly outcome: "success" | "failure" | "interrupted"
  readonly millis: number
}) => void

/** The tier that processes share, with what this process keeps on its account. */
export interface L2 {
  readonly backend: CacheBackend
  /** Undefined: nothing keeps commands from being sent. */
  readonly breaker: Breaker | undefined
  /** Which one it is, while nothing is asked of it; undefined: it is asked. */
  readonly outage: () => number | undefined
  /** In the place of JSON. */
  readonly codec: CacheCodec | undefined
  readonly gather: Gather
  readonly odds: Odds
  readonly pending: Pending
  readonly renewals: Renewals<Tally>
  readonly terms: Terms
  readonly waiters: Waiters
  /** Unique in the world: the owner id of one attempt to get a lease, or of one write. */
  readonly nextToken: () => string
}

export interface Path {
  readonly name: string
  readonly prefix: string
  readonly defaults: Defaults
  /** Refuse on L1 what L2 would refuse. */
  readonly isStrict: boolean
  readonly l1: L1 | undefined
  readonly l2: L2 | undefined
  /** At most one a key: the one that newcomers may join. */
  readonly rebuilds: Map<string, Rebuild>
  /** The fibers of all rebuilds, also of those that nobody may join. */
  readonly leading: Set<Fiber.RuntimeFiber<void>>
  /** By what a region's keys begin with; the whole's is in there, too. */
  readonly tallies: Map<string, Tally>
  readonly tally: Tally
  readonly events: Events
  readonly log: Log
  readonly onLoad: OnLoad | undefined
  readonly scope: Scope.Scope
  isClosed: boolean
  /** Orders what happens in this process: who came, what was sent, what began. */
  lastTick: number
}

export const tick = (path: Path): number => ++path.lastTick

export const fullKey = (of: { readonly prefix: string }, key: string): string =>
  valueKey(of.prefix, key)

/** Is nothing asked of L2 now? Then a flight is this process's alone, as without L2. */
const isCut = (l2: L2): boolean => l2.outage() !== undefined

/** Is L2 left out for this key: cut off, or yet to confirm an invalidation of it? */
export const isBypassed = (l2: L2, key: string): boolean => l2.pending.has(key) || isCut(l2)

export const tallyOf = (path: Path, region: Region): Tally => {
  if (region === whole) return path.tally
  let tally = path.tallies.get(region.start)
  if (tally === undefined) {
    tally = emptyTally()
    path.tallies.set(region.start, tally)
  }
  return tally
}

/** How long a value lives. May throw what the user's function throws. */
export const ttlOf = (path: Path, options: LookupOptions<any>, value: unknown): number =>
  millis(
    "ttl",
    typeof options.ttl === "function" ? options.ttl(value) : options.ttl,
    path.defaults.ttl
  )

/** A literal ttl of zero: computed, shared with those who wait, never stored. */
export const isNeverStored = (path: Path, options: LookupOptions<any>): boolean =>
  typeof options.ttl !== "function" && ttlOf(path, options, undefined) <= 0

export type AnySchema = Schema.Schema<any, any>
