/**
 * The connections to a Redis server, for whatever is built on them.
 *
 * @since 0.1.0
 */
import * as Config from "effect/Config"
import type { ConfigError } from "effect/ConfigError"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import type { Cluster, Redis } from "ioredis"
import { slotOf } from "../policy/keys.js"
import type { BackendError } from "../port/CacheBackend.js"
import { fault, type Handle, isForbidden, load } from "./driver.js"
import { inRealTime, type Link, open } from "./link.js"
import {
  decode,
  defaultLimits,
  type Limits,
  type RedisClientOptions,
  required,
  requiredOfCluster
} from "./options.js"
import * as Subscriptions from "./subscriptions.js"

export type { ClusterNodes, RedisClientOptions, Sentinels } from "./options.js"

/**
 * There is no Redis to be reached: nobody answers, or it refuses us. The cause
 * says which; the address shows no password.
 *
 * @since 0.1.0
 * @category errors
 */
export class RedisUnavailable extends Schema.TaggedError<RedisUnavailable>(
  "effect-larder/RedisUnavailable"
)("RedisUnavailable", { address: Schema.String, cause: Schema.Defect }) {
  override get message(): string {
    const why = this.cause instanceof Error ? this.cause.message : String(this.cause)
    return `No Redis at ${this.address}: ${why}. Is it running, and are address and password right?`
  }
}

/**
 * What adapters do with a client; nothing in it is for users.
 *
 * @since 0.1.0
 * @category models
 */
export interface Service {
  /** Where it is, without user or password. */
  readonly address: string
  readonly limits: Limits
  readonly isCluster: boolean
  readonly links: readonly [Link, ...ReadonlyArray<Link>]
  /** The connection that a key's commands go by, always the same. */
  readonly linkOf: (wireKey: string) => Link
  readonly subscriptions: Subscriptions.Subscriptions
}

/**
 * A Redis server, version 6.2 or later, or a Valkey server, or a Cluster of
 * them. Provide it once: caches share its connections.
 *
 * @example
 * ```ts
 * import * as Layer from "effect/Layer"
 * import { RedisCache, RedisClient } from "effect-larder/redis"
 *
 * export const CacheLive = RedisCache.layer({ ttl: "5 minutes" }).pipe(
 *   Layer.provide(RedisClient.layer({ url: "redis://localhost:6379" }))
 * )
 * ```
 *
 * @since 0.1.0
 * @category tags
 */
export class RedisClient extends Context.Tag("effect-larder/RedisClient")<RedisClient, Service>() {
  /**
   * Connects, and connects again whenever the connection is lost. It builds while
   * Redis is down, within `connectTimeout`; what is built on it goes on without.
   *
   * A wrong setting, or a missing driver, is a defect when the layer is built.
   *
   * @example
   * ```ts
   * import * as Redacted from "effect/Redacted"
   * import { RedisClient } from "effect-larder/redis"
   *
   * export const ClientLive = RedisClient.layer({
   *   url: "rediss://redis.example.com:6380/0",
   *   username: "larder",
   *   password: Redacted.make("secret"),
   *   commandTimeout: "500 millis"
   * })
   * ```
   *
   * @since 0.1.0
   */
  static readonly layer = (options: RedisClientOptions = {}): Layer.Layer<RedisClient> =>
    Layer.scoped(RedisClient, Effect.flatMap(fromOptions(options), tolerate))

  /**
   * For those who would rather not start: fails with `RedisUnavailable` unless Redis
   * answers within `connectTimeout`. Once it has, an outage is borne as by `layer`.
   *
   * @example
   * ```ts
   * import { RedisClient } from "effect-larder/redis"
   *
   * export const ClientLive = RedisClient.layerStrict({ connectTimeout: "10 seconds" })
   * ```
   *
   * @since 0.1.0
   */
  static readonly layerStrict = (
    options: RedisClientOptions = {}
  ): Layer.Layer<RedisClient, RedisUnavailable> =>
    Layer.scoped(RedisClient, Effect.flatMap(fromOptions(options), insist))

  /**
   * `layer` with its options from `Config`.
   *
   * @example
   * ```ts
   * import * as Config from "effect/Config"
   * import { RedisClient } from "effect-larder/redis"
   *
   * export const ClientLive = RedisClient.layerConfig({
   *   url: Config.string("SESSION_REDIS_URL"),
   *   password: Config.redacted("SESSION_REDIS_PASSWORD")
   * })
   * ```
   *
   * @since 0.1.0
   */
  static readonly layerConfig = (
    options: Config.Config.Wrap<RedisClientOptions>
  ): Layer.Layer<RedisClient, ConfigError> =>
    Layer.unwrapEffect(Effect.map(Config.unwrap(options), RedisClient.layer))

  /**
   * Connects as your own client does: with its address, credentials and TLS. The
   * client itself is neither used nor closed, and its `keyPrefix` is left out.
   *
   * @param subscriber connects as this one does to hear pushes; default: the client
   *
   * @example
   * ```ts
   * import * as Layer from "effect/Layer"
   * import { RedisCache, RedisClient } from "effect-larder/redis"
   * import { Redis } from "ioredis"
   *
   * const connection = new Redis("redis://localhost:6379")
   *
   * export const CacheLive = RedisCache.layer().pipe(
   *   Layer.provide(RedisClient.fromIORedis(connection))
   * )
   * ```
   *
   * @since 0.1.0
   */
  static readonly fromIORedis = (
    client: Redis | Cluster,
    { subscriber = client }: { readonly subscriber?: Redis | Cluster | undefined } = {}
  ): Layer.Layer<RedisClient> =>
    Layer.scoped(
      RedisClient,
      Effect.flatMap(
        Effect.suspend(() => makeClient(plansOf(client, subscriber))),
        tolerate
      )
    )
}

