import * as Effect from "effect/Effect"
import { startPostgres } from "../servers/postgres.js"
import { postgresClient } from "../sql/databases.js"
import { sqlServerStorage } from "./sqlServerStorage.js"

sqlServerStorage("PostgreSQL", ["postgres"], Effect.map(startPostgres(), postgresClient))
