import { describe, expect, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"
import { FaultProcess, ProcessFailed } from "effect-larder/testing"
import { fileURLToPath } from "node:url"
import { liveClock } from "../servers/liveClock.js"
import { startWorker } from "../servers/worker.js"
import type { ExitingHandlers } from "./exitingWorker.js"
import { connect, isSilent, until } from "./sockets.js"

/** Answers whatever it is asked, and says goodbye when it is asked to end. */
const polite = `
  const sockets = new Set()
  const server = require("node:net").createServer((socket) => {
    sockets.add(socket)
    socket.on("close", () => sockets.delete(socket))
    socket.on("data", (text) => socket.write(text))
    socket.on("error", () => {})
  })
  server.listen(Number(process.argv[1]), "127.0.0.1")
  process.on("SIGTERM", () => {
    for (const socket of sockets) socket.end("goodbye", () => process.exit())
    if (sockets.size === 0) process.exit()
  })
`

const node = (script: string, options: Partial<FaultProcess.Options> = {}) =>
  FaultProcess.make({
    file: process.execPath,
    args: (port) => ["-e", script, `${port}`],
    ...options
  })

const ask = (port: number) =>
  Effect.gen(function* () {
    const { receive, send } = yield* connect(port)
    yield* send("anybody there?")
    yield* receive("anybody there?")
  }).pipe(Effect.scoped, liveClock)

const isAlive = (pid: number): boolean => {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

describe("a process", () => {
  it.scoped("is ready when its port accepts, even under a test clock", () =>
    Effect.gen(function* () {
      const server = yield* node(polite)
      yield* ask(server.port)
      expect(yield* server.state).toBe("running")
      expect(isAlive(yield* server.pid)).toBe(true)
    })
  )

  it.scoped("answers nothing while it is stopped, and everything when it goes on", () =>
    Effect.gen(function* () {
      const server = yield* node(polite)
      yield* server.stop
      expect(yield* server.state).toBe("stopped")
      const asked = yield* Effect.fork(ask(server.port))
      expect(yield* liveClock(isSilent(Fiber.await(asked)))).toBe(true)
      yield* server.continue
      expect(yield* server.state).toBe("running")
      yield* Fiber.join(asked)
    })
  )

  it.scoped("comes back at the same port, whether killed, ended, stopped or running", () =>
    Effect.gen(function* () {
      const server = yield* node(polite)
      const { port } = server
      for (const fault of [server.kill, server.end, server.stop, Effect.void]) {
        const before = yield* server.pid
        yield* fault
        yield* server.restart
        yield* ask(port)
        expect(yield* server.pid).not.toBe(before)
        expect(isAlive(before)).toBe(false)
        expect(yield* server.state).toBe("running")
      }
    })
  )

  it.scoped("that is killed is gone, and can be neither stopped nor continued", () =>
    Effect.gen(function* () {
      const server = yield* node(polite)
      yield* server.kill
      expect(yield* server.state).toBe("ended")
      expect(isAlive(yield* server.pid)).toBe(false)
      yield* server.kill
      yield* server.end
      for (const step of [server.stop, server.continue]) {
        const cause = yield* Effect.flip(Effect.sandbox(step))
        expect(Cause.pretty(cause)).toContain("has ended")
      }
    })
  )

  it.scoped("is asked to end, and hears it even if it was stopped", () =>
    Effect.gen(function* () {
      const server = yield* node(polite)
      const { receive } = yield* connect(server.port)
      yield* ask(server.port)
      yield* server.stop
      yield* server.end
      yield* liveClock(receive("goodbye"))
      expect(yield* server.state).toBe("ended")
    })
  )

  it.scoped("that will not end is killed when patience is over, also when its scope closes", () =>
    Effect.gen(function* () {
      const stubborn = `${polite} process.removeAllListeners("SIGTERM").on("SIGTERM", () => {})`
      const start = node(stubborn, { patience: "2 seconds" })
      const server = yield* start
      yield* server.end
      expect(isAlive(yield* server.pid)).toBe(false)
      const pid = yield* Effect.scoped(Effect.flatMap(start, (other) => other.pid))
      expect(isAlive(pid)).toBe(false)
    })
  )

  it.scoped("is started again also where nothing may be interrupted", () =>
    Effect.gen(function* () {
      const server = yield* node(polite)
      yield* Effect.scoped(Effect.acquireRelease(server.kill, () => Effect.orDie(server.restart)))
      yield* ask(server.port)
    })
  )

  it.effect("ends when its scope closes, also a stopped one, and others do not", () =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const [running, stopped] = yield* Scope.extend(
        Effect.all([node(polite), node(polite)], { concurrency: 2 }),
        scope
      )
      const other = yield* node(polite)
      yield* stopped.stop
      const pids = yield* Effect.all([running.pid, stopped.pid])
      yield* Scope.close(scope, Exit.void)
      expect(pids.map(isAlive)).toEqual([false, false])
      yield* ask(other.port)
    }).pipe(Effect.scoped)
  )

  it.scoped("does not outlive the process that started it, however that exits", () =>
    Effect.gen(function* () {
      const file = new URL("exitingWorker.ts", import.meta.url)
      const worker = yield* startWorker<ExitingHandlers>(file)
      const pid = yield* worker.ask("pid")
      expect(isAlive(pid)).toBe(true)
      yield* worker.send("exit")
      yield* liveClock(
        until(
          Effect.sync(() => isAlive(pid)),
          (is) => !is
        )
      )
    })
  )

  it.scoped("is ready when the effect says so, which may need services", () =>
    Effect.gen(function* () {
      class Attempts extends Context.Tag("Attempts")<Attempts, Array<number>>() {}
      const attempts: Array<number> = []
      const server = yield* FaultProcess.make({
        file: process.execPath,
        args: ["-e", "setInterval(() => {}, 1_000)"],
        port: 7,
        ready: ({ pid, port }) =>
          Effect.flatMap(Attempts, (attempts) =>
            attempts.push(pid) < 3 ? Effect.fail("not yet") : Effect.succeed(port)
          )
      }).pipe(Effect.provideService(Attempts, attempts))
      expect(server.port).toBe(7)
      expect(attempts).toEqual(Array(3).fill(yield* server.pid))
    })
  )

  it.scoped("is tried at another port when somebody was quicker", () =>
    Effect.gen(function* () {
      const tried: Array<number> = []
      const server = yield* node("", {
        args: (port) =>
          tried.push(port) === 1
            ? ["-e", `throw new Error("listen EADDRINUSE: address already in use")`]
            : ["-e", polite, `${port}`]
      })
      expect(tried).toEqual([expect.any(Number), server.port])
    })
  )

  it.scoped("is a layer, too", () =>
    Effect.flatMap(FaultProcess, ({ port }) => ask(port)).pipe(
      Effect.provide(
        FaultProcess.layer({
          file: process.execPath,
          args: (port) => ["-e", polite, `${port}`],
          env: { NODE_NO_WARNINGS: "1" }
        })
      )
    )
  )
})

