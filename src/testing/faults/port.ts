import * as Effect from "effect/Effect"
import * as Net from "node:net"

/**
 * A port of the loopback interface on which nobody listens.
 *
 * Below those the system hands to outgoing connections: one of them would take the port of a server
 * that is down, and it could not come back.
 */
export const freePort: Effect.Effect<number> = Effect.suspend(() => {
  const port = 10_000 + Math.floor(Math.random() * 22_000)
  return Effect.flatMap(isFree(port), (isFree) => (isFree ? Effect.succeed(port) : freePort))
})

const isFree = (port: number): Effect.Effect<boolean> =>
  Effect.async((resume) => {
    const server = Net.createServer()
    server.once("error", () => resume(Effect.succeed(false)))
    server.listen(port, "127.0.0.1", () => server.close(() => resume(Effect.succeed(true))))
  })
