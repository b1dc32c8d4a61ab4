import { Effect, Schema } from "effect"
import { CacheRegion } from "effect-larder"

const User = Schema.Struct({ id: Schema.Number, name: Schema.String, since: Schema.Date })

class UserNotFound extends Schema.TaggedError<UserNotFound>()("UserNotFound", {
  id: Schema.Number
}) {}

const users = CacheRegion.make({
  name: "user",
  key: (id: number) => String(id), // the entry of 42 is `user:42`
  value: User,
  error: UserNotFound, // such a failure is an entry, too ...
  errorTtl: "10 seconds", // ... for this long
  ttl: "1 minute",
  version: 2 // entries of another version are misses
})

declare const loadUser: (id: number) => Effect.Effect<typeof User.Type, UserNotFound>

export const user = (id: number) => users.getOrCreate(id, loadUser(id))
export const forget = (id: number) => users.invalidate(id)
