/**
 * PostgreSQL, the real one, for as long as a scope lasts.
 *
 * Usable under a test clock: whatever waits here waits in real time.
 */
import * as FileSystem from "@effect/platform/FileSystem"
import * as NodeContext from "@effect/platform-node/NodeContext"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import type { FaultProcess } from "effect-larder/testing"
import * as Path from "node:path"
import * as Binaries from "./binaries.js"
import { liveClock } from "./liveClock.js"
import { complete, launch, type ServerFailed } from "./serverProcess.js"
import { foreign, makePassword, owned, type SqlOptions, type SqlServer } from "./sqlServer.js"
import * as ChildProcess from "../../src/testing/faults/childProcess.js"

/** A server of the environment's (`POSTGRES_URL`) if a plain one will do, or our own. */
export const startPostgres = ({ args = [], own = false }: SqlOptions = {}): Effect.Effect<
  SqlServer,
  Binaries.ServerMissing | ServerFailed,
  Scope.Scope
> =>
  Effect.suspend(() => {
    const url = process.env["POSTGRES_URL"] ?? ""
    if (!own && args.length === 0 && url !== "") return Effect.succeed(foreign(url, 5432))
    return startOwn(args).pipe(Effect.provide(NodeContext.layer), liveClock)
  })

const startOwn = (args: ReadonlyArray<string>) =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const program = yield* Binaries.find("postgres")
    // What belongs to it is near the file, not near a link to it.
    const path = yield* Effect.orDie(fs.realPath(program.path))
    const folder = yield* Effect.orDie(fs.makeTempDirectoryScoped({ prefix: "postgres-" }))
    const data = Path.join(folder, "data")
    const login = { database: "postgres", username: "larder", password: yield* makePassword }

    const passwordFile = Path.join(folder, "password")
    yield* Effect.orDie(fs.writeFileString(passwordFile, Redacted.value(login.password)))
    const initdb = Path.join(Path.dirname(path), "initdb")
    const identity = [`--username=${login.username}`, `--pwfile=${passwordFile}`]
    const initial = [...identity, "--auth=scram-sha-256", "--encoding=UTF8", "--locale=C"]
    yield* complete({ ...notRoot(initdb, ["-D", data, ...initial, "--no-sync"]), env: program.env })

    const pidFile = Path.join(data, "postmaster.pid")
    const pidLines = Effect.map(fs.readFileString(pidFile), (text) => text.trimEnd().split("\n"))
    yield* Effect.addFinalizer(() => Effect.ignore(Effect.flatMap(pidLines, removeSharedMemory)))
    const { args: words, file } = notRoot(path, ["-D", data, ...settings, ...args])
    const server = yield* launch({
      file,
      args: (port) => [...words, "-p", String(port)],
      env: program.env,
      // It is its own postmaster.pid: at a port lost to another, another would answer.
      ready: ({ pid }) =>
        Effect.filterOrFail(
          pidLines,
          (lines) => lines[0] === String(pid) && lines.at(-1)?.trim() === "ready"
        )
    })
    const kill = killAll(server)
    yield* Effect.addFinalizer(() => kill)
    return owned("postgres", server.port, login, {
      pid: server.pid,
      kill,
      stop: stop(server),
      restart: Effect.orDie(Effect.zipRight(kill, server.restart))
    })
  })

const settings = [
  ...["-h", "127.0.0.1"],
  ...["-c", "unix_socket_directories="],
  // In the folder, and not in /dev/shm, where those of killed servers would add up.
  ...["-c", "dynamic_shared_memory_type=mmap"]
]

/**
 * PostgreSQL does not run as root. As nobody, then; but one who may read and write where root may:
 * the programs, or the temporary folder, can be in a place that is closed to all others. Without
 * `no_setuid_fixup`, access(2) would say that this nobody may not, and initdb believes it.
 */
const notRoot = (file: string, args: ReadonlyArray<string>) => {
  if (process.getuid?.() !== 0) return { file, args }
  const nobody = ["--reuid=65534", "--regid=65534", "--clear-groups"]
  const allowed = ["--inh-caps=+dac_override", "--ambient-caps=+dac_override"]
  const told = ["--securebits=+no_setuid_fixup"]
  return { file: "setpriv", args: [...nobody, ...allowed, ...told, file, ...args] }
}

/** Asked with SIGTERM alone it would wait until the last client has gone. */
const stop = (server: FaultProcess.Service) =>
  Effect.gen(function* () {
    if ((yield* server.state) === "ended") return
    ChildProcess.signal(yield* server.pid, "SIGINT")
    yield* server.end
  })

/**
 * The server, and the processes in which it serves its clients: each would otherwise go on until it
 * notices, and could still commit something, and the next server would not start beside it.
 *
 * The server stands still meanwhile: it starts no other, and the ids of those that are gone stay
 * theirs.
 */
const killAll = (server: FaultProcess.Service) =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    if ((yield* server.state) === "ended") return
    yield* server.stop
    const pid = yield* server.pid
    // Where there is no /proc, they are left to themselves.
    const list = yield* Effect.orElseSucceed(
      fs.readFileString(`/proc/${pid}/task/${pid}/children`),
      () => ""
    )
    const children = list.split(" ").filter(Boolean).map(Number)
    for (const child of children) ChildProcess.signal(child, "SIGKILL")
    yield* Effect.forEach(children, ChildProcess.standsStill, { discard: true })
    yield* server.kill
  }).pipe(Effect.provide(NodeContext.layer))

/** A server that was killed leaves it to its successor, which may never come. */
const removeSharedMemory = (pidLines: ReadonlyArray<string>) => {
  const id = pidLines[6]?.trim().split(/\s+/)[1]
  return id === undefined ? Effect.void : complete({ file: "ipcrm", args: ["-m", id], env: {} })
}
