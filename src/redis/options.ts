/** What a user may say of a server, checked and turned into what the driver takes. */
import * as Duration from "effect/Duration"
import * as Redacted from "effect/Redacted"
import type { ClusterOptions, NatMap, RedisOptions } from "ioredis"
import { randomInt } from "node:crypto"
import type { ConnectionOptions } from "node:tls"

/**
 * How to reach a Redis server: one, a Sentinel's, or a Cluster.
 *
 * @since 0.1.0
 * @category models
 */
export interface RedisClientOptions {
  /** `redis://` or, for TLS, `rediss://user:password@host:port/database`; default `redis://localhost:6379`. */
  readonly url?: string | undefined
  /** Default 0, or what the URL says. A Cluster has none but 0. */
  readonly database?: number | undefined
  /** An ACL user; goes before that of the URL. */
  readonly username?: string | undefined
  /** Goes before that of the URL. */
  readonly password?: Redacted.Redacted | undefined
  /** `true`, or Node's own options for TLS. */
  readonly tls?: boolean | ConnectionOptions | undefined
  /** How long to wait for a connection; default 5 seconds. */
  readonly connectTimeout?: Duration.DurationInput | undefined
  /** How long to wait for a reply; default 1 second. */
  readonly commandTimeout?: Duration.DurationInput | undefined
  /**
   * All sockets to one server, from 2 up: one hears what other processes push,
   * the others carry commands, each key always on the same one. Default 2: more
   * rarely help, since a server runs one command at a time. Not for a Cluster.
   */
  readonly maxConnections?: number | undefined
  /** A Redis Cluster: some of its nodes, `host:port`. Then `url` is left out. */
  readonly cluster?: ClusterNodes | undefined
  /** Sentinels that name the server. Then `url` is left out. */
  readonly sentinels?: Sentinels | undefined
}

/**
 * How to reach a Redis Cluster. Its other nodes are found by asking these.
 *
 * @since 0.1.0
 * @category models
 */
export interface ClusterNodes {
  /** Some of its nodes, `host:port`. */
  readonly nodes: ReadonlyArray<string>
  /** Where a node that announces itself as one address is reached from here. */
  readonly natMap?: NatMap | undefined
}

/**
 * How to reach the server that Sentinels name, also after a failover. The user and
 * password here are the Sentinels' own.
 *
 * @since 0.1.0
 * @category models
 */
export interface Sentinels {
  /** The name under which the sentinels know the server. */
  readonly name: string
  /** Where the sentinels are, `host:port`. */
  readonly nodes: ReadonlyArray<string>
  readonly username?: string | undefined
  readonly password?: Redacted.Redacted | undefined
}

/** Milliseconds. */
export interface Limits {
  readonly connectTimeout: number
  readonly commandTimeout: number
}

export interface Settings extends Limits {
  /** For logs: no user, no password. */
  readonly address: string
  /** How many connections carry commands. */
  readonly connections: number
  readonly server: RedisOptions
  readonly cluster:
    { readonly nodes: ReadonlyArray<Address>; readonly options: ClusterOptions } | undefined
}

interface Address {
  readonly host: string
  readonly port: number
}

export const defaultLimits: Limits = { connectTimeout: 5_000, commandTimeout: 1_000 }

/** Not as JSON, for which NaN is null. */
const shown = (given: unknown): string =>
  typeof given === "string" ? JSON.stringify(given) : String(given)

/** A wrong setting, with what would be right: a defect of whoever wrote it. */
const wrong = (setting: string, given: string, allowed: string): Error =>
  new Error(`Redis setting ${setting} is ${given}; allowed: ${allowed}`)

/**
 * When to connect again, in milliseconds: soon, for whoever asks whether the server is back
 * waits for it; not all processes at once, for they lost the server together.
 */
const again = (times: number): number => randomInt(25, Math.min(times * 50, 500) + 1)

