import { Console, Effect, Layer, Schema, TestClock, TestContext } from "effect"
import { Cache, CacheRegion, MemoryBackend } from "effect-larder"

const User = Schema.Struct({ id: Schema.Number, name: Schema.String, since: Schema.Date })

class UserNotFound extends Schema.TaggedError<UserNotFound>()("UserNotFound", {
  id: Schema.Number
}) {}

const region = {
  name: "user",
  key: (id: number) => String(id),
  value: User,
  error: UserNotFound,
  errorTtl: "10 seconds",
  ttl: "1 hour"
} as const
const users = CacheRegion.make({ ...region, version: 1 })
const usersOfTheNextRelease = CacheRegion.make({ ...region, version: 2 })

let queries = 0
const loadUser = (id: number) =>
  Effect.suspend(() => {
    queries++
    return id === 1
      ? Effect.succeed({ id, name: "Ada", since: new Date("1842-10-01") })
      : Effect.fail(new UserNotFound({ id }))
  })
const user = (id: number) => users.getOrCreate(id, loadUser(id))

const program = Effect.gen(function* () {
  yield* user(1)
  const { since } = yield* user(1)
  yield* Console.log(`since ${since.toISOString()}, a Date: ${since instanceof Date}`)

  const missing = Effect.flip(user(2))
  yield* Console.log(`${(yield* missing)._tag}, ${(yield* missing)._tag}: ${queries} queries`)
  yield* TestClock.adjust("11 seconds")
  yield* Console.log(`${(yield* missing)._tag} once more: ${queries} queries`)

  yield* Console.log(`version 1: ${(yield* users.get(1))._tag}`)
  yield* Console.log(`version 2: ${(yield* usersOfTheNextRelease.get(1))._tag}`)
})

// A store as processes share it: what it holds is JSON, so the schema has work to do.
const SharedLive = Layer.unwrapEffect(
  Effect.map(MemoryBackend.make(), (it) => Cache.fromBackend(it))
)

Effect.runPromise(
  program.pipe(Effect.provide(Layer.provideMerge(SharedLive, TestContext.TestContext)))
)
