/** What a test may know of a database server, and do to it. */
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { randomUUID } from "node:crypto"

export interface SqlServer extends Login {
  readonly host: string
  readonly port: number
  /** All of this in one, with the password. */
  readonly url: Redacted.Redacted
  /** Did this run start it? Faults are done to no other: their effects die. */
  readonly isOwned: boolean
  /** Of the process that runs, or ran last. */
  readonly pid: Effect.Effect<number>
  /** Ends it at once, and waits until it is gone. */
  readonly kill: Effect.Effect<void>
  /** Asks it to end, whoever is connected, and waits until it is gone. */
  readonly stop: Effect.Effect<void>
  /** Starts it at the same port with the data it had, and waits until it answers; one that runs is killed first. */
  readonly restart: Effect.Effect<void>
}

export interface SqlOptions {
  /** Never one of the environment's: this one will be hurt. */
  readonly own?: boolean | undefined
  readonly args?: ReadonlyArray<string> | undefined
}

/** Who may do what in which database. */
export interface Login {
  readonly database: string
  readonly username: string
  readonly password: Redacted.Redacted
}

export type Address = Login & Pick<SqlServer, "host" | "port">

/** What clients ask for, and nothing that they would take for an option. */
export const addressOf = ({ database, host, password, port, username }: Address): Address => ({
  database,
  host,
  password,
  port,
  username
})

/** A password that no other server has, and that is not the same in an address as out of it. */
export const makePassword: Effect.Effect<Redacted.Redacted> = Effect.sync(() =>
  Redacted.make(`${randomUUID()}@:/%`)
)

/** One that this run has started. */
export const owned = (
  protocol: string,
  port: number,
  login: Login,
  faults: Pick<SqlServer, "kill" | "pid" | "restart" | "stop">
): SqlServer => {
  const host = "127.0.0.1"
  const user = [login.username, Redacted.value(login.password)].map(encodeURIComponent).join(":")
  const url = Redacted.make(`${protocol}://${user}@${host}:${port}/${login.database}`)
  return { ...login, ...faults, host, port, url, isOwned: true }
}

/** The one that the environment names. */
export const foreign = (url: string, defaultPort: number): SqlServer => {
  const { hostname, password, pathname, port, username } = new URL(url)
  const refused = Effect.dieMessage(
    "faults are done only to servers that this run has started (`own: true`)"
  )
  return {
    host: hostname,
    port: port === "" ? defaultPort : Number(port),
    database: decodeURIComponent(pathname.slice(1)),
    username: decodeURIComponent(username),
    password: Redacted.make(decodeURIComponent(password)),
    url: Redacted.make(url),
    isOwned: false,
    pid: refused,
    kill: refused,
    stop: refused,
    restart: refused
  }
}