/** How to open each kind of connection. */
interface Plan {
  readonly address: string
  readonly limits: Limits
  readonly isCluster: boolean
  readonly connections: number
  readonly openCommands: () => Handle
  readonly openSubscriber: () => Redis
}

const fromOptions = (options: RedisClientOptions): Effect.Effect<Service, never, Scope.Scope> =>
  Effect.gen(function* () {
    const { address, cluster, connections, server, ...limits } = decode(options)
    const { Cluster, Redis } = yield* load
    return yield* makeClient({
      address,
      limits,
      isCluster: cluster !== undefined,
      connections: cluster === undefined ? connections : 1,
      openCommands: () =>
        cluster === undefined
          ? new Redis(server)
          : new Cluster([...cluster.nodes], cluster.options),
      openSubscriber: rotating(
        cluster?.nodes.map(
          (node) => () => new Redis({ ...server, ...node, retryStrategy: () => null })
        ) ?? [() => new Redis({ ...server, retryStrategy: () => null })]
      )
    })
  })

/** Another node each time: the last one may be gone. */
const rotating = <A>(open: ReadonlyArray<() => A>): (() => A) => {
  let turn = 0
  return () => open[turn++ % open.length]!()
}

const plansOf = (client: Handle, subscriber: Handle): Plan => {
  const { connectTimeout, commandTimeout } = ownOptions(client)
  const limits: Limits = {
    connectTimeout: connectTimeout ?? defaultLimits.connectTimeout,
    commandTimeout: commandTimeout ?? defaultLimits.commandTimeout
  }
  // The nodes of a cluster that the user has not connected are known to our own alone.
  let own = client
  return {
    address: addressOf(client),
    limits,
    isCluster: client.isCluster,
    connections: 1,
    openCommands: () => (own = duplicate(client, limits)),
    openSubscriber: () => duplicateForOne(subscriber === client ? own : subscriber, limits)
  }
}

const isClusterHandle = (client: Handle): client is Cluster => client.isCluster

const addressOf = (client: Handle): string => {
  if (isClusterHandle(client)) return "the cluster of your own client"
  const { host, port } = client.options
  return `redis://${host}:${port}`
}

const ownOptions = (client: Handle) =>
  isClusterHandle(client) ? (client.options.redisOptions ?? {}) : client.options

const duplicate = (client: Handle, limits: Limits): Handle =>
  isClusterHandle(client)
    ? client.duplicate([], requiredOfCluster(limits, ownOptions(client)))
    : client.duplicate(required(limits))

/** A subscriber is a connection to one server, of a cluster to any. */
const duplicateForOne = (client: Handle, limits: Limits): Redis => {
  const one = isClusterHandle(client) ? client.nodes("master")[0] : client
  if (one === undefined) throw new Error("The cluster's nodes are not known yet")
  return one.duplicate({ ...required(limits), retryStrategy: () => null })
}

const makeClient = (plan: Plan): Effect.Effect<Service, never, Scope.Scope> =>
  Effect.gen(function* () {
    const first = yield* open(plan.openCommands)
    const others = yield* Effect.forEach(Array.from({ length: plan.connections - 1 }), () =>
      open(plan.openCommands)
    )
    const links = [first, ...others] as const
    return {
      address: plan.address,
      limits: plan.limits,
      isCluster: plan.isCluster,
      links,
      linkOf:
        others.length === 0
          ? () => first
          : (wireKey) => links[slotOf(wireKey) % links.length] ?? first,
      subscriptions: yield* Subscriptions.make(
        plan.openSubscriber,
        () => first.sender() !== undefined
      )
    }
  })

/** The first attempt of all connections, at most the connect time limit. */
const firstAttempts = ({ limits, links }: Service): Effect.Effect<void, BackendError> =>
  Effect.forEach(links, (link) => link.firstAttempt, {
    concurrency: "unbounded",
    discard: true
  }).pipe(
    Effect.timeoutFail({
      duration: limits.connectTimeout,
      onTimeout: () => fault("connect", new Error(`no answer within ${limits.connectTimeout} ms`))
    }),
    inRealTime
  )

const tolerate = (client: Service): Effect.Effect<Service> =>
  Effect.as(
    Effect.catchAll(firstAttempts(client), (error) =>
      isForbidden(error)
        ? Effect.logError(
            `Redis at ${client.address} refuses us, going on without it: ${whyOf(error)}`
          )
        : Effect.logWarning(
            `Failed to connect to Redis, falling back to NoOp cache (graceful degradation)`
          ).pipe(Effect.annotateLogs({ address: client.address, reason: whyOf(error) }))
    ),
    client
  )

const whyOf = ({ cause }: BackendError): string =>
  cause instanceof Error ? cause.message : "unknown"

const insist = (client: Service): Effect.Effect<Service, RedisUnavailable> =>
  Effect.mapBoth(firstAttempts(client), {
    onSuccess: () => client,
    onFailure: ({ cause }) => new RedisUnavailable({ address: client.address, cause })
  })
