/** Processes that write to a storage over SQL. */
import * as Redacted from "effect/Redacted"
import type { SqlServer } from "../servers/sqlServer.js"
import { startWorker } from "../servers/worker.js"
import type { StorageHandlers, Where } from "./storage.worker.js"

export const addressOf = (
  kind: "postgres" | "mariadb",
  { database, host, password, port, username }: SqlServer
): Where => ({
  kind,
  address: { database, host, port, username },
  password: Redacted.value(password)
})

export const startWriter = (where: Where, table?: string) =>
  startWorker<StorageHandlers>(new URL("storage.worker.ts", import.meta.url), {
    env: { STORAGE: JSON.stringify({ where, table }) }
  })
