/** What the pages for those who come from other libraries say of these, and of ours. */
import { PersistedCache } from "@effect/experimental"
import * as Persistence from "@effect/experimental/Persistence/Redis"
import { expect, it } from "@effect/vitest"
import { cachified, type Cache as CachifiedCache } from "@epic-web/cachified"
import KeyvRedis, { createKeyv, createKeyvNonBlocking } from "@keyv/redis"
import { createCache as createDedupe } from "async-cache-dedupe"
import { BentoCache, bentostore } from "bentocache"
import { redisDriver } from "bentocache/drivers/redis"
import { createCache } from "cache-manager"
import * as EffectCache from "effect/Cache"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as ManagedRuntime from "effect/ManagedRuntime"
import * as PrimaryKey from "effect/PrimaryKey"
import * as Schema from "effect/Schema"
import { Cache, MemoryCache } from "effect-larder"
import { RedisCache, RedisClient } from "effect-larder/redis"
import { Redis } from "ioredis"
import { Keyv } from "keyv"
import { execFile } from "node:child_process"
import * as Fs from "node:fs"
import * as Path from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"
import { started } from "./redis/backends.js"
import { describeWithServer } from "./servers/describeWithServer.js"
import { startRedis } from "./servers/redis.js"

const root = fileURLToPath(new URL("..", import.meta.url))
const folder = Path.join(root, "examples/migrating")

const outputOf = async (file: string, url: string): Promise<string> => {
  const { PATH, SystemRoot } = process.env
  const { stdout } = await promisify(execFile)(
    process.execPath,
    ["--import", "tsx", Path.join(folder, file)],
    { cwd: root, env: { PATH, SystemRoot, REDIS_URL: url } }
  )
  return stdout
}

const textOf = (file: string): string => Fs.readFileSync(Path.join(folder, file), "utf8")

/** `bentocache/before` and so on: a program, and in a text beside it what it prints. */
const programs = Fs.readdirSync(folder, { recursive: true, encoding: "utf8" })
  .map((file) => file.replaceAll("\\", "/"))
  .filter((file) => file.includes("/") && file.endsWith(".ts"))
  .map((file) => file.slice(0, -".ts".length))
  .toSorted()

it("of each library there is a before and an after", () => {
  const libraries = [...new Set(programs.map(Path.dirname))]
  expect(libraries).toHaveLength(7)
  expect(programs).toEqual(libraries.flatMap((name) => [`${name}/after`, `${name}/before`]))
})

it.each(programs)("%s is on its page as it is, with what it prints", (program) => {
  const page = Fs.readFileSync(
    Path.join(root, "docs/migrating", `${Path.dirname(program)}.md`),
    "utf8"
  )
  for (const [extension, language] of [
    ["ts", "ts"],
    ["txt", "text"]
  ]) {
    const file = `${program}.${extension}`
    const block = `\`\`\`${language}\n${textOf(file)}\`\`\`\n`
    expect(page).toContain(`<!-- examples/migrating/${file} -->\n${block}`)
  }
})

describeWithServer("examples/migrating", ["redis-server"], () => {
  const server = started(startRedis({ own: true }))

  // In a database each: what two of them call `price:apple` is not the same entry.
  it.concurrent.each(programs.map((program, index) => [program, index] as const))(
    "%s prints what it should",
    async (program, database) => {
      const { url } = await Effect.runPromise(server)
      expect(await outputOf(`${program}.ts`, `${url}/${database}`)).toBe(textOf(`${program}.txt`))
    },
    120_000
  )
})

type Create = () => Promise<number>

/** A cache as one process has it, with connections of its own. */
interface Instance {
  readonly lookup: (key: string, create: Create) => Promise<unknown>
  readonly invalidate: (key: string) => Promise<unknown>
  readonly close: () => Promise<unknown>
}
type Open = (url: string) => Promise<Instance>

/** One whose lookup is told when it is made, and not with each call. */
const lateBound = () => {
  const creates = new Map<string, Create>()
  return {
    create: (key: string) => creates.get(key)!(),
    telling:
      (lookup: (key: string) => Promise<unknown>): Instance["lookup"] =>
      (key, create) => {
        creates.set(key, create)
        return lookup(key)
      }
  }
}

/** As it comes, but that it gives up at once when there is no Redis. */
const impatient = { maxRetriesPerRequest: 0, retryStrategy: () => null }

