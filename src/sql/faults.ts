/** What a database's errors mean. */
import { StorageError } from "../port/StorageBackend.js"
import type { Dialect, Rule } from "./Dialect.js"

interface DriverError {
  readonly code?: unknown
  readonly errno?: unknown
  readonly sqlState?: unknown
  readonly message?: unknown
  readonly cause?: unknown
}

const isObject = (it: unknown): it is DriverError => typeof it === "object" && it !== null

/** The error of the driver itself: drivers wrap it, and so may who made the client. */
const driverErrorOf = (error: unknown): DriverError => {
  let found: unknown = error
  for (let depth = 0; depth < 10 && isObject(found); depth++) {
    if (typeof found.code === "string") return found
    if (!isObject(found.cause)) return found
    found = found.cause
  }
  return {}
}

/** MySQL's errors by number: MariaDB's names are not all known to the driver. */
const codeIn = ({ code, errno, sqlState }: DriverError): string =>
  typeof sqlState === "string" && typeof errno === "number"
    ? String(errno)
    : typeof code === "string"
      ? code
      : ""

export const codeOf = (error: unknown): string => codeIn(driverErrorOf(error))

/** Node's own, and the drivers', of any server. */
const connectionRules: ReadonlyArray<Rule> = [
  {
    code: /^ETIMEDOUT$/,
    reason: "Timeout",
    advice: "the server has not answered in time: is it up, and reached from here?"
  },
  {
    code: /^(E[A-Z]{3,}|PROTOCOL_[A-Z_]+|POOL_[A-Z_]+)$/,
    reason: "Unavailable",
    advice: "there is no connection to the server: is it up, and reached from here?"
  }
]

const lost =
  /^(Connection terminated|Connection ended|timeout exceeded when trying to connect|Connection timed out|connection timeout|Client has encountered a connection error|Can't add new command|Pool is closed|Cannot use a pool)/

const lostRule: Rule = {
  code: lost,
  reason: "Unavailable",
  advice: "there is no connection to the server: is it up, and reached from here?"
}

const ruleOf = (dialect: Dialect, code: string, message: string): Rule | undefined =>
  dialect.rules.find((rule) => rule.code.test(code)) ??
  connectionRules.find((rule) => rule.code.test(code)) ??
  (lost.test(message) ? lostRule : undefined)

/** Some texts of drivers quote values: only what certainly has none is kept. */
export const storageError = (dialect: Dialect, operation: string, error: unknown): StorageError => {
  const found = driverErrorOf(error)
  const code = codeIn(found)
  const message = typeof found.message === "string" ? found.message : ""
  const rule = ruleOf(dialect, code, message)
  const isOfConnection = rule === lostRule || connectionRules.some((it) => it === rule)
  const isShown = isOfConnection || dialect.isMessageSafe(code)
  const named = code === "" ? "an error without a code" : `error ${code}`
  const said = isShown && message !== "" ? `${named}: ${message}` : named
  return new StorageError({
    backend: dialect.name,
    operation,
    reason: rule?.reason ?? "Refused",
    detail:
      rule === undefined
        ? `the database has answered with ${said}. Nothing was executed`
        : `${rule.advice} (${said})`,
    cause: Object.assign(new Error(said), { code })
  })
}
