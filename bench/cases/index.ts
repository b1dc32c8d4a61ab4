/** Every case, in the order in which they are run. */
import type { Case } from "../report.js"
import { circuitBreaker } from "./circuitBreaker.js"
import { hit } from "./hit.js"
import { millionKeys } from "./millionKeys.js"
import { miss } from "./miss.js"
import { redisCommands } from "./redisCommands.js"
import { redisDown } from "./redisDown.js"
import { redisHit } from "./redisHit.js"
import { redisLock } from "./redisLock.js"
import { redisMiss } from "./redisMiss.js"
import { redisRunPromise } from "./redisRunPromise.js"
import { redisStampede } from "./redisStampede.js"
import { redisStorage } from "./redisStorage.js"
import { redisWakeUp } from "./redisWakeUp.js"
import { runPromise } from "./runPromise.js"
import { sqliteStorage } from "./sqliteStorage.js"
import { stampede } from "./stampede.js"
import { storageMillion } from "./storageMillion.js"

export const cases: Readonly<Record<string, Case>> = {
  hit,
  runPromise,
  miss,
  stampede,
  millionKeys,
  circuitBreaker,
  redisHit,
  redisRunPromise,
  redisMiss,
  redisStampede,
  redisWakeUp,
  redisLock,
  redisDown,
  redisCommands,
  sqliteStorage,
  redisStorage,
  storageMillion
}
