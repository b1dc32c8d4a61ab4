/** What a case tells the processes that it starts. */
export interface Settings {
  readonly url: string
  /** How many each process has. */
  readonly clients: number
}

const variable = "LARDER_BENCH_WORKER"

/** Through the environment, to the process that is started with it. */
export const asEnvironment = (settings: Settings): Readonly<Record<string, string>> => ({
  [variable]: JSON.stringify(settings)
})

export const readSettings = (): Settings => JSON.parse(process.env[variable] ?? "{}")
