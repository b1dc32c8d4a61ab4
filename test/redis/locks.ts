/** What processes that want the same locks agree on. */

/** What the processes are told by `LARDER_LOCKS` in the environment, as JSON. */
export interface Surroundings {
  readonly url: string
  readonly database: string
}

/** Fibers that enter a room under a lock, again and again. */
export interface Fight {
  readonly name: string
  readonly fibers: number
  readonly millis: number
}

/** Where those in a room of this name write down that they enter and leave. */
export const bookOf = (name: string) => `book of ${name}`
