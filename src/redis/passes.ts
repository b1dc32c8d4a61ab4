/** Going over all keys of a prefix, by SCAN: never KEYS, never FLUSH. */
import * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import { escapeGlob } from "../policy/glob.js"
import type { BackendError } from "../port/CacheBackend.js"
import { fault, send, type Sender } from "./driver.js"
import type { Link } from "./link.js"

/** How many keys a server looks at in one go. */
const pageSize = 1_000

/** How often a pass begins anew, because servers or keys changed places, before it gives up. */
const maxPasses = 5

/**
 * The keys that begin with `start`, as sent, page by page; a key may come twice.
 *
 * @param match a pattern of Redis's, for less than that
 */
export const pages = (
  link: Link,
  command: string,
  start: string,
  // A byte count is what Redis's `?` and `[…]` go by, so only the escaped start is asked for.
  match = `${escapeGlob(start)}*`
): Stream.Stream<ReadonlyArray<string>, BackendError> =>
  Stream.suspend(() => {
    const servers = link.nodes()
    return servers.length === 0
      ? Stream.fail(fault(command, new Error("There is no connection")))
      : Stream.flatMap(Stream.fromIterable(servers), (server) =>
          pagesOf(server, command, start, match)
        )
  })

const pagesOf = (
  server: Sender,
  command: string,
  start: string,
  match: string
): Stream.Stream<ReadonlyArray<string>, BackendError> =>
  Stream.paginateChunkEffect("0", (cursor) =>
    Effect.map(
      send(server, command, "SCAN", [cursor, "MATCH", match, "COUNT", pageSize]),
      (reply) => {
        const [next, found] = reply as readonly [string, ReadonlyArray<string>]
        const keys = found.filter((key) => key.startsWith(start))
        return [Chunk.of(keys), next === "0" ? Option.none<string>() : Option.some(next)] as const
      }
    )
  )

/**
 * Does it all again if, meanwhile, a connection was lost or keys have moved to
 * another server: what was looked for may have been where nobody looked.
 */
export const undisturbed = (
  link: Link,
  pass: Effect.Effect<void, BackendError>,
  passes = 1
): Effect.Effect<void, BackendError> =>
  Effect.gen(function* () {
    const before = yield* link.epoch
    yield* pass
    // Looked at: A │ a key is carried from B to A │ looked at: B. On A it is found the
    // second time, for it is not carried on while the epoch lasts.
    if (before.isMoving) yield* pass
    if ((yield* link.epoch).name === before.name) return
    if (passes >= maxPasses) return yield* fault("clear", keepChanging)
    return yield* undisturbed(link, pass, passes + 1)
  })

const keepChanging = new Error("The servers keep changing")

/** The same of a stream: what it has given, it gives again. */
export const undisturbedStream = <A>(
  link: Link,
  command: string,
  pass: Stream.Stream<A, BackendError>,
  passes = 1
): Stream.Stream<A, BackendError> =>
  Stream.unwrap(
    Effect.map(link.epoch, (before) => {
      const again = Effect.map(link.epoch, ({ name }) => {
        if (name === before.name) return Stream.empty
        return passes < maxPasses
          ? undisturbedStream(link, command, pass, passes + 1)
          : Stream.fail(fault(command, keepChanging))
      })
      const all = before.isMoving ? Stream.concat(pass, pass) : pass
      return Stream.concat(all, Stream.unwrap(again))
    })
  )