/**
 * What the driver must do for the protocol to hold, whoever made it.
 *
 * It never queues while there is no connection and never sends twice: a command
 * that is executed after its caller gave up could undo what came later. (But a Cluster's
 * answer TRYAGAIN, which says that it was not executed: `strays.ts`.) With
 * `maxRetriesPerRequest` above 0 those in flight stay unsettled when a server dies.
 * RESP2, for ioredis 6 loses pushes in RESP3.
 */
export const required = ({ commandTimeout, connectTimeout }: Limits): RedisOptions => ({
  commandTimeout,
  connectTimeout,
  enableOfflineQueue: false,
  autoResendUnfulfilledCommands: false,
  autoResubscribe: false,
  enableAutoPipelining: false,
  maxRetriesPerRequest: 0,
  lazyConnect: true,
  keyPrefix: "",
  retryStrategy: again,
  // A server that has become a replica: the next connection finds the new master.
  reconnectOnError: (error) => error.message.startsWith("READONLY"),
  // What a user's own client of 6 may say besides, and what it refuses with RESP2.
  ...{ protocol: 2, replyMapping: "legacy" }
})

/** As `required`, for a Cluster: its nodes queue only until their first connection stands. */
export const requiredOfCluster = (limits: Limits, given: RedisOptions): ClusterOptions => {
  const { enableOfflineQueue: _, lazyConnect: __, retryStrategy: ___, ...ofNode } = required(limits)
  return {
    redisOptions: { ...given, ...ofNode },
    enableOfflineQueue: false,
    enableAutoPipelining: false,
    lazyConnect: true,
    keyPrefix: "",
    scaleReads: "master",
    slotsRefreshTimeout: limits.connectTimeout,
    clusterRetryStrategy: again,
    // Each of these would send a command again that may have been executed.
    retryDelayOnFailover: 0,
    retryDelayOnClusterDown: 0
  }
}

const millis = (
  setting: string,
  given: Duration.DurationInput | undefined,
  unset: number
): number => {
  if (given === undefined) return unset
  const decoded = Duration.decodeUnknown(given)
  const value = decoded._tag === "Some" ? Math.ceil(Duration.toMillis(decoded.value)) : NaN
  if (value >= 1 && value <= 2 ** 31 - 1) return value
  throw wrong(setting, shown(given), "a duration of 1 millisecond to 24 days")
}

const addressOf = (setting: string, text: string): Address => {
  const [, bracketed, plain, port] = /^(?:\[(.+)\]|([^:]+)):(\d{1,5})$/.exec(text) ?? []
  const host = bracketed ?? plain
  if (host === undefined || Number(port) > 65_535) {
    // Who gives a URL in its place may have given its password.
    throw wrong(setting, text.includes("@") ? hidden : JSON.stringify(text), '"host:port"')
  }
  return { host, port: Number(port) }
}

const databaseOf = (setting: string, given: string | number): number => {
  const database = typeof given === "string" && !/^\d+$/.test(given) ? NaN : Number(given)
  if (Number.isSafeInteger(database) && database >= 0) return database
  throw wrong(setting, shown(given), "a whole number from 0 up")
}

/** What is no `Redacted` is shown to nobody: it may be the password itself. */
const secretOf = (setting: string, given: Redacted.Redacted): string => {
  if (Redacted.isRedacted(given)) return Redacted.value(given)
  throw wrong(setting, hidden, "Redacted.make(password)")
}

const parseUrl = (text: string): RedisOptions => {
  const parsed = URL.canParse(text) ? new URL(text) : undefined
  if (
    parsed === undefined ||
    !/^rediss?:$/.test(parsed.protocol) ||
    parsed.hostname === "" ||
    // A `/`, `?` or `#` in a password, not encoded, ends the address before its host.
    (parsed.pathname + parsed.search + parsed.hash).includes("@")
  ) {
    throw wrongUrl()
  }
  const path = decodePart(parsed.pathname.slice(1))
  return {
    host: parsed.hostname.replace(/^\[(.*)\]$/, "$1"),
    port: parsed.port === "" ? 6379 : Number(parsed.port),
    ...(parsed.username !== "" && { username: decodePart(parsed.username) }),
    ...(parsed.password !== "" && { password: decodePart(parsed.password) }),
    ...(path !== "" && { db: databaseOf("url (its database)", path) }),
    ...(parsed.protocol === "rediss:" && { tls: {} })
  }
}

