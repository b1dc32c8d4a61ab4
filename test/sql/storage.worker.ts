/** A process of its own with a storage over SQL: writes there, and says what was acknowledged. */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import { Storage } from "effect-larder"
import { SqlStorage } from "effect-larder/sql"
import { SqliteStorage } from "effect-larder/sqlite"
import { post, serve } from "../servers/serve.js"
import type { Address } from "../servers/sqlServer.js"
import { mariadbClient, postgresClient } from "./databases.js"

export type Where =
  | { readonly kind: "sqlite"; readonly filename: string }
  | {
      readonly kind: "postgres" | "mariadb"
      readonly address: Omit<Address, "password">
      readonly password: string
    }

const { table, where } = JSON.parse(process.env["STORAGE"] ?? "{}") as {
  readonly where: Where
  readonly table?: string
}

const storage = () => {
  if (where.kind === "sqlite") return SqliteStorage.layer({ filename: where.filename })
  const address = { ...where.address, password: Redacted.make(where.password) }
  const client = where.kind === "postgres" ? postgresClient(address) : mariadbClient(address)
  return Layer.provide(SqlStorage.layer({ table }), client)
}

/** A value that tells of itself: what is half of it is none. */
const valueOf = (key: string): string => `${key}:`.repeat(200)

const make = Effect.gen(function* () {
  // When it is told to: others do so at the same time.
  const scope = yield* Effect.scope
  const build = yield* Effect.cached(Layer.buildWithScope(storage(), scope))
  const withStorage = <A, E>(effect: Effect.Effect<A, E, Storage>) =>
    Effect.flatMap(build, (context) => Effect.provide(effect, context))
  const keys = (name: string, count: number) =>
    Array.from({ length: count }, (_, index) => `${name}-${index}`)

  return {
    start: () => Effect.asVoid(build),
    /** One after the other; each is posted once it is acknowledged. */
    write: ({ count, name, told }: { name: string; count: number; told?: boolean }) =>
      withStorage(
        Effect.forEach(
          keys(name, count),
          (key) => Effect.zipRight(Storage.set(key, valueOf(key)), told ? post(key) : Effect.void),
          { discard: true }
        )
      ),
    /** Batches, each of them all or nothing. */
    writeBatches: ({ batches, name, size }: { name: string; batches: number; size: number }) =>
      withStorage(
        Effect.forEach(
          keys(name, batches),
          (batch) =>
            Effect.zipRight(
              Storage.setMany(keys(batch, size).map((key) => [key, valueOf(key)] as const)),
              post(batch)
            ),
          { discard: true }
        )
      )
  }
})

export type StorageHandlers = Effect.Effect.Success<typeof make>

serve(make)
