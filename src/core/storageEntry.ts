/**
 * A lasting entry.
 *
 * @since 0.1.0
 */
import * as Data from "effect/Data"
import * as DateTime from "effect/DateTime"
import * as Duration from "effect/Duration"
import * as Option from "effect/Option"

/**
 * A lasting entry, as it was read: it does not change with what is stored.
 *
 * Its times are those of the store's clock. Where that and the one of this process
 * differ, so do `isExpired` and what the store says.
 *
 * @example
 * ```ts
 * import * as DateTime from "effect/DateTime"
 * import * as Effect from "effect/Effect"
 * import * as Option from "effect/Option"
 * import { Storage } from "effect-larder"
 *
 * export const remaining = Effect.gen(function* () {
 *   const entry = yield* Storage.getEntry("report:42")
 *   const now = yield* DateTime.now
 *   return Option.flatMap(entry, (it) => it.remainingTtl(now))
 * })
 * ```
 *
 * @since 0.1.0
 * @category models
 */
export class StorageEntry<A = unknown> extends Data.Class<{
  readonly key: string
  readonly value: A
  /** When it was last set. */
  readonly createdAt: DateTime.Utc
  /** None: never. */
  readonly expiresAt: Option.Option<DateTime.Utc>
  readonly metadata: Readonly<Record<string, unknown>>
}> {
  /** Is its time over? It is at the very moment when it expires. */
  isExpired(now: DateTime.Utc): boolean {
    return Option.exists(this.expiresAt, DateTime.lessThanOrEqualTo(now))
  }
  /** How long it still lives: zero once it has expired, none if it does not expire. */
  remainingTtl(now: DateTime.Utc): Option.Option<Duration.Duration> {
    return Option.map(this.expiresAt, (end) =>
      Duration.millis(Math.max(0, DateTime.distance(now, end)))
    )
  }
}
