/** docs/reliability.md, as results.json has it. Pure. */
import {
  brokenIn,
  type Figure,
  type GuaranteeName,
  guarantees,
  isBroken,
  type Results,
  shown
} from "./figures.js"
import * as Settings from "./settings.js"

export const pageOf = (results: Results): string =>
  [
    "# Reliability",
    folded(
      `What became of each guarantee under each fault, in a run over a real Redis with
      ${Settings.processes} processes.`
    ),
    surroundings(results),
    verdict(results),
    "## What callers see",
    tableOf(results, ["errors", "staleHere", "staleElsewhere", "extra", "slowest"]),
    "## What Redis sees, and what is left",
    tableOf(results, ["closed", "probes", "commands", "left", "heap"]),
    "A cell is empty where the fault does not put that guarantee to the test.",
    "## What was done",
    results.findings.map(({ fault, how }) => folded(`- **${fault}**: ${how}.`)).join("\n"),
    "## How it is measured",
    about,
    meanings.map(([name, text]) => folded(`- **${titleOf(name)}**: ${text}`)).join("\n"),
    notPromised,
    howToRun
  ].join("\n\n") + "\n"

const titleOf = (name: GuaranteeName): string => guarantees[name].title

const surroundings = ({ date, machine, minutes, versions }: Results): string =>
  [
    "| | |",
    "|---|---|",
    `| run | ${date.slice(0, 10)}, ${minutes} minutes of mixed faults |`,
    `| machine | ${machine.cpu}, ${machine.cores} cores, ${machine.platform} |`,
    `| load before the run | ${machine.load.map((load) => load.toFixed(1)).join(", ")} |`,
    `| Node | ${machine.node} |`,
    `| versions | ${Object.entries(versions)
      .map(([name, version]) => `${name} ${version}`)
      .join(", ")} |`
  ].join("\n")

const verdict = ({ findings }: Results): string => {
  const broken = findings.filter((finding) => brokenIn(finding).length > 0)
  return broken.length === 0
    ? "Every guarantee was kept."
    : `**Not kept** under ${broken.length} of ${findings.length} faults: in bold.`
}

const tableOf = ({ findings }: Results, columns: ReadonlyArray<GuaranteeName>): string =>
  [
    ["fault", ...columns.map(titleOf)],
    ["---", ...columns.map(() => "---:")],
    ...findings
      .filter(({ figures }) => columns.some((name) => figures[name] !== undefined))
      .map(({ fault, figures }) => [fault, ...columns.map((name) => cellOf(name, figures[name]))])
  ]
    .map((cells) => `| ${cells.join(" | ")} |`)
    .join("\n")

const cellOf = (name: GuaranteeName, figure: Figure | undefined): string => {
  if (figure === undefined) return ""
  const text = shown(name, figure)
  return isBroken(name, figure) ? `**${text}**` : text
}

const seconds = (millis: number): string => `${millis / 1_000} s`

const about = folded(
  `Each process reaches Redis through a proxy of its own, which does what networks do. Its callers
  look up rows at random, with a creator that takes 30 milliseconds. Each row has a version and one
  writer, which raises the version in a database that is never down, and then tells the cache: by
  \`invalidate\`, or by \`set\`. So every value says which version it is of, and every lookup is
  judged. Nobody asks again for what failed. \`commandTimeout\` is
  ${seconds(Settings.commandTimeout)}, \`lease.duration\` ${seconds(Settings.leaseDuration)},
  \`openFor\` ${seconds(Settings.openFor)}, \`failureThreshold\` ${Settings.failureThreshold},
  \`successThreshold\` ${Settings.successThreshold}.`
)

