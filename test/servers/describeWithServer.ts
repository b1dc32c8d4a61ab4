import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { describe, it } from "vitest"
import * as Binaries from "./binaries.js"

/** A program, or a server of any origin: the environment may name one that runs already. */
export type Need = Binaries.Name | "redis" | "valkey"

/**
 * A suite that needs real servers. Where one is missing the suite is skipped, and its title says
 * what is missing; with `CI` set in the environment it fails.
 */
export const describeWithServer = (
  title: string,
  needs: ReadonlyArray<Need>,
  suite: () => void
): void => {
  describe(title, async () => {
    const lack = await Effect.runPromise(firstLack(needs))
    if (Option.isNone(lack)) return suite()
    const { message } = lack.value
    if (isCI()) {
      it("has the servers it needs", () => {
        throw lack.value
      })
    }
    describe.skip(message.split("\n")[0] ?? message, suite)
  })
}

const firstLack = (needs: ReadonlyArray<Need>) =>
  Effect.forEach(needs, find, { discard: true }).pipe(Effect.flip, Effect.option)

const find = (need: Need): Effect.Effect<unknown, Binaries.ServerMissing> => {
  if (need !== "redis" && need !== "valkey") return Binaries.find(need)
  const url = process.env[`${need.toUpperCase()}_URL`] ?? ""
  return url === "" ? Binaries.find(`${need}-server`) : Effect.void
}

const isCI = (): boolean => !["", "0", "false"].includes(process.env["CI"] ?? "")
