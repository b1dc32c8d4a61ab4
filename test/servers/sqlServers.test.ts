import { expect, it } from "@effect/vitest"
import type * as SqlClient from "@effect/sql/SqlClient"
import type { SqlError } from "@effect/sql/SqlError"
import * as Reactivity from "@effect/experimental/Reactivity"
import * as MysqlClient from "@effect/sql-mysql2/MysqlClient"
import * as PgClient from "@effect/sql-pg/PgClient"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import * as Fs from "node:fs"
import * as Os from "node:os"
import * as Path from "node:path"
import { describeWithServer } from "./describeWithServer.js"
import { liveClock } from "./liveClock.js"
import { startMariadb } from "./mariadb.js"
import { startPostgres } from "./postgres.js"
import { type Address, addressOf } from "./sqlServer.js"

// The databases that other tests start: they do what those rely on.

type Client<C extends SqlClient.SqlClient> = Effect.Effect<
  C,
  SqlError,
  Reactivity.Reactivity | Scope.Scope
>

const databases = [
  {
    title: "a PostgreSQL of our own",
    program: "postgres",
    variable: "POSTGRES_URL",
    start: startPostgres,
    connect: (server: Address): Client<SqlClient.SqlClient> => PgClient.make(addressOf(server)),
    connectTo: (url: Redacted.Redacted): Client<SqlClient.SqlClient> => PgClient.make({ url }),
    // The driver itself refuses an empty password.
    strangers: [
      ["larder", "wrong"],
      ["postgres", "postgres"]
    ],
    refusal: "password authentication failed",
    nonsense: ["-c", "nonsense=yes"]
  },
  {
    title: "a MariaDB of our own",
    program: "mariadbd",
    variable: "MARIADB_URL",
    start: startMariadb,
    connect: (server: Address): Client<SqlClient.SqlClient> => MysqlClient.make(addressOf(server)),
    connectTo: (url: Redacted.Redacted): Client<SqlClient.SqlClient> => MysqlClient.make({ url }),
    strangers: [
      ["larder", "wrong"],
      ["larder", ""],
      ["root", ""]
    ],
    refusal: "Access denied",
    nonsense: ["--nonsense=yes"]
  }
] as const

/** That of this process, until the scope closes. */
const ownTemporaryFolder = Effect.acquireRelease(
  Effect.sync(() => {
    const before = process.env["TMPDIR"]
    const folder = Fs.mkdtempSync(Path.join(Os.tmpdir(), "sql-servers-"))
    process.env["TMPDIR"] = folder
    return { before, folder }
  }),
  ({ before, folder }) =>
    Effect.sync(() => {
      if (before === undefined) delete process.env["TMPDIR"]
      else process.env["TMPDIR"] = before
      Fs.rmSync(folder, { recursive: true })
    })
).pipe(Effect.map(({ folder }) => folder))

/** A database's processes all work in its folder. */
const processesIn = (folder: string): ReadonlyArray<number> =>
  Fs.readdirSync("/proc")
    .filter((name) => {
      try {
        return Fs.readlinkSync(`/proc/${name}/cwd`).startsWith(folder)
      } catch {
        // It is no process, or it has ended.
        return false
      }
    })
    .map(Number)

/** The segments that a process has made, whether it still runs or not. */
const sharedMemoryOf = (pid: number): ReadonlyArray<string> =>
  Fs.readFileSync("/proc/sysvipc/shm", "utf8")
    .split("\n")
    .filter((line) => line.trim().split(/\s+/)[4] === String(pid))

