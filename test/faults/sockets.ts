/** Both ends of a wire, with nothing but sockets. */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schedule from "effect/Schedule"
import type { FaultProxy } from "effect-larder/testing"
import * as Net from "node:net"

export const encode = (words: FaultProxy.Words): string =>
  `*${words.length}\r\n${words.map((word) => `$${Buffer.byteLength(word)}\r\n${word}\r\n`).join("")}`

/** Nothing comes for as long as something would need ten times over. */
export const isSilent = (read: Effect.Effect<unknown, unknown>) =>
  Effect.map(Effect.timeoutOption(read, 50), Option.isNone)

/** Looks again and again, until it is so. */
export const until = <A, E>(effect: Effect.Effect<A, E>, isIt: (value: A) => boolean) =>
  Effect.repeat(effect, { until: isIt, schedule: Schedule.spaced(1) })

/** One end of a connection, and what has come to it. */
export interface End {
  readonly socket: Net.Socket
  readonly chunks: ReadonlyArray<string>
  /** The other end says that no more will come. */
  readonly hasEnded: () => boolean
  /** The code of the error that broke it. */
  readonly broke: () => string | undefined
  readonly send: (text: string) => Effect.Effect<void>
  /** Returns when all this has come, and nothing else. */
  readonly receive: (text: string) => Effect.Effect<void>
}

const follow = (socket: Net.Socket): End => {
  const chunks: Array<string> = []
  let hasEnded = false
  let code: string | undefined
  socket.setEncoding("latin1")
  socket.on("data", (text) => void chunks.push(String(text)))
  socket.on("end", () => void (hasEnded = true))
  socket.on("error", (error) => void (code = "code" in error ? String(error.code) : "no code"))
  const heard = Effect.sync(() => chunks.join(""))
  return {
    socket,
    chunks,
    hasEnded: () => hasEnded,
    broke: () => code,
    send: (text) => Effect.sync(() => void socket.write(text)),
    receive: (text) =>
      Effect.flatMap(
        until(heard, (it) => it.length >= text.length),
        () =>
          Effect.tap(heard, (it) => (it === text ? Effect.void : Effect.dieMessage(`${it} came`)))
      )
  }
}

/** A connection that half-closes: an end of the other side is none of ours. */
export const connect = (port: number) =>
  Effect.map(
    Effect.acquireRelease(
      Effect.sync(() => Net.connect({ port, host: "127.0.0.1", allowHalfOpen: true })),
      (socket) => Effect.sync(() => socket.destroy())
    ),
    follow
  )

/** A server that does nothing by itself. Gives the ends of its connections, in order. */
export const listen = Effect.gen(function* () {
  const ends: Array<End> = []
  const server = Net.createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    ends.push(follow(socket))
  })
  yield* Effect.acquireRelease(
    Effect.async<void>((resume) => {
      server.listen(0, "127.0.0.1", () => resume(Effect.void))
    }),
    () =>
      Effect.sync(() => {
        server.close()
        for (const { socket } of ends) socket.destroy()
      })
  )
  const { port } = server.address() as Net.AddressInfo
  const accept = (n: number) =>
    Effect.map(
      until(
        Effect.sync(() => ends.length),
        (length) => length > n
      ),
      () => ends[n]!
    )
  return { host: "127.0.0.1", port, accept }
})
