// Sessions that expire, typed by a schema that has changed since the first of them was written.
import { Console, Effect, Option, Schema } from "effect"
import { MemoryStorage, Storage } from "effect-larder"

class Session extends Schema.Class<Session>("Session")({
  user: Schema.String,
  roles: Schema.Array(Schema.String),
  since: Schema.DateTimeUtc
}) {}

const sessions = Storage.view(Session, {
  prefix: "session:",
  version: 2,
  // What version 1 has written had one role.
  migrations: { 1: ({ role, ...rest }) => ({ ...rest, roles: [role] }) }
})

const FirstSession = Schema.Struct({
  user: Schema.String,
  role: Schema.String,
  since: Schema.DateTimeUtc
})
const firstSessions = Storage.view(FirstSession, { prefix: "session:" })

const program = Effect.gen(function* () {
  const since = yield* Schema.decode(Schema.DateTimeUtc)("2026-01-01T08:00:00Z")
  yield* firstSessions.set("a1", { user: "Ada", role: "admin", since }, { ttl: "30 minutes" })
  yield* sessions.set("b2", new Session({ user: "Bo", roles: [], since }), { ttl: "30 minutes" })

  for (const id of yield* sessions.keys()) {
    const { roles, user } = Option.getOrThrow(yield* sessions.get(id))
    yield* Console.log(`${id}: ${user} [${roles.join()}]`)
  }
  yield* sessions.delete("a1")
  yield* Console.log(`logged out: ${Option.isNone(yield* sessions.get("a1"))}`)
})

Effect.runPromise(program.pipe(Effect.provide(MemoryStorage.layer())))
