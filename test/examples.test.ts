import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { execFile } from "node:child_process"
import * as Fs from "node:fs"
import * as Path from "node:path"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"
import { withoutLog } from "./docs/withoutLog.js"
import { started } from "./redis/backends.js"
import { describeWithServer } from "./servers/describeWithServer.js"
import { startMariadb } from "./servers/mariadb.js"
import { startPostgres } from "./servers/postgres.js"
import { startRedis } from "./servers/redis.js"

// The examples as a user runs them, and what they print.

const root = fileURLToPath(new URL("..", import.meta.url))

/** Of the surroundings nothing but what a program needs to start: no settings, no colours. */
const { LARDER_REDIS_SERVER, PATH, SystemRoot } = process.env

const outputOf = async (file: string, settings: NodeJS.ProcessEnv = {}): Promise<string> => {
  const args = ["--import", "tsx", Path.join("examples", file)]
  const env = { PATH, SystemRoot, ...settings }
  const { stdout } = await promisify(execFile)(process.execPath, args, { cwd: root, env })
  return stdout
}

const files = Fs.readdirSync(Path.join(root, "examples"), { recursive: true, encoding: "utf8" })
  .map((file) => file.replaceAll("\\", "/"))
  .filter((file) => file.endsWith(".ts"))
  // Those have a test of their own, which runs them in pairs.
  .filter((file) => !file.startsWith("migrating/"))

/** What an example prints is in the file beside it, which the pages show, too. */
const outputFile = (file: string): string =>
  Path.join(root, "examples", file.replace(/\.ts$/, ".txt"))
const expectedOf = (file: string): string => Fs.readFileSync(outputFile(file), "utf8")

/** Over a Redis that the test starts. */
const overRedis = [
  "fault-injection/outage.ts",
  "own-codec.ts",
  "own-connection.ts",
  "several-processes/main.ts",
  "swapping-layers/main.ts"
]
/** Over all the databases that there are. */
const overAll = "storage/main.ts"
const inOneProcess = files.filter(
  (file) => Fs.existsSync(outputFile(file)) && ![...overRedis, overAll].includes(file)
)

/** Run by another of these: they print nothing themselves. */
const parts = [
  "own-backend/MapBackend.ts",
  "several-processes/worker.ts",
  "storage/layers.ts",
  "storage/program.ts",
  "swapping-layers/program.ts",
  ...["database", "naive", "oneProcess", "redis", "report", "severalProcesses", "worker"].map(
    (name) => `stampede/${name}.ts`
  ),
  ...["canvas", "chart", "minute", "plain", "requests", "samples", "scenario", "svg"].map(
    (name) => `traffic/${name}.ts`
  ),
  ...["terminal", "traffic", "words", "worker"].map((name) => `traffic/${name}.ts`)
]
/** Declarations for the pages, which run nothing: `npm run check` compiles them. */
const snippets = files.filter((file) => file.startsWith("snippets/"))
/** `traffic.ts` is the last part of the demo; recording it is the same run, and half a minute. */
const elsewhere = ["stampede.ts", "traffic.ts", "traffic/record.ts", "quickstart/program.ts"]

// Their tests are part of this file, then.
const tests = [
  "fault-injection/chaos.test.ts",
  "own-backend/conformance.test.ts",
  "storage/expiry.test.ts",
  "swapping-layers/program.test.ts"
]
await import("../examples/fault-injection/chaos.test.js")
await import("../examples/swapping-layers/program.test.js")
await import("../examples/own-backend/conformance.test.js")
await import("../examples/storage/expiry.test.js")

const expectOneProcess = (lines: ReadonlyArray<string>) => {
  expect(lines).toContain("cut DB load by 99.8% (500 -> 1 queries)")
  expect(lines).toContainEqual(expect.stringMatching(/^ {2}Map with a ttl +500 +500 +\d+ ms$/))
  expect(lines).toContainEqual(expect.stringMatching(/^ {2}Cache\.getOrCreate +500 +1 +\d+ ms$/))
  expect(lines).toContain(`  Map with a ttl      ${"█".repeat(48)} 500`)
  expect(lines).toContain("  Cache.getOrCreate   ▏ 1")
  expect(lines.filter((line) => line.length > 80 || line.includes("\u001b"))).toEqual([])
}

