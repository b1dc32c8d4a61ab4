/**
 * `npm run bench`: how long things take beside other caches, and whether what we
 * promise holds on this machine.
 *
 *     -- --quick             fewer rounds of all, under 2 minutes
 *     -- --only hit,miss     these cases alone
 *
 * Each case has a process of its own. A full run of all is kept in results.json, and
 * RESULTS.md is made of it.
 */
import { fork } from "node:child_process"
import * as Fs from "node:fs"
import { createRequire } from "node:module"
import * as Os from "node:os"
import { parseArgs } from "node:util"
import { cases } from "./cases/index.js"
import { placement } from "./cores.js"
import { collect } from "./harness.js"
import { versionOfRedis } from "./overRedis.js"
import { print, type Report } from "./report.js"
import { keep } from "./results.js"

const versionOf = (name: string): string => {
  const path = createRequire(import.meta.url)
    .resolve.paths(name)
    ?.map((folder) => `${folder}/${name}/package.json`)
    .find((file) => Fs.existsSync(file))
  return path === undefined ? "unknown" : JSON.parse(Fs.readFileSync(path, "utf8")).version
}

const { values: asked } = parseArgs({
  options: { quick: { type: "boolean", default: false }, only: { type: "string", multiple: true } }
})
const isQuick = asked.quick
const names = asked.only?.flatMap((list) => list.split(",")) ?? Object.keys(cases)
const unknown = names.filter((name) => !(name in cases))
if (unknown.length > 0) {
  console.error(
    `There is no case ${unknown.join(", ")}. There are: ${Object.keys(cases).join(", ")}`
  )
  process.exit(1)
}

// The case that runs loses whom it reports to, and ends.
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(1))

const worker = new URL("./workers/case.ts", import.meta.url)

const run = (name: string): Promise<ReadonlyArray<Report>> =>
  new Promise((resolve, reject) => {
    const child = fork(worker, [name, isQuick ? "quick" : "full"], { serialization: "advanced" })
    child.once("message", (reports) => resolve(reports as ReadonlyArray<Report>))
    // "exit" may come before what the case has sent is read; this does not.
    child.once("disconnect", () => reject(new Error(`The case ${name} ended without a report.`)))
  })

const packages = [
  "effect",
  "lru-cache",
  "bentocache",
  "cache-manager",
  "@epic-web/cachified",
  "async-cache-dedupe",
  "keyv",
  "@keyv/redis",
  "@redis/client",
  "redlock",
  "redis-semaphore",
  "ioredis",
  "@effect/sql-sqlite-node",
  "better-sqlite3",
  "@keyv/sqlite",
  "unstorage",
  "db0"
]
const surroundings = {
  date: new Date().toISOString(),
  machine: {
    cpu: Os.cpus()[0]?.model ?? "unknown",
    cores: Os.cpus().length,
    memory: `${Math.round(Os.totalmem() / 2 ** 30)} GiB`,
    platform: `${process.platform} ${process.arch}`,
    node: process.versions.node,
    load: Os.loadavg()
  },
  versions: {
    ...Object.fromEntries(packages.map((name) => [name, versionOf(name)])),
    redis: await versionOfRedis()
  },
  placement,
  isCollected: collect !== undefined
}
const { machine, versions } = surroundings
console.log(
  [
    `${machine.cpu}, ${machine.cores} cores, Node ${machine.node}`,
    Object.entries(versions)
      .map(([name, version]) => `${name} ${version}`)
      .join(", "),
    `Load of the machine: ${machine.load.map((load) => load.toFixed(1)).join(", ")}. Over Redis: ${placement}.`,
    "Peers take turns; ratios are medians over rounds. Times alone vary with the machine."
  ].join("\n")
)

const found: Record<string, ReadonlyArray<Report>> = {}
for (const name of names) {
  const reports = await run(name)
  found[name] = reports
  for (const report of reports) console.log(`\n${print(report)}`)
}
const reports = Object.values(found).flat()
const missed = reports.flatMap(({ targets }) => targets).filter(({ isMet }) => !isMet).length
const skipped = reports.filter((one) => "skipped" in one).length
console.log(missed === 0 ? "\nAll targets met." : `\nTargets not met: ${missed}.`)
if (skipped > 0) console.log(`Cases skipped: ${skipped}.`)

if (!isQuick && asked.only === undefined) keep({ ...surroundings, cases: found })
