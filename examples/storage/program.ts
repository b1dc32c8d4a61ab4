// It says nothing of where its entries are kept.
import { Effect, Option } from "effect"
import { Storage } from "effect-larder"

export const program = Effect.gen(function* () {
  yield* Storage.setMany([
    ["example:fruit:apple", { stock: 3 }],
    ["example:fruit:pear", { stock: 0 }],
    ["example:bread", { stock: 1 }]
  ])
  yield* Storage.delete("example:fruit:pear")
  const fruit = yield* Storage.keys("example:fruit:*")
  const apple = Option.getOrThrow(yield* Storage.get("example:fruit:apple"))
  return `${fruit.join()} ${JSON.stringify(apple)}`
})
