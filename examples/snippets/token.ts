import { Duration, Effect } from "effect"
import { Cache } from "effect-larder"

declare const fetchToken: Effect.Effect<{ readonly text: string; readonly expiresIn: number }>

export const token = Cache.getOrCreate("token", fetchToken, {
  ttl: ({ expiresIn }) => Duration.seconds(expiresIn - 30)
})
