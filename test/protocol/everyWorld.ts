/** The same tests over every kind of server. */
import { describe } from "vitest"
import { describeWithServer } from "../servers/describeWithServer.js"
import { makeRedisWorld } from "./redisWorld.js"
import { memoryWorld, type World } from "./world.js"

export const inEveryWorld = (title: string, suite: (world: World) => void): void => {
  describe(`${title}, over memory`, () => suite(memoryWorld))
  const needs = ["redis-server", "libfaketimeMT.so.1"] as const
  describeWithServer(`${title}, over Redis`, needs, () => suite(makeRedisWorld(true)))
  describeWithServer(`${title}, over Redis without scripts`, needs, () =>
    suite(makeRedisWorld(false))
  )
}
