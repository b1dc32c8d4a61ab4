// What is said in the chart and in plain lines alike.
import type { Mark, Query } from "./samples.js"
import { count, type Samples, savedPercent } from "./samples.js"
import * as Scenario from "./scenario.js"

export const nameOf: Readonly<Record<Query["cache"], string>> = {
  naive: "Redis with a ttl",
  ours: "RedisCache"
}

export const eventOf: Readonly<Record<Mark["event"], string>> = {
  expiry: "expiry",
  invalidation: "invalidation",
  kill: "holder killed",
  takeover: "taken over"
}

const thousands = new Intl.NumberFormat("en-US")
export const number = (value: number): string => thousands.format(value)

export const clock = (seconds: number): string => {
  const whole = Math.floor(seconds)
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`
}

export const introduction = `\
A minute's traffic, ${Scenario.speed} times as fast: ${Scenario.requestsPerSecond} requests a second in ${Scenario.processes} processes, for
${Scenario.products} products, some wanted much more often than others (Zipf). Each is made twice:
of a Redis with a ttl, and of RedisCache. An entry lives ${Scenario.ttl} s, a query takes
${Scenario.query} s. One product is invalidated; later once more, and the process that then
loads it is killed.
`

export const sum = (samples: Samples): string => {
  const [naive, ours] = [count(samples, "naive"), count(samples, "ours")].map(number)
  return `share of load saved: ${savedPercent(samples)}% (${naive} -> ${ours} queries)`
}