for (const { connect, connectTo, start, ...database } of databases) {
  const { nonsense, program, refusal, strangers, title, variable } = database
  /** Over a connection of its own. */
  const using = <A, E>(
    client: Client<SqlClient.SqlClient>,
    use: (sql: SqlClient.SqlClient) => Effect.Effect<A, E>
  ) => Effect.flatMap(client, use).pipe(Effect.scoped, Effect.provide(Reactivity.layer), liveClock)

  describeWithServer(title, [program], () => {
    it.scoped("answers as soon as it has been started, even under a test clock", () =>
      Effect.gen(function* () {
        const server = yield* start({ own: true })
        for (const client of [connect(server), connectTo(server.url)]) {
          expect(yield* using(client, (sql) => sql`select 1 as one`)).toEqual([{ one: 1 }])
        }
      })
    )

    it.scoped("refuses a wrong password, and whoever else", () =>
      Effect.gen(function* () {
        const server = yield* start({ own: true })
        for (const [username, password] of strangers) {
          const stranger = { ...server, username, password: Redacted.make(password) }
          const error = yield* Effect.flip(using(connect(stranger), (sql) => sql`select 1`))
          expect(String(error.cause)).toContain(refusal)
        }
      })
    )

    it.scoped("has at the same port what was committed, whether killed, stopped or running", () =>
      Effect.gen(function* () {
        const server = yield* start({ own: true })
        const pids = new Set([yield* server.pid])
        yield* using(connect(server), (sql) => sql`create table kept (number integer)`)
        let number = 0
        for (const end of [server.kill, server.stop, Effect.void]) {
          // The connection is still open when the server ends.
          const rows = yield* using(connect(server), (sql) =>
            Effect.zipRight(sql`insert into kept values (${++number})`, end)
          ).pipe(
            Effect.zipRight(server.restart),
            Effect.zipRight(using(connect(server), (sql) => sql`select number from kept`))
          )
          expect(rows).toHaveLength(number)
          pids.add(yield* server.pid)
        }
        expect(pids.size).toBe(4)
      })
    )

    it.scoped("forgets what was not committed when it is killed", () =>
      Effect.gen(function* () {
        const server = yield* start({ own: true })
        yield* using(connect(server), (sql) => sql`create table kept (number integer)`)
        yield* using(connect(server), (sql) =>
          sql.withTransaction(Effect.zipRight(sql`insert into kept values (1)`, server.kill))
        ).pipe(Effect.sandbox, Effect.flip)
        yield* server.restart
        expect(yield* using(connect(server), (sql) => sql`select number from kept`)).toEqual([])
      })
    )

    it.scoped("leaves nothing behind when its scope closes, even if it was killed", () =>
      Effect.gen(function* () {
        const folder = yield* ownTemporaryFolder
        for (const isKilled of [false, true]) {
          const pid = yield* Effect.scoped(
            Effect.gen(function* () {
              const server = yield* start({ own: true })
              const pid = yield* server.pid
              yield* using(connect(server), (sql) => {
                expect(processesIn(folder)).toContain(pid)
                return Effect.zipRight(
                  sql`select 1`,
                  Effect.when(server.kill, () => isKilled)
                )
              })
              expect(processesIn(folder).length > 0).toBe(!isKilled)
              return pid
            })
          )
          expect(processesIn(folder)).toEqual([])
          expect(Fs.readdirSync(folder)).toEqual([])
          expect(sharedMemoryOf(pid)).toEqual([])
        }
      })
    )

    it.scoped("is spared all faults when it is the environment's", () =>
      Effect.gen(function* () {
        const own = yield* start({ own: true })
        const before = process.env[variable]
        process.env[variable] = Redacted.value(own.url)
        const server = yield* Effect.ensuring(
          start(),
          Effect.sync(() => {
            if (before === undefined) delete process.env[variable]
            else process.env[variable] = before
          })
        )
        expect(server).toMatchObject({ ...addressOf(own), isOwned: false })
        const exit = yield* Effect.exit(server.kill)
        expect(Exit.isFailure(exit) && Cause.pretty(exit.cause)).toContain("only to servers")
        expect(yield* using(connect(server), (sql) => sql`select 1 as one`)).toEqual([{ one: 1 }])
      })
    )

    it.scoped("says why it does not start", () =>
      Effect.gen(function* () {
        const { message } = yield* Effect.flip(start({ args: nonsense }))
        expect(message).toContain("nonsense")
      })
    )
  })
}
