/**
 * MariaDB, the real one, for as long as a scope lasts.
 *
 * Usable under a test clock: whatever waits here waits in real time.
 */
import * as FileSystem from "@effect/platform/FileSystem"
import * as NodeContext from "@effect/platform-node/NodeContext"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import * as Net from "node:net"
import * as Path from "node:path"
import * as Binaries from "./binaries.js"
import { liveClock } from "./liveClock.js"
import { complete, launch, ServerFailed } from "./serverProcess.js"
import {
  foreign,
  type Login,
  makePassword,
  owned,
  type SqlOptions,
  type SqlServer
} from "./sqlServer.js"

/** A server of the environment's (`MARIADB_URL`) if a plain one will do, or our own. */
export const startMariadb = ({ args = [], own = false }: SqlOptions = {}): Effect.Effect<
  SqlServer,
  Binaries.ServerMissing | ServerFailed,
  Scope.Scope
> =>
  Effect.suspend(() => {
    const url = process.env["MARIADB_URL"] ?? ""
    if (!own && args.length === 0 && url !== "") return Effect.succeed(foreign(url, 3306))
    return startOwn(args).pipe(Effect.provide(NodeContext.layer), liveClock)
  })

const startOwn = (args: ReadonlyArray<string>) =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const program = yield* Binaries.find("mariadbd")
    // What belongs to it is near the file, not near a link to it.
    const path = yield* Effect.orDie(fs.realPath(program.path))
    const folder = yield* Effect.orDie(fs.makeTempDirectoryScoped({ prefix: "mariadb-" }))
    const data = Path.join(folder, "data")
    yield* Effect.orDie(fs.makeDirectory(data))
    const login = { database: "larder", username: "larder", password: yield* makePassword }
    const share = yield* shareOf(path)
    const common = [
      "--no-defaults",
      `--datadir=${data}`,
      // Not one that others use: a server that starts removes all temporary tables it finds there.
      `--tmpdir=${folder}`,
      // Where it is now, and not where it was built to be.
      `--basedir=${Path.resolve(path, "../..")}`,
      `--lc-messages-dir=${share.folder}`,
      ...(process.getuid?.() === 0 ? ["--user=root"] : []),
      ...small
    ]
    const input = yield* initialSql(share, login)
    yield* complete({ file: path, args: [...common, ...bootstrap], env: program.env, input })

    const pidFile = Path.join(folder, "pid")
    const server = yield* launch({
      file: path,
      args: (port) => [...common, ...serving(pidFile), `--port=${port}`, ...args],
      env: program.env,
      // It is written when the port is its own, and somewhat before it answers there.
      ready: ({ pid, port }) =>
        fs.readFileString(pidFile).pipe(
          Effect.filterOrFail((text) => text.trim() === String(pid)),
          Effect.zipRight(Effect.filterOrFail(greets(port), Boolean))
        )
    })
    return owned("mysql", server.port, login, {
      pid: server.pid,
      kill: server.kill,
      stop: server.end,
      restart: Effect.orDie(server.restart)
    })
  })

const small = [
  "--innodb-buffer-pool-size=32M",
  "--innodb-log-file-size=16M",
  "--innodb-temp-data-file-path=ibtmp1:3M:autoextend"
]

// What it writes first need not last if the machine fails.
const bootstrap = ["--bootstrap", "--innodb-flush-method=nosync", "--enforce-storage-engine="]

const serving = (pidFile: string) => [
  "--bind-address=127.0.0.1",
  "--socket=",
  `--pid-file=${pidFile}`,
  "--skip-name-resolve"
]

interface Share {
  readonly folder: string
  readonly files: ReadonlyArray<string>
}

/** The folder of its messages, and of the statements that make its own tables. */
const shareOf = (path: string) =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    for (const inner of ["share/mysql", "share/mariadb", "share"]) {
      const folder = Path.resolve(path, "../..", inner)
      const files = yield* Effect.orElseSucceed(fs.readDirectory(folder), () => [])
      if (files.some((file) => file.endsWith("_system_tables.sql"))) return { folder, files }
    }
    return yield* new ServerFailed({ message: `${path} is without its system tables in ../share` })
  })

/**
 * As mariadb-install-db has it, which is in another package than the server and needs a third. A
 * statement must end with its line.
 */
const initialSql = ({ files, folder }: Share, { database, password, username }: Login) =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const names = ["system_tables", "performance_tables", "system_tables_data"].flatMap((name) =>
      files.filter((file) => file.endsWith(`_${name}.sql`))
    )
    const tables = yield* Effect.orDie(
      Effect.forEach(names, (name) => fs.readFileString(Path.join(folder, name)))
    )
    const who = `'${username}'@'%'`
    return [
      "CREATE DATABASE mysql;",
      "USE mysql;",
      "SET @auth_root_socket = NULL;",
      ...tables,
      // Among them a root without a password.
      "DELETE FROM global_priv WHERE User <> 'mariadb.sys';",
      "FLUSH PRIVILEGES;",
      `CREATE DATABASE ${database} CHARACTER SET utf8mb4;`,
      `CREATE USER ${who} IDENTIFIED VIA mysql_native_password USING PASSWORD('${Redacted.value(password)}');`,
      `GRANT ALL ON *.* TO ${who};`,
      ""
    ].join("\n")
  })

/** The server speaks first. */
const greets = (port: number): Effect.Effect<boolean> =>
  Effect.async((resume) => {
    const socket = Net.connect({ port, host: "127.0.0.1" })
    socket.once("data", () => {
      resume(Effect.succeed(true))
      socket.destroy()
    })
    socket.once("close", () => resume(Effect.succeed(false)))
    socket.on("error", () => undefined)
    return Effect.sync(() => socket.destroy())
  })
