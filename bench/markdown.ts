/** RESULTS.md and its charts, as results.json has them. Pure. */
import { type Bar, chart } from "./chart.js"
import {
  type Comparison,
  duration,
  type Listing,
  ours,
  type Report,
  type Results,
  rowsOf
} from "./figures.js"
import { sections } from "./sections.js"

/** The text of each file, by its path beside results.json. */
export const filesOf = (results: Results): Readonly<Record<string, string>> => {
  const charts = Object.values(results.cases).flat().flatMap(chartsOf)
  return {
    "RESULTS.md": `${[head(results), losses(results), ...details(results)].join("\n\n")}\n`,
    ...Object.fromEntries(charts.map(({ path, svg }) => [path, svg]))
  }
}

const head = ({ date, isCollected, machine, placement, versions }: Results): string =>
  `# Results

Made from [results.json](results.json) by \`npm run bench:results\`; a full run does both:
\`npm run bench\`.

| | |
|---|---|
| run | ${date.slice(0, 10)} |
| machine | ${machine.cpu}, ${machine.cores} cores, ${machine.memory}, ${machine.platform} |
| load before the run | ${machine.load.map((load) => load.toFixed(1)).join(", ")} |
| Node | ${machine.node} |
| Redis | ${versions["redis"] ?? "none"}, real, on the same machine; ${placement} |
| versions | ${Object.entries(versions)
    .filter(([name]) => name !== "redis")
    .map(([name, version]) => `${name} ${version}`)
    .join(", ")} |

Each case has a process of its own. In it peers take turns, round by round, in an order that rotates:
a machine's speed drifts by more than what is compared. A figure is the median over rounds, with its
quartiles. \`ours / peer\` is our time as a share of the peer's, round by round, and of that the median:
**below 1 we are faster**. Times alone vary with the machine; only those of one run compare. Every
turn's sum is checked.${isCollected ? "" : "\nGarbage could not be collected between turns here."}

Each peer is set up as its README says, without logs and with the same ttl: in memory with 10,000
entries by reference (bentocache as it comes, in JSON, and by reference), over Redis with JSON and a
connection of its own. Those over ioredis have it as it comes; auto-pipelining was tried for them, and
changed little. keyv stores and creates nothing: it is asked, and told, by hand.`

const details = ({ cases }: Results): ReadonlyArray<string> =>
  Object.entries(cases).flatMap(([name, reports]) => [
    `## ${headingOf(name)}`,
    ...about(name),
    ...reports.map((report) => detail(report, reports.length > 1))
  ])

const headingOf = (name: string): string => sections[name]?.heading ?? name

const about = (name: string): ReadonlyArray<string> => {
  const text = sections[name]?.about
  return text === undefined ? [] : [text]
}

const detail = (report: Report, isTitled: boolean): string => {
  const title = isTitled ? [`### ${report.title}`] : []
  if ("skipped" in report) return [...title, `Skipped: ${report.skipped}`].join("\n\n")
  const rounds = "findings" in report ? [`${report.rounds} rounds.`] : []
  const charts = chartsOf(report).map(({ path, title }) => `![${title}](${path})`)
  const targets = report.targets.map(
    ({ figure, isMet, what }) => `- ${isMet ? "met" : "**not met**"}: ${what}: ${figure}`
  )
  return [...title, ...charts, tableOf(rowsOf(report)), ...rounds, targets.join("\n")]
    .filter((part) => part !== "")
    .join("\n\n")
}

/** The first column to the left, the others to the right. */
const tableOf = ([columns = [], ...rows]: ReadonlyArray<ReadonlyArray<string>>): string =>
  [columns, columns.map((_, index) => (index === 0 ? "---" : "---:")), ...rows]
    .map((cells) => `| ${cells.join(" | ")} |`)
    .join("\n")

interface Chart {
  readonly title: string
  readonly path: string
  readonly svg: string
}

const chartsOf = (report: Report): ReadonlyArray<Chart> => {
  if ("skipped" in report) return []
  if ("findings" in report) return [chartOf(report.title, barsOf(report))]
  return (report.charted ?? []).map((column) =>
    chartOf(`${report.title}: ${column}`, barsIn(report, column))
  )
}

