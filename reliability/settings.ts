/** What a run and its processes agree on. Durations are milliseconds. */

export interface ProcessSettings {
  /** The wire of this process. */
  readonly url: string
  readonly truth: string
  readonly here: number
}

export const processes = 4
export const commandTimeout = 500
export const leaseDuration = 1_000
export const openFor = 2_000
export const failureThreshold = 5
export const successThreshold = 2

const variable = "LARDER_RELIABILITY_PROCESS"

/** Through the environment, to the process that is started with it. */
export const asEnvironment = (settings: ProcessSettings): Readonly<Record<string, string>> => ({
  [variable]: JSON.stringify(settings)
})

export const readSettings = (): ProcessSettings => JSON.parse(process.env[variable] ?? "{}")
