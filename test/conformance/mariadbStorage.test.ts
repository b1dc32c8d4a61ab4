import * as Effect from "effect/Effect"
import { startMariadb } from "../servers/mariadb.js"
import { mariadbClient } from "../sql/databases.js"
import { sqlServerStorage } from "./sqlServerStorage.js"

sqlServerStorage("MariaDB", ["mariadbd"], Effect.map(startMariadb(), mariadbClient))