const chartOf = (title: string, bars: ReadonlyArray<Bar>): Chart => ({
  title,
  path: `charts/${slug(title)}.svg`,
  svg: chart(title, bars)
})

const slug = (title: string): string =>
  title
    .toLowerCase()
    .replaceAll(",", "")
    .replaceAll(/[^a-z0-9]+/g, "-")
    .replaceAll(/^-|-$/g, "")

const barsOf = ({ findings }: Comparison): ReadonlyArray<Bar> =>
  findings.map(({ nanoseconds: { median, q1, q3 }, peer }) => ({
    label: peer,
    value: median,
    range: [q1, q3],
    figure: duration(median),
    isOurs: peer === ours
  }))

const barsIn = (listing: Listing, column: string): ReadonlyArray<Bar> => {
  const at = listing.columns.indexOf(column)
  const [, ...texts] = rowsOf(listing)
  return listing.rows.map((row, index) => ({
    label: String(row[0]),
    value: Number(row[at]),
    figure: texts[index]?.[at] ?? "",
    isOurs: row[0] === ours
  }))
}

/** Whom we are slower than, and how many times as long we take. */
interface Loss {
  readonly peer: string
  readonly factor: number
}

const losses = ({ cases }: Results): string => {
  const lost = Object.entries(cases).flatMap(([name, reports]) => lossesOf(name, reports))
  const missed = Object.values(cases)
    .flat()
    .flatMap(({ targets, title }) =>
      targets
        .filter(({ isMet }) => !isMet)
        .map(({ figure, what }) => `- ${title}: ${what}. It is ${figure}.`)
    )
  return [
    "## Where we lose",
    "Every peer that took less time than we did, and how many times as long we take.",
    ...lost,
    "### Targets not met",
    missed.length === 0 ? "None." : missed.join("\n")
  ].join("\n\n")
}

const lossesOf = (name: string, reports: ReadonlyArray<Report>): ReadonlyArray<string> => {
  const lost = reports.flatMap(linesOf)
  if (lost.length === 0) return []
  const why = sections[name]?.why
  return [`**${headingOf(name)}**`, lost.join("\n"), ...(why === undefined ? [] : [why])]
}

const linesOf = (report: Report): ReadonlyArray<string> => {
  if ("skipped" in report) return []
  if ("findings" in report) return lineOf(report.title, lossesIn(report))
  return report.columns.flatMap((column, at) =>
    isTime(column) ? lineOf(`${report.title}, ${column}`, lossesAt(report, at)) : []
  )
}

const lineOf = (title: string, losses: ReadonlyArray<Loss>): ReadonlyArray<string> => {
  // What would be printed as 1.00 is as fast.
  const slower = losses
    .filter(({ factor }) => factor >= 1.005)
    .toSorted((one, other) => one.factor - other.factor)
    .map(({ factor, peer }) => `${peer} ${factor < 10 ? factor.toFixed(2) : factor.toFixed(0)} ×`)
  return slower.length === 0 ? [] : [`- ${title}: ${slower.join(", ")}`]
}

const lossesIn = ({ findings }: Comparison): ReadonlyArray<Loss> =>
  findings.flatMap(({ oursToPeer, peer }) =>
    // Another way of ours is nobody else's.
    oursToPeer === undefined || peer.startsWith(ours) ? [] : [{ peer, factor: oursToPeer.median }]
  )

const isTime = (column: string): boolean => /\([nµm]?s\)$/.test(column)

const lossesAt = ({ rows }: Listing, at: number): ReadonlyArray<Loss> => {
  const own = rows.find(([peer]) => peer === ours)?.[at]
  if (typeof own !== "number") return []
  return rows.flatMap((row) => {
    const [peer] = row
    const theirs = row[at]
    return typeof theirs === "number" && theirs > 0 && peer !== ours
      ? [{ peer: String(peer), factor: own / theirs }]
      : []
  })
}
