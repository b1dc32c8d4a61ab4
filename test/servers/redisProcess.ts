/** A process that speaks Redis's protocol: a server, or a sentinel. */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { FaultProcess } from "effect-larder/testing"
import * as Net from "node:net"
import * as ServerProcess from "./serverProcess.js"

/** Starts it, and waits until it is this very process that answers: at a port lost to another, another would. */
export const launch = (
  options: FaultProcess.Options
): Effect.Effect<FaultProcess.Service, ServerProcess.ServerFailed, Scope.Scope> =>
  ServerProcess.launch({
    ready: ({ pid, port }) =>
      Effect.filterOrFail(whoAnswers(port), (who) => who === pid || who === "somebody"),
    ...options
  })

/** The process that answers at the port; somebody, if it tells that to no stranger. */
const whoAnswers = (port: number): Effect.Effect<number | "somebody" | "nobody"> =>
  Effect.async((resume) => {
    const socket = Net.connect({ port, host: "127.0.0.1" }, () => socket.write("INFO server\r\n"))
    const answer = (who: number | "somebody" | "nobody") => {
      socket.destroy()
      resume(Effect.succeed(who))
    }
    let reply = ""
    socket.setEncoding("latin1").on("data", (text) => {
      reply += text
      const pid = /^process_id:(\d+)\r$/m.exec(reply)?.[1]
      if (pid !== undefined) answer(Number(pid))
      if (reply.startsWith("-NOAUTH")) answer("somebody")
    })
    socket.on("error", () => answer("nobody"))
    socket.on("end", () => answer("nobody"))
    return Effect.sync(() => socket.destroy())
  })
