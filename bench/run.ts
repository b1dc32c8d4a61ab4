/**
 * `npm run bench`: how long things take beside other caches, and whether what we
 * promise holds on this machine. `-- --quick`: fewer rounds, under a minute.
 */
import * as Fs from "node:fs"
import { createRequire } from "node:module"
import * as Os from "node:os"
import { hit } from "./cases/hit.js"
import { millionKeys } from "./cases/millionKeys.js"
import { miss } from "./cases/miss.js"
import { runPromise } from "./cases/runPromise.js"
import { stampede } from "./cases/stampede.js"
import { collect } from "./harness.js"
import { type Case, print, type Report } from "./report.js"

const cases: ReadonlyArray<Case> = [hit, runPromise, miss, stampede, millionKeys]

const versionOf = (name: string): string => {
  const path = createRequire(import.meta.url)
    .resolve.paths(name)
    ?.map((folder) => `${folder}/${name}/package.json`)
    .find((file) => Fs.existsSync(file))
  return path === undefined ? "unknown" : JSON.parse(Fs.readFileSync(path, "utf8")).version
}

const isQuick = process.argv.includes("--quick")
const surroundings = {
  date: new Date().toISOString(),
  isQuick,
  machine: {
    cpu: Os.cpus()[0]?.model ?? "unknown",
    cores: Os.cpus().length,
    memory: `${Math.round(Os.totalmem() / 2 ** 30)} GiB`,
    platform: `${process.platform} ${process.arch}`,
    node: process.versions.node
  },
  versions: Object.fromEntries(
    ["effect", "lru-cache", "bentocache"].map((name) => [name, versionOf(name)])
  ),
  isCollected: collect !== undefined
}
const { machine, versions } = surroundings
console.log(
  [
    `${machine.cpu}, ${machine.cores} cores, Node ${machine.node}`,
    Object.entries(versions)
      .map(([name, version]) => `${name} ${version}`)
      .join(", "),
    "Peers take turns; ratios are medians over rounds. Times alone vary with the machine."
  ].join("\n")
)

const reports: Array<Report> = []
for (const one of cases) {
  const found = await one(isQuick)
  reports.push(found)
  console.log(`\n${print(found)}`)
}
const missed = reports.flatMap(({ targets }) => targets).filter(({ isMet }) => !isMet).length
console.log(missed === 0 ? "\nAll targets met." : `\nTargets not met: ${missed}.`)

Fs.writeFileSync(
  new URL("results.json", import.meta.url),
  `${JSON.stringify({ ...surroundings, cases: reports }, null, 2)}\n`
)