const hidden = "not shown here, for it may hold a password"

const wrongUrl = (): Error =>
  wrong(
    "url",
    hidden,
    "redis://user:password@host:port/database, user and password percent-encoded"
  )

const decodePart = (part: string): string => {
  try {
    return decodeURIComponent(part)
  } catch {
    throw wrongUrl()
  }
}

/** Throws where a setting is wrong. */
export const decode = (options: RedisClientOptions): Settings => {
  const { cluster, database, maxConnections = 2, password, sentinels, tls, username } = options
  if ([options.url, cluster, sentinels].filter((it) => it !== undefined).length > 1) {
    throw wrong("url", "given together with others", "one of url, cluster, sentinels")
  }
  if (!Number.isSafeInteger(maxConnections) || maxConnections < 2) {
    throw wrong("maxConnections", String(maxConnections), "a whole number from 2 up")
  }
  if (cluster !== undefined && database !== undefined && database !== 0) {
    throw wrong("database", String(database), "0, which is all that a Cluster has")
  }
  const limits: Limits = {
    connectTimeout: millis("connectTimeout", options.connectTimeout, defaultLimits.connectTimeout),
    commandTimeout: millis("commandTimeout", options.commandTimeout, defaultLimits.commandTimeout)
  }
  const given: RedisOptions = {
    ...(cluster === undefined && sentinels === undefined
      ? parseUrl(options.url ?? "redis://localhost:6379")
      : {}),
    ...(database !== undefined && { db: databaseOf("database", database) }),
    ...(username !== undefined && { username }),
    ...(password !== undefined && { password: secretOf("password", password) }),
    ...(tls !== undefined && tls !== false && { tls: tls === true ? {} : tls }),
    ...(sentinels !== undefined && sentinelOptions(sentinels, tls, limits))
  }
  const nodes = cluster?.nodes.map((node) => addressOf("cluster", node))
  if (nodes?.length === 0) throw wrong("cluster", "without nodes", "at least one host:port")
  return {
    ...limits,
    address: addressText(options, given),
    connections: maxConnections - 1,
    server: { ...given, ...required(limits) },
    cluster: nodes && {
      nodes,
      options: {
        ...requiredOfCluster(limits, given),
        // A certificate is for a name: resolved here, there would be none to check it by.
        ...(given.tls !== undefined && { dnsLookup: (name, found) => found(null, name) }),
        ...(cluster?.natMap !== undefined && { natMap: cluster.natMap })
      }
    }
  }
}

const sentinelOptions = (
  { name, nodes, password, username }: Sentinels,
  tls: RedisClientOptions["tls"],
  { commandTimeout }: Limits
): RedisOptions => {
  if (nodes.length === 0) throw wrong("sentinels", "without nodes", "at least one host:port")
  return {
    name,
    sentinels: nodes.map((node) => addressOf("sentinels", node)),
    // One that is silent would keep the others from being asked.
    sentinelCommandTimeout: commandTimeout,
    ...(username !== undefined && { sentinelUsername: username }),
    ...(password !== undefined && {
      sentinelPassword: secretOf("sentinels (their password)", password)
    }),
    ...(tls !== undefined && tls !== false && { enableTLSForSentinelMode: true })
  }
}

const addressText = ({ cluster, sentinels }: RedisClientOptions, server: RedisOptions): string =>
  cluster !== undefined
    ? `cluster ${cluster.nodes.join(" ")}`
    : sentinels !== undefined
      ? `${sentinels.name} of sentinels ${sentinels.nodes.join(" ")}`
      : `${server.tls === undefined ? "redis" : "rediss"}://${server.host}:${server.port}/${server.db ?? 0}`
