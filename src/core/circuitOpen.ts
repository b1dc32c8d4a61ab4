/** What a call gets that a circuit breaker does not let through. */
import * as Duration from "effect/Duration"
import * as Schema from "effect/Schema"

/**
 * A circuit breaker did not let a call through: what it guards has failed too often of
 * late. The call was not begun.
 *
 * `retryAfter` is how long nobody will be let through. It is zero where others are just
 * trying whether it is worth it again.
 *
 * @since 0.1.0
 * @category errors
 */
export class CircuitOpen extends Schema.TaggedError<CircuitOpen>("effect-larder/CircuitOpen")(
  "CircuitOpen",
  {
    /** Of the circuit breaker. */
    name: Schema.String,
    retryAfter: Schema.Duration
  }
) {
  override get message(): string {
    const when = Duration.toMillis(this.retryAfter)
    return `The circuit breaker ${JSON.stringify(this.name)} is open; try again ${
      when === 0
        ? "when others have found out that it is worth it"
        : when === Infinity
          ? "when it has been reset"
          : `in ${when} ms`
    }`
  }
}
