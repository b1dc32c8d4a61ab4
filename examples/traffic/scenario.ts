// The minute: who asks for what, and what happens meanwhile. Times are seconds of the traffic's.

export const seconds = 60

/** How much faster than it says everything goes: traffic, queries, ttl and lease. */
export const speed = 4

export const processes = 3
export const products = 20
export const requestsPerSecond = 250
/** Of Zipf's law: the product of rank n is asked for 1 / n ** skew times as often as the first. */
export const skew = 1.1
export const seed = 42

export const ttl = 12
export const query = 1.5
export const lease = 5

/** The one that is invalidated, and then loaded by a process that is killed. */
export const hottest = 1
export const invalidationAt = 20
export const killAt = 42

/** Seconds of the traffic's as milliseconds of the clock's. */
export const millis = (trafficSeconds: number): number => (trafficSeconds * 1000) / speed

export const trafficSeconds = (clockMillis: number): number => (clockMillis * speed) / 1000
