import { Console, Effect } from "effect"
import { Storage } from "effect-larder"
import { SqliteStorageLive } from "effect-larder/sqlite"

const program = Storage.get("answer").pipe(
  Effect.provide(SqliteStorageLive),
  Effect.matchEffect({
    onFailure: (fault) =>
      Console.log("reason" in fault ? `${fault.reason}: ${fault.detail}` : String(fault)),
    onSuccess: () => Console.log("a driver was found")
  })
)

Effect.runPromise(program)
