/**
 * Settings of storages from the environment, for the `…Live` layers. A storage that is not the one
 * that was meant would lose what is in that one: what is wrong is an error.
 */
import * as Config from "effect/Config"
import * as ConfigError from "effect/ConfigError"
import * as Either from "effect/Either"

/** What is set under a name; unset and empty are the same. */
export const given = (name: string): Config.Config<string | undefined> =>
  Config.string(name).pipe(
    Config.withDefault(""),
    Config.map((text) => (text.trim() === "" ? undefined : text.trim()))
  )

const ttlName = "LARDER_STORAGE_TTL_SECONDS"

/** How long entries live whose `set` does not say, in milliseconds. */
export const storageTtl: Config.Config<number | undefined> = Config.mapOrFail(
  given(ttlName),
  (text) => {
    if (text === undefined) return Either.right(undefined)
    const seconds = /^(\d+(\.\d+)?|Infinity)$/.test(text) ? Number(text) : 0
    return seconds > 0
      ? Either.right(seconds * 1_000)
      : Either.left(
          ConfigError.InvalidData(
            [ttlName],
            `it is ${JSON.stringify(text)}; allowed: seconds, above zero, or Infinity, for good`
          )
        )
  }
)