const connect = (url: string) => new Redis(url, impatient).on("error", () => {})

const ttl = 3_600_000

const onRuntime = (layer: Layer.Layer<Cache>): Instance => {
  const runtime = ManagedRuntime.make(Layer.provide(layer, Logger.remove(Logger.defaultLogger)))
  return {
    lookup: (key, create) => runtime.runPromise(Cache.getOrCreate(key, Effect.tryPromise(create))),
    invalidate: (key) => runtime.runPromise(Cache.invalidate(key)),
    close: () => runtime.dispose()
  }
}

class Price extends Schema.TaggedRequest<Price>()("Price", {
  payload: { key: Schema.String },
  success: Schema.Number,
  failure: Schema.String
}) {
  [PrimaryKey.symbol]() {
    return this.key
  }
}

const openBentocache =
  (options: { readonly suppressL2Errors?: boolean } = {}): Open =>
  async (url) => {
    const connection = connect(url)
    const store = bentostore().useL2Layer(redisDriver({ connection }))
    const cache = new BentoCache({ default: "redis", ttl, stores: { redis: store }, ...options })
    return {
      lookup: (key, factory) => cache.getOrSet({ key, factory }),
      invalidate: (key) => cache.delete({ key }),
      close: () => cache.disconnect()
    }
  }

const openCacheManager =
  (create: typeof createKeyv): Open =>
  async (url) => {
    const store = create(url, { namespace: "cache-manager" }).on("error", () => {})
    const cache = createCache({ ttl, stores: [store] })
    return {
      lookup: (key, create) => cache.wrap(key, create),
      invalidate: (key) => cache.del(key),
      close: () => (store.store as KeyvRedis<unknown>).disconnect(true)
    }
  }

const peers = {
  "effect-larder": async (url) =>
    onRuntime(Layer.provide(RedisCache.layer(), RedisClient.layer({ url }))),

  "effect-larder in memory": async () => onRuntime(MemoryCache.layer()),

  "Effect's Cache": async () => {
    const { create, telling } = lateBound()
    const cache = await Effect.runPromise(
      EffectCache.make({
        capacity: 100,
        timeToLive: ttl,
        lookup: (key: string) => Effect.tryPromise(() => create(key))
      })
    )
    return {
      lookup: telling((key) => Effect.runPromise(cache.get(key))),
      invalidate: (key) => Effect.runPromise(cache.invalidate(key)),
      close: async () => {}
    }
  },

  PersistedCache: async (url) => {
    const { create, telling } = lateBound()
    const { hostname, port } = new URL(url)
    const redis = { host: hostname, port: Number(port), ...impatient }
    const runtime = ManagedRuntime.make(Layer.merge(Persistence.layerResult(redis), Layer.scope))
    const cache = await runtime.runPromise(
      PersistedCache.make({
        storeId: "persisted-cache",
        lookup: ({ key }: Price) => Effect.tryPromise({ try: () => create(key), catch: String }),
        timeToLive: (_, exit) => (Exit.isSuccess(exit) ? ttl : 0)
      })
    )
    return {
      lookup: telling((key) => runtime.runPromise(cache.get(new Price({ key })))),
      invalidate: (key) => runtime.runPromise(cache.invalidate(new Price({ key }))),
      close: () => runtime.dispose()
    }
  },

  bentocache: openBentocache(),

  "cache-manager": openCacheManager(createKeyv),

  cachified: async (url) => {
    const redis = connect(url)
    const cache: CachifiedCache = {
      get: async (key) => JSON.parse((await redis.get(`cachified:${key}`)) ?? "null"),
      set: (key, entry) => redis.set(`cachified:${key}`, JSON.stringify(entry)),
      delete: (key) => redis.del(`cachified:${key}`)
    }
    return {
      lookup: (key, getFreshValue) => cachified({ key, cache, ttl, getFreshValue }),
      invalidate: async (key) => cache.delete(key),
      close: async () => redis.disconnect()
    }
  },

  "async-cache-dedupe": async (url) => {
    const { create, telling } = lateBound()
    const client = connect(url)
    const cache = createDedupe({
      ttl: ttl / 1_000,
      storage: { type: "redis", options: { client } }
    }).define("price", create)
    return {
      lookup: telling((key) => cache.price(key)),
      invalidate: (key) => cache.clear("price", key),
      close: async () => client.disconnect()
    }
  },

  "keyv, by hand": async (url) => {
    const store = new KeyvRedis(url)
    const keyv = new Keyv({ store, namespace: "keyv" }).on("error", () => {})
    return {
      lookup: async (key, create) => {
        const cached = await keyv.get<number>(key)
        if (cached !== undefined) return cached
        const value = await create()
        await keyv.set(key, value, ttl)
        return value
      },
      invalidate: (key) => keyv.delete(key),
      close: () => store.disconnect(true)
    }
  }
} satisfies Record<string, Open>

