/** What an operator may want to hear of. Never one event a hit. */
import * as Effect from "effect/Effect"
import * as PubSub from "effect/PubSub"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"

/**
 * Something happened to a cache that is worth telling.
 *
 * - `takeover`: a lease was granted to us after its holder vanished unannounced
 * - `fencedWrite`: a commit was refused: what was written meanwhile stands
 * - `earlyRefresh`: a reader of a fresh entry began to refresh it
 * - `refreshFailed`: a refresh behind failed; the entry stands until it expires
 * - `invalidationPending`: the backend has not confirmed a write; until it
 *   does, this process neither reads nor stores the key there
 * - `invalidationConfirmed`: now it has
 *
 * @since 0.1.0
 * @category models
 */
export interface CacheEvent {
  readonly _tag:
    | "takeover"
    | "fencedWrite"
    | "earlyRefresh"
    | "refreshFailed"
    | "invalidationPending"
    | "invalidationConfirmed"
  /** With its region; of a `clear`, what the keys begin with. */
  readonly key: string
}

export interface Events {
  readonly emit: (event: CacheEvent) => void
  readonly stream: Stream.Stream<CacheEvent>
}

/** Slow listeners lose the oldest events; they never slow the cache down. Ends with the scope. */
export const make: Effect.Effect<Events, never, Scope.Scope> = Effect.map(
  Effect.acquireRelease(PubSub.sliding<CacheEvent>(256), PubSub.shutdown),
  (hub): Events => ({
    // Not `unsafeOffer`: where the hub is full, that drops the newest.
    emit: (event) => {
      Effect.runSyncExit(PubSub.publish(hub, event))
    },
    stream: Stream.fromPubSub(hub)
  })
)
