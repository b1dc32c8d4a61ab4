/** A process that may write nothing: root may, whatever the permissions say. */
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import { Storage } from "effect-larder"
import { SqliteStorage } from "effect-larder/sqlite"
import { serve } from "../servers/serve.js"

const handlers = {
  try: (filename: string) =>
    Effect.gen(function* () {
      const found = yield* Storage.get("k")
      const written = yield* Effect.either(Storage.set("k", 2))
      return {
        found: Option.getOrNull(found),
        error: Either.isLeft(written) ? written.left.message : "written"
      }
    }).pipe(
      Effect.provide(SqliteStorage.layer({ filename })),
      Effect.catchAll(({ message }) => Effect.succeed({ found: null, error: message }))
    )
}

export type ReadOnlyHandlers = typeof handlers

if (process.getuid?.() === 0) process.setuid?.(65_534)

serve(handlers)
