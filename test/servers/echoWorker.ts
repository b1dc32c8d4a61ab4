/** What servers.test.ts lets run in processes of its own. */
import * as Effect from "effect/Effect"
import { post, serve } from "./serve.js"

const make = Effect.gen(function* () {
  yield* Effect.addFinalizer(() => post("my scope is closed"))
  return {
    echo: (text: string) => Effect.succeed(text),
    double: (n: number) => Promise.resolve(n * 2),
    fail: () => Effect.fail("as it should"),
    wait: () => Effect.never,
    announce: (text: string) => post(text)
  }
})

export type EchoHandlers = Effect.Effect.Success<typeof make>

serve(make)