/** On a busy machine what happens is late, and its line another. */
const expectTraffic = (lines: ReadonlyArray<string>) => {
  const rows = lines.flatMap((line) => {
    const row = /^(\d:\d\d) +([\d,]+) +([\d,]+) +([\d,]+)(?: {2}(.+))?$/.exec(line)
    return row === null ? [] : [row.slice(1)]
  })
  expect(rows.at(-1)?.[0]).toBe("1:00")
  const columns = [1, 2, 3].map((column) =>
    rows.map((row) => Number(row[column]?.replaceAll(",", "")))
  )
  const [requests = 0, naive = 0, ours = 0] = columns.map((it) => it.reduce((a, b) => a + b, 0))
  expect(requests).toBeGreaterThan(12_000)
  // Each of 20 products is loaded at the start, and in five lives of 12 seconds, some refreshed
  // early: not more often than that, however many ask.
  expect(ours).toBeGreaterThan(20)
  expect(ours).toBeLessThan(20 * 10)
  expect(lines).toContainEqual(
    expect.stringMatching(
      `^share of load saved: [89]\\d(\\.\\d)?% \\(${grouped(naive)} -> ${grouped(ours)} queries\\)$`
    )
  )
  const events = rows.flatMap(([, , , , events]) => events?.split(", ") ?? [])
  expect(events).toEqual(expect.arrayContaining(["expiry", "invalidation", "holder killed"]))
}

const grouped = (count: number) => new Intl.NumberFormat("en-US").format(count)

describe.concurrent("examples", { timeout: 120_000 }, () => {
  it.each(inOneProcess)("%s prints what it should", async (file) => {
    expect(await outputOf(file)).toBe(expectedOf(file))
  })

  it("the demo cuts 500 queries to 1, and without a Redis says how to get one", async () => {
    const lines = (await outputOf("stampede.ts", { LARDER_REDIS_SERVER: "/nowhere" })).split("\n")
    expectOneProcess(lines)
    expect(lines.filter((line) => line.startsWith("cut DB load"))).toHaveLength(1)
    expect(lines).toContainEqual(expect.stringMatching(/^That needs a Redis server, and there is/))
    expect(lines).toContain("  apt-get install redis-server")
    expect(lines).toContain("  REDIS_URL=redis://localhost:6379 npm run demo")
  })

  it("are all run", () => {
    const known = [inOneProcess, overRedis, overAll, parts, snippets, tests, elsewhere].flat()
    expect(files.toSorted()).toEqual(known.toSorted())
  })
})

describeWithServer("examples over Redis", ["redis-server"], () => {
  const server = started(startRedis({ own: true }))

  it.concurrent.each(overRedis)(
    "%s prints what it should",
    async (file) => {
      const { url } = await Effect.runPromise(server)
      expect(withoutLog(await outputOf(file, { REDIS_URL: url }))).toBe(expectedOf(file))
    },
    120_000
  )

  // By itself: on a busy machine most would come too late for the stampede.
  it("the demo cuts 2,000 queries of four processes to 1, also if one is killed, and most of a minute's", async () => {
    const lines = (await outputOf("stampede.ts", { LARDER_REDIS_SERVER })).split("\n")
    expectOneProcess(lines)
    // Who is late on a busy machine finds what the first have stored.
    const [, naive] = /^ {2}Redis with a ttl +2000 +(\d+) +\d+ ms$/m.exec(lines.join("\n")) ?? []
    expect(Number(naive)).toBeGreaterThan(1_000)
    expect(lines).toContainEqual(expect.stringMatching(/^ {2}MemoryCache in each +2000 +4 +\d+/))
    expect(lines).toContainEqual(expect.stringMatching(/^ {2}RedisCache +2000 +1 +\d+ ms$/))
    expect(lines).toContain(`  Redis with a ttl    ${"█".repeat(48)} ${naive}`)
    expect(lines).toContain("  MemoryCache in each ▏ 4")
    expect(lines).toContain("  RedisCache          ▏ 1")
    expect(lines).toContainEqual(
      expect.stringMatching(`^cut DB load by 99\\.9\\d?% \\(${naive} -> 1 queries\\)$`)
    )
    expect(lines).toContainEqual(
      expect.stringMatching(/^killed: 1500 requests served by 1 further query, \d\.\d s later$/)
    )
    expectTraffic(lines)
  }, 120_000)
})

describeWithServer("examples over databases", ["redis-server", "postgresql", "mariadb"], () => {
  const servers = started(
    Effect.all([startPostgres(), startMariadb(), startRedis({ own: true })], {
      concurrency: "unbounded"
    })
  )

  it(`${overAll} says the same on every store`, async () => {
    const [postgres, mysql, redis] = await Effect.runPromise(servers)
    const settings = {
      POSTGRES_URL: Redacted.value(postgres.url),
      MYSQL_URL: Redacted.value(mysql.url),
      REDIS_URL: redis.url
    }
    expect(withoutLog(await outputOf(overAll, settings))).toBe(expectedOf(overAll))
  }, 60_000)
})