type Name = keyof typeof peers

/** What came of six questions. Values are those of a row that is 1, and then 2. */
interface Findings {
  /** Loads that 10 callers in one instance make. */
  readonly inOneProcess: number
  /** The same, with 5 callers in each of two instances. */
  readonly inTwoInstances: number
  /** Runs of one that fails, wanted by 10. */
  readonly failing: number
  /** What the next caller gets, whose creator would succeed. */
  readonly afterFailure: "its value" | "the old failure"
  /** What the cache says after a rebuild that has read 1, when the row is 2 and was invalidated. */
  readonly afterInvalidation: number
  /** What one is given who asks after the invalidation, but before that rebuild has ended. */
  readonly joiningLate: number
}

const findings = async (open: Open, url: string, isShared: boolean): Promise<Findings> => {
  const here = await open(url)
  const there = isShared ? await open(url) : here
  let runs = 0
  const slow = async () => {
    runs++
    await sleep(200)
    return runs
  }
  const failing = async () => {
    runs++
    await sleep(20)
    throw new Error("no")
  }
  const counted = async (lookups: ReadonlyArray<() => Promise<unknown>>) => {
    runs = 0
    await Promise.allSettled(lookups.map((lookup) => lookup()))
    return runs
  }
  /** A rebuild in `here` that has read 1, and during it the row becomes 2, and is invalidated. */
  const invalidatedDuringRebuild = async (key: string, by: Instance) => {
    let row = 1
    let begin = () => {}
    const begun = new Promise<void>((resolve) => (begin = resolve))
    const read = async () => {
      const found = row
      begin()
      await sleep(200)
      return found
    }
    const rebuild = here.lookup(key, read)
    await begun
    row = 2
    await by.invalidate(key)
    return { read, rebuild }
  }
  // So that all are connected.
  await Promise.all([here.lookup("first", slow), there.lookup("first", slow)])
  const ten = Array.from({ length: 10 }, (_, index) => index)
  const inOneProcess = await counted(ten.map(() => () => here.lookup("one", slow)))
  const inTwoInstances = await counted(
    ten.map((index) => () => (index % 2 === 0 ? here : there).lookup("two", slow))
  )
  const failures = await counted(ten.map(() => () => here.lookup("failing", failing)))
  const afterFailure = await here
    .lookup("failing", async () => 1)
    .then(
      () => "its value" as const,
      () => "the old failure" as const
    )
  const first = await invalidatedDuringRebuild("invalidated", there)
  await first.rebuild
  const afterInvalidation = Number(await there.lookup("invalidated", first.read))
  const second = await invalidatedDuringRebuild("joined", here)
  const joiningLate = Number(await here.lookup("joined", second.read))
  await second.rebuild
  await Promise.all([here.close(), there.close()])
  return {
    inOneProcess,
    inTwoInstances,
    failing: failures,
    afterFailure,
    afterInvalidation,
    joiningLate
  }
}

const asItShouldBe: Findings = {
  inOneProcess: 1,
  inTwoInstances: 1,
  failing: 1,
  afterFailure: "its value",
  afterInvalidation: 2,
  joiningLate: 2
}

/** Where each differs from that. */
const differences: Record<Name, Partial<Findings>> = {
  "effect-larder": {},
  "effect-larder in memory": {},
  "Effect's Cache": { afterFailure: "the old failure", afterInvalidation: 1 },
  PersistedCache: { inTwoInstances: 2, afterFailure: "the old failure", afterInvalidation: 1 },
  bentocache: { inTwoInstances: 2, failing: 10, afterInvalidation: 1, joiningLate: 1 },
  "cache-manager": { inTwoInstances: 2, afterInvalidation: 1, joiningLate: 1 },
  cachified: { inTwoInstances: 2, afterInvalidation: 1, joiningLate: 1 },
  "async-cache-dedupe": { inTwoInstances: 2, afterInvalidation: 1 },
  "keyv, by hand": { inOneProcess: 10, inTwoInstances: 10, failing: 10, afterInvalidation: 1 }
}