describe("a process that cannot be started", () => {
  const failing = (options: FaultProcess.Options) => Effect.flip(FaultProcess.make(options))

  it.scoped("because it is not there says how to get it", () =>
    Effect.gen(function* () {
      const failure = yield* failing({ file: "no-such-server", install: "apt-get install it" })
      expect(failure).toMatchObject({ _tag: "ProcessFailed", reason: "NotFound" })
      expect(failure.message).toBe("no-such-server is not there. Remedy: apt-get install it")
      const { message } = yield* failing({ file: "no-such-server" })
      expect(message).toContain("install it, or give its path")
    })
  )

  it.scoped("because the system will not says why", () =>
    Effect.gen(function* () {
      const failure = yield* failing({ file: fileURLToPath(import.meta.url) })
      expect(failure.reason).toBe("NotStarted")
      expect(failure.message).toMatch(/cannot be started\. Remedy: .*EACCES/)
    })
  )

  it.scoped("because it ends at once shows what it said last", () =>
    Effect.gen(function* () {
      const failure = yield* Effect.flip(node(`throw new Error("Bad directive")`))
      expect(failure.reason).toBe("Ended")
      expect(failure.message).toContain("ended before it was ready")
      expect(failure.output).toContain("Bad directive")
    })
  )

  it.scoped("because it is never ready is killed, and says what was waited for", () =>
    Effect.gen(function* () {
      let pid = 0
      const failure = yield* Effect.flip(
        node(polite, {
          patience: "300 millis",
          ready: (running) =>
            Effect.zipRight(
              Effect.sync(() => (pid = running.pid)),
              Effect.fail(1)
            )
        })
      )
      expect(failure.reason).toBe("NotReady")
      expect(failure.message).toMatch(/does it serve port \d+\? Its patience was 300ms/)
      expect(isAlive(pid)).toBe(false)
    })
  )

  it.scoped("again says so in the error of the restart", () =>
    Effect.gen(function* () {
      let isBroken = false
      const server = yield* node("", {
        args: (port) => ["-e", isBroken ? "process.exit(1)" : polite, `${port}`]
      })
      isBroken = true
      const failure = yield* Effect.flip(server.restart)
      expect(failure).toBeInstanceOf(ProcessFailed)
      expect(yield* server.state).toBe("ended")
      isBroken = false
      yield* server.restart
      yield* ask(server.port)
    })
  )
})