const meanings: ReadonlyArray<readonly [GuaranteeName, string]> = [
  ["errors", "lookups and writes that failed."],
  [
    "staleHere",
    `lookups that began after a write had returned in the same process, and were given what is
    older; whether or not Redis had confirmed that write.`
  ],
  [
    "staleElsewhere",
    `the same of a write in any process, once Redis has confirmed it: at once, or when what was
    pending has been replayed.`
  ],
  [
    "extra",
    `loads of a version beyond the first, in all processes together; of so many versions. They are
    counted in calms. A calm begins when no fault is going on, all circuits are closed and nothing
    is pending, and it has been so for ${seconds(Settings.leaseDuration + Settings.commandTimeout)}:
    then no creator is at work that began without a lease. A load counts if it begins and ends in
    one calm. If a command failed in a calm all the same, for this machine was busy, that calm is
    left out.`
  ],
  [
    "slowest",
    `what the cache added. With Redis gone that is at most one \`commandTimeout\`, and what a busy
    machine adds. Those who wait for a process that died, or stands still, wait until its lease has
    run out: one \`lease.duration\`, and up to 300 milliseconds until they look.`
  ],
  [
    "closed",
    `how long after the end of the fault the last circuit was closed, in units of \`openFor\`.
    Promised is 1.1.`
  ],
  [
    "probes",
    `commands of the cache that came to the proxy while the circuit was not closed, and may have
    been under way at one time: each for a whole \`commandTimeout\`, if it must be. Promised is
    \`successThreshold\`. None where there was no connection to send them by.`
  ],
  ["commands", "all of them, for each second in which the circuit was not closed."],
  [
    "left",
    `fibers, sockets and leases, when nobody has asked for a while, beyond those that were there
    before anybody had. Of callers who give up also flights, those who wait for another process,
    pending invalidations, and permits of a circuit breaker around their creators.`
  ],
  [
    "heap",
    `of processes that lived through it all, without garbage: from the median of the first third of
    the calms to that of the last. More than ${guarantees.heap.limit} would be a leak.`
  ]
]

const notPromised = `## What is not promised

${[
  `**Freshness elsewhere before the confirmation.** While an invalidation is pending in one process,
  others that reach Redis serve what is older. If that process dies first, they do so until the ttl
  ends.`,
  `**Freshness to the millisecond with an open circuit.** A caller may join a creator that is at
  work in its process: it may be given what another process has replaced since that creator began.
  Such lookups do not count as stale: what was done says how many there were.`,
  `**One load while Redis is gone, or just back.** Each process loads for itself then. In the wake
  of a fault, too: a lost reply may have granted a lease. A process that stands still for longer
  than its lease is followed by another, and both load. And if a write strikes while a row is
  loaded, each process that waited for that load may load once. To keep that apart, a writer here
  looks its row up before it writes.`,
  `**One load of what is written faster than a waiter looks, with pushes lost.** Who waits for
  another process looks every 200 to 300 milliseconds then. If it finds several times that the one it
  waited for is gone, and that yet another loads, it loads, too, so that frequent writes keep nobody
  waiting.`,
  `**Other arrangements.** This is one server on one machine, whose cores the processes, the server
  and the proxies share: no failover, and no Cluster.`
]
  .map((text) => folded(`- ${text}`))
  .join("\n")}`

const howToRun = `## How to run it

\`\`\`sh
npm run reliability                     # 2 minutes of mixed faults, and as many of the others
npm run reliability -- --minutes 10     # 10 minutes, and each of the others 5 times
npm run reliability -- --only reset     # the faults with this in their name; nothing is kept
\`\`\`

It needs \`redis-server\`, or finds it in a package of the distribution. What it starts, it ends. It
fails if a guarantee is not kept. A whole run is kept in
[results.json](../reliability/results.json), of which this page is made.

The tests have shorter runs of the same: a hundred outages under random reads and writes, callers
who give up for ten seconds, Redis that is not there from the start, and what reaches a server that
comes back.`

/** Lines of at most 98 columns, of a list indented. */
function folded(text: string): string {
  const indent = text.startsWith("- ") ? "  " : ""
  const lines: Array<string> = []
  let line = ""
  for (const word of text.split(/\s+/)) {
    if (line !== "" && line.length + 1 + word.length > 98) {
      lines.push(line)
      line = indent + word
    } else line = line === "" ? word : `${line} ${word}`
  }
  return [...lines, line].join("\n")
}
