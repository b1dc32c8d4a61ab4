import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { describe, it } from "vitest"
import * as Binaries from "./binaries.js"

/** A program, or a server of any origin: the environment may name one that runs already. */
export type Need = Binaries.Name | keyof typeof servers

const servers = {
  redis: { variable: "REDIS_URL", program: "redis-server" },
  valkey: { variable: "VALKEY_URL", program: "valkey-server" },
  postgresql: { variable: "POSTGRES_URL", program: "postgres" },
  mariadb: { variable: "MARIADB_URL", program: "mariadbd" }
} satisfies Record<string, { variable: string; program: Binaries.Name }>

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
  if (!isServer(need)) return Binaries.find(need)
  const { program, variable } = servers[need]
  const url = process.env[variable] ?? ""
  return url === "" ? Binaries.find(program) : Effect.void
}

const isServer = (need: Need): need is keyof typeof servers => need in servers

const isCI = (): boolean => !["", "0", "false"].includes(process.env["CI"] ?? "")
