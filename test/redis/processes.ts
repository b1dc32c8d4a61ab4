/** What a test and its worker processes agree on. */
import type { LeaseOptions } from "effect-larder"

export interface ProcessSettings {
  readonly url: string
  readonly prefix: string
  readonly lease?: LeaseOptions
  /** Unset: the default. */
  readonly commandTimeout?: number
}

const variable = "LARDER_TEST_PROCESS"

/** Through the environment, to the process that is started with it. */
export const asEnvironment = (settings: ProcessSettings): Readonly<Record<string, string>> => ({
  [variable]: JSON.stringify(settings)
})

export const readSettings = (): ProcessSettings => JSON.parse(process.env[variable] ?? "{}")

/** Where loads of a key are counted: the creator's business, and none of the cache's. */
export const loadsKey = (prefix: string, key: string): string => `loads-of-${prefix} ${key}`
