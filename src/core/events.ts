/** What an operator may want to hear of. Never one event a hit. */
import * as Effect from "effect/Effect"
import * as PubSub from "effect/PubSub"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type { CircuitState } from "../policy/circuit.js"

/**
 * Something happened to a cache that is worth telling.
 *
 * - `takeover`: a lease was granted to us after its holder vanished unannounced
 * - `fencedWrite`: a commit was refused: what was written meanwhile stands
 * - `earlyRefresh`: a reader of a fresh entry began to refresh it
 * - `refreshFailed`: a refresh behind failed; the entry stands as it is
 * - `staleIfError`: a rebuild failed, and who waited for it was given the stale entry;
 *   once a rebuild
 * - `invalidationPending`: the backend has not confirmed a write; until it
 *   does, this process neither reads nor stores the key there
 * - `invalidationConfirmed`: now it has
 * - `circuit`: the circuit to the backend went from one state to another
 * - `degraded`: nothing is read from the backend or stored there, until `recovered`
 *
 * @since 0.1.0
 * @category models
 */
export type CacheEvent =
  | {
      readonly _tag:
        | "takeover"
        | "fencedWrite"
        | "earlyRefresh"
        | "refreshFailed"
        | "staleIfError"
        | "invalidationPending"
        | "invalidationConfirmed"
      /** With its region; of a `clear`, what the keys begin with. */
      readonly key: string
    }
  | { readonly _tag: "circuit"; readonly from: CircuitState; readonly to: CircuitState }
  | { readonly _tag: "degraded"; readonly reason: string }
  | { readonly _tag: "recovered" }

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
