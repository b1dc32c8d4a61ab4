/**
 * `npm run reliability`: what becomes of our guarantees while things go wrong, over a real
 * Redis and with several processes.
 *
 *     -- --minutes 10     how long the mixed faults last; the others accordingly. Default 2
 *     -- --only reset     those faults alone whose name has this in it; keeps nothing
 *
 * What a whole run finds is kept in results.json, and docs/reliability.md is made of it.
 */
import * as Effect from "effect/Effect"
import * as Logger from "effect/Logger"
import * as Os from "node:os"
import { createRequire } from "node:module"
import { parseArgs } from "node:util"
import { command, startRedis } from "../test/servers/redis.js"
import { faults } from "./faults.js"
import { brokenIn, type Finding, guarantees, names, shown } from "./figures.js"
import { keep } from "./results.js"
import { chaos } from "./scenarios/chaos.js"
import { coldStarts } from "./scenarios/coldStart.js"
import { holders } from "./scenarios/holders.js"
import { givingUp } from "./scenarios/interruptions.js"
import { underFault } from "./scenarios/underFault.js"

const { values: asked } = parseArgs({
  options: { minutes: { type: "string", default: "2" }, only: { type: "string", default: "" } }
})
const minutes = Number(asked.minutes)
if (!(minutes > 0)) {
  console.error(`--minutes takes a number above 0, and not ${asked.minutes}`)
  process.exit(1)
}

// So that servers and processes end, too: they are killed on exit.
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(1))

const rounds = Math.max(1, Math.round(minutes / 2))

const scenarios: Readonly<Record<string, Effect.Effect<ReadonlyArray<Finding>, unknown>>> = {
  ...Object.fromEntries(
    faults.map((fault) => [fault.name, Effect.map(underFault(fault, rounds), (it) => [it])])
  ),
  "process killed or paused": holders(rounds),
  "not there from the start": coldStarts,
  "callers who give up": Effect.map(givingUp(Math.min(60, minutes * 30)), (it) => [it]),
  "all at random": Effect.map(chaos(minutes), (it) => [it])
}

const print = (finding: Finding): void => {
  console.log(`\n${finding.fault}: ${finding.how}`)
  for (const name of names) {
    const figure = finding.figures[name]
    if (figure === undefined) continue
    const isBroken = brokenIn(finding).includes(name)
    console.log(
      `  ${isBroken ? "BROKEN" : "      "} ${guarantees[name].title}: ${shown(name, figure)}`
    )
  }
  for (const sample of finding.samples) console.log(`         ${sample}`)
}

const versionOfRedis = startRedis({ own: true }).pipe(
  Effect.flatMap((redis) => command(redis, "INFO", "server")),
  Effect.map((info) => /^redis_version:(.*?)\r?$/m.exec(String(info))?.[1] ?? "unknown"),
  Effect.scoped
)

const versionOf = (name: string): string =>
  createRequire(import.meta.url)(`${name}/package.json`).version

const run = Effect.gen(function* () {
  const surroundings = {
    date: new Date().toISOString(),
    minutes,
    machine: {
      cpu: Os.cpus()[0]?.model ?? "unknown",
      cores: Os.cpus().length,
      platform: `${process.platform} ${process.arch}`,
      node: process.versions.node,
      load: Os.loadavg()
    },
    versions: {
      effect: versionOf("effect"),
      ioredis: versionOf("ioredis"),
      Redis: yield* versionOfRedis
    }
  }
  const findings: Array<Finding> = []
  for (const [name, scenario] of Object.entries(scenarios)) {
    if (!name.includes(asked.only)) continue
    process.stderr.write(`${name} …\n`)
    for (const finding of yield* scenario) {
      findings.push(finding)
      print(finding)
    }
  }
  const broken = findings.filter((finding) => brokenIn(finding).length > 0)
  console.log(broken.length === 0 ? "\nAll kept." : `\nNot kept under ${broken.length} faults.`)
  if (asked.only === "") keep({ ...surroundings, findings })
  return broken.length === 0 ? 0 : 1
})

process.exit(await Effect.runPromise(Effect.provide(run, Logger.remove(Logger.defaultLogger))))
