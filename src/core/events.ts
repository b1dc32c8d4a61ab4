/** What an operator may want to hear of. Never one event a hit. */
import * as Effect from "effect/Effect"
import * as PubSub from "effect/PubSub"
import * as Stream from "effect/Stream"

/**
 * Something happened to a cache that is worth telling.
 *
 * - `Takeover`: a lease was granted to us after its holder vanished unannounced
 * - `FencedWrite`: a commit was refused: what was written meanwhile stands
 * - `EarlyRefresh`: a reader of a fresh entry began to refresh it
 * - `RefreshFailed`: a refresh behind failed; the entry stands until it expires
 * - `InvalidationPending`: the backend has not confirmed a write; until it
 *   does, this process neither reads nor stores the key there
 * - `InvalidationConfirmed`: now it has
 */
export type CacheEvent =
  | {
      readonly _tag:
        "Takeover" | "FencedWrite" | "EarlyRefresh" | "RefreshFailed" | "InvalidationPending"
      readonly key: string
    }
  | { readonly _tag: "InvalidationConfirmed"; readonly key: string }

export interface Events {
  readonly emit: (event: CacheEvent) => void
  readonly stream: Stream.Stream<CacheEvent>
}

/** Slow listeners lose the oldest events; they never slow the cache down. */
export const make: Effect.Effect<Events> = Effect.map(
  PubSub.sliding<CacheEvent>(256),
  (hub): Events => ({
    emit: (event) => {
      hub.unsafeOffer(event)
    },
    stream: Stream.fromPubSub(hub)
  })
)