/** What a lookup gives when Redis has been killed. */
const withoutRedis: Record<string, string> = {
  "effect-larder": "a value",
  PersistedCache: "an error",
  bentocache: "an error",
  "bentocache, suppressing errors of L2": "a value",
  "cache-manager": "no answer",
  "cache-manager, non-blocking": "a value",
  cachified: "an error",
  "async-cache-dedupe": "a value",
  "keyv, by hand": "no answer"
}

const inMemory: ReadonlyArray<string> = ["effect-larder in memory", "Effect's Cache"]
const names = Object.keys(peers) as ReadonlyArray<Name>

it("the comparison says so", () => {
  const page = Fs.readFileSync(Path.join(root, "docs/comparison.md"), "utf8")
  const age = (value: number) => (value === 1 ? "old" : "new")
  const rows = names.map((name) => {
    const found = { ...asItShouldBe, ...differences[name] }
    const cells = [
      name,
      found.inOneProcess,
      inMemory.includes(name) ? "–" : found.inTwoInstances,
      found.failing,
      found.afterFailure,
      age(found.afterInvalidation),
      age(found.joiningLate),
      withoutRedis[name] ?? "–"
    ]
    return `| ${cells.join(" | ")} |\n`
  })
  expect(page).toContain(rows.join(""))
})

describeWithServer("what the comparison says", ["redis-server"], () => {
  const server = started(startRedis({ own: true }))

  it.concurrent.each(names)(
    "%s, of who loads and what is left after an invalidation",
    async (name) => {
      const { url } = await Effect.runPromise(server)
      const found = await findings(peers[name], url, !inMemory.includes(name))
      expect(found).toEqual({ ...asItShouldBe, ...differences[name] })
    },
    60_000
  )

  it("bentocache: clear of the prefix app* removes what is apple's", async () => {
    const { url } = await Effect.runPromise(server)
    const connection = connect(url)
    const open = (prefix: string) =>
      new BentoCache({
        default: "redis",
        prefix,
        stores: { redis: bentostore().useL2Layer(redisDriver({ connection })) }
      })
    const [cleared, neighbour] = [open("app*"), open("apple")]
    await neighbour.set({ key: "k", value: 1 })
    await cleared.clear()
    expect(await neighbour.get({ key: "k" })).toBeUndefined()
    connection.disconnect()
  })

  it("bentocache: grace is the whole life of an entry, counted from when it is stored", async () => {
    const { url } = await Effect.runPromise(server)
    const connection = connect(url)
    const store = bentostore().useL2Layer(redisDriver({ connection }))
    const cache = new BentoCache({ default: "redis", prefix: "graced", stores: { redis: store } })
    await cache.set({ key: "k", value: 1, ttl: "10m", grace: "1h" })
    expect(await connection.pttl("graced:k")).toBeLessThanOrEqual(3_600_000)
    expect(await connection.pttl("graced:k")).toBeGreaterThan(3_000_000)
    connection.disconnect()
  })

  it.effect("when Redis has died", () =>
    Effect.gen(function* () {
      const doomed = yield* startRedis({ own: true })
      const others = {
        "bentocache, suppressing errors of L2": openBentocache({ suppressL2Errors: true }),
        "cache-manager, non-blocking": openCacheManager(createKeyvNonBlocking)
      }
      const tried = Object.entries<Open>({ ...peers, ...others }).filter(
        ([name]) => !inMemory.includes(name)
      )
      const instances = yield* Effect.promise(() =>
        Promise.all(
          tried.map(async ([name, open]) => {
            const instance = await open(doomed.url)
            await instance.lookup("before", async () => 1)
            return [name, instance] as const
          })
        )
      )
      yield* doomed.kill
      const outcomes = yield* Effect.promise(() =>
        Promise.all(
          instances.map(async ([name, { lookup }]) => {
            const value = lookup("after", async () => 1).then(
              () => "a value",
              () => "an error"
            )
            return [name, await Promise.race([value, sleep(3_000, "no answer")])] as const
          })
        )
      )
      expect(Object.fromEntries(outcomes)).toEqual(withoutRedis)
      yield* Effect.promise(() => Promise.allSettled(instances.map(([, { close }]) => close())))
    }).pipe(Effect.scoped)
  )
})
