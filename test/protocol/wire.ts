/**
 * A process's connections to a real Redis, with a test's hand on the wire: what
 * `ControlledBackend` does to a call, done to the bytes.
 *
 * Replies on a connection come in the order of the questions: one that is held
 * back holds back all behind it, and a test could force no order at all. So each
 * command of the port has a connection to itself while it is under way, and a
 * process as many as it has commands under way at once. Pushes come by one more.
 *
 * A reply is lost by resetting the connection: what was held the server may still
 * execute, as it would a late packet. Commands do not time out by themselves, for
 * the driver's timers go by the real clock, and the test by its own; but for `set`,
 * which is not told that its connection broke before its time is up.
 */
import * as Effect from "effect/Effect"
import * as ExecutionStrategy from "effect/ExecutionStrategy"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"
import type { BackendError, CacheBackend, Signal } from "effect-larder"
import type { RedisClientOptions } from "effect-larder/redis"
import { ControlledBackend, FaultProxy } from "effect-larder/testing"
import * as Scripts from "../../src/redis/scripts.js"
import { pushText } from "../../src/redis/subscriptions.js"
import { channelOf } from "../../src/redis/wire.js"
import { backendAt } from "../redis/backends.js"
import { until } from "./turns.js"

type CommandName = ControlledBackend.CommandName

/** The server, as all processes of a test see it. */
export interface Target {
  readonly host: string
  readonly port: number
  readonly scripting: boolean
  /** Do pushes arrive? */
  readonly pushes: boolean
  readonly publish: (channel: string, text: string) => Effect.Effect<void>
  /** Pushes something that nobody heeds, and gives its number. */
  readonly publishMark: Effect.Effect<number>
}

/** What a test must know to wait until nothing moves. */
export interface Connected extends ControlledBackend.ControlledBackend {
  /** Is a command on its way to where it waits for the test, or to its end? */
  readonly isMoving: () => boolean
  /** Grows with everything that happens. */
  readonly happened: () => number
  /** What was pushed before the mark has been heard, if pushes are heard at all. */
  readonly hasHeard: (mark: number) => boolean
}

const markPrefix = "mark"

export const markChannel = channelOf(markPrefix)

export const markText = (mark: number): string =>
  pushText("written", String(mark), `${markPrefix}:`)

/** A command of the port, under way. */
interface Errand {
  readonly name: CommandName
  readonly keys: ReadonlyArray<string>
  /** Where several steps are taken, what the last of them is on the wire. */
  readonly lastStep: string | undefined
  isHeld: boolean
  hasArrived: boolean
  /** Its steps that wait for the test: the first, and the last if that is another. */
  readonly held: Array<FaultProxy.HeldCommand>
  isMoving: boolean
  hasExecuted: boolean
  hasSettled: boolean
}

const nameOfScript = new Map(
  Object.values(Scripts).map(({ name, sha }) => [sha, name as CommandName])
)

/** What this step is the first of; undefined: of nothing that is ever held. */
const beginningOf = ([name, first = "", , pattern = ""]: FaultProxy.Words):
  CommandName | "transaction" | undefined => {
  switch (name) {
    case "mget":
      return "getMany"
    case "get":
      return first.includes("!lease:") ? "holder" : "getMany"
    case "scan":
      return pattern.includes("!lease:") ? "clear" : undefined
    case "evalsha":
      return nameOfScript.get(first)
    case "watch":
    case "set":
      return "transaction"
    default:
      return undefined
  }
}

const lastStepOf = (name: CommandName, scripting: boolean): string | undefined => {
  if (name === "clear") return "publish"
  return scripting || name === "getMany" || name === "holder" ? undefined : "exec"
}

/** Must this step wait for the test? */
const isToWait = (errand: Errand, words: FaultProxy.Words): boolean => {
  if (!errand.isHeld) return false
  if (errand.hasArrived) return words[0] === errand.lastStep
  const beginning = beginningOf(words)
  if (beginning === undefined) return false
  if (beginning !== errand.name && beginning !== "transaction") {
    throw new Error(`${words.join(" ")} begins no ${errand.name}`)
  }
  errand.hasArrived = true
  return true
}

/** The test's hand on it. */
const commandOf = (errand: Errand): ControlledBackend.Command => {
  const last = () => errand.held.at(-1)!
  // An answer to the first step, and what comes of it, until the last one waits.
  const proceed = Effect.suspend(() =>
    errand.lastStep === undefined || errand.held.length > 1 || errand.hasSettled
      ? Effect.void
      : Effect.zipRight(
          last().pass,
          until(() => errand.held.length > 1 || errand.hasSettled)
        )
  )
  const execute = Effect.suspend(() => {
    if (errand.hasExecuted) return Effect.void
    errand.hasExecuted = errand.isMoving = true
    return proceed.pipe(
      Effect.zipRight(Effect.suspend(() => last().execute)),
      Effect.zipRight(Effect.sync(() => (errand.isMoving = false)))
    )
  })
  const reply = Effect.suspend(() => {
    if (!errand.hasExecuted || errand.hasSettled) return Effect.void
    errand.isHeld = false
    errand.isMoving = true
    return Effect.zipRight(
      last().reply,
      until(() => errand.hasSettled)
    )
  })
  const { keys, name } = errand
  return {
    name,
    keys,
    get state() {
      return errand.hasSettled ? "settled" : errand.hasExecuted ? "executed" : "sent"
    },
    execute,
    reply,
    lose: Effect.suspend(() => {
      if (errand.hasSettled) return Effect.void
      errand.isMoving = true
      // What may come late is the whole of a transaction, which its last step executes.
      const ready = errand.lastStep === "exec" && !errand.hasExecuted ? proceed : Effect.void
      return ready.pipe(
        Effect.zipRight(Effect.suspend(() => last().reset)),
        Effect.zipRight(until(() => errand.hasSettled))
      )
    }),
    pass: Effect.zipRight(execute, reply)
  }
}

/** A connection that carries one command at a time. */
interface Line {
  readonly backend: CacheBackend
  errand: Errand | undefined
}

const openConnection = (
  { host, port }: Target,
  commandTimeout: RedisClientOptions["commandTimeout"]
) =>
  Effect.gen(function* () {
    const proxy = yield* FaultProxy.make({ host, port })
    const backend = yield* backendAt({ url: proxy.url, commandTimeout })
    return { proxy, backend }
  })

/** A process whose commands are held on the wire. */
export const connectByWire = (target: Target): Effect.Effect<Connected, never, Scope.Scope> =>
  Effect.gen(function* () {
    // Below the process's, that those connections which are opened later close no earlier.
    const scope = yield* Scope.fork(yield* Effect.scope, ExecutionStrategy.sequential)
    let happened = 0
    const onHappen = () => void happened++
    const ears = yield* listen(target, onHappen)
    const idle = { set: new Array<Line>(), others: new Array<Line>() }
    const sent: Array<CommandName> = []
    let errands: ReadonlyArray<Errand> = []
    let unclaimed: ReadonlyArray<Errand> = []
    let isHeld: (name: CommandName) => boolean = () => false

    const openLine = Effect.fnUntraced(function* (kind: keyof typeof idle) {
      const commandTimeout = kind === "set" ? "1 second" : "10 minutes"
      const { backend, proxy } = yield* openConnection(target, commandTimeout)
      const line: Line = { backend, errand: undefined }
      yield* proxy.hold((words) => line.errand !== undefined && isToWait(line.errand, words))
      const arrival = Effect.map(proxy.next(), (command) => {
        const errand = line.errand!
        errand.held.push(command)
        errand.isMoving = errand.held.length > 1
        if (errand.held.length === 1) unclaimed = [...unclaimed, errand]
        onHappen()
      })
      yield* Effect.forkScoped(Effect.forever(arrival))
      return line
    }, Scope.extend(scope))

    const forget = (errand: Errand): void => {
      const isOver = errand.hasSettled && (errand.hasExecuted || errand.held.length === 0)
      if (isOver) errands = errands.filter((other) => other !== errand)
    }

    const carry = <A>(
      name: CommandName,
      keys: ReadonlyArray<string>,
      use: (backend: CacheBackend) => Effect.Effect<A, BackendError>
    ): Effect.Effect<A, BackendError> =>
      Effect.uninterruptibleMask((restore) => {
        const errand: Errand = {
          name,
          keys,
          lastStep: lastStepOf(name, target.scripting),
          isHeld: isHeld(name),
          hasArrived: false,
          held: [],
          isMoving: true,
          hasExecuted: false,
          hasSettled: false
        }
        sent.push(name)
        errands = [...errands, errand]
        onHappen()
        const kind = name === "set" ? "set" : "others"
        const line = Effect.suspend(() => {
          const free = idle[kind].pop()
          // In a fiber of its own, for within ours nothing may be given up.
          return free === undefined
            ? Effect.flatMap(Effect.forkIn(Effect.interruptible(openLine(kind)), scope), Fiber.join)
            : Effect.succeed(free)
        })
        return Effect.flatMap(line, (line) => {
          line.errand = errand
          return Effect.onExit(restore(use(line.backend)), (exit) =>
            Effect.sync(() => {
              errand.hasSettled = true
              errand.isMoving = false
              onHappen()
              forget(errand)
              if (Exit.isFailure(exit)) return
              // Of all others nobody knows what is still to come by them.
              line.errand = undefined
              idle[kind].push(line)
            })
          )
        })
      })

    const passAll = Effect.suspend(() =>
      Effect.forEach(
        errands.filter(({ held }) => held.length > 0),
        (errand) =>
          Effect.ensuring(
            commandOf(errand).pass,
            Effect.sync(() => forget(errand))
          ),
        { discard: true }
      )
    )

    const { backend, ...pushes } = ears
    return {
      ...pushes,
      isMoving: () => errands.some((errand) => errand.isMoving),
      happened: () => happened,
      backend: {
        ...backend,
        getMany: (keys) => carry("getMany", keys, (it) => it.getMany(keys)),
        lease: (key, request) => carry("lease", [key], (it) => it.lease(key, request)),
        renew: (key, token, duration) =>
          carry("renew", [key], (it) => it.renew(key, token, duration)),
        commit: (key, token, stored, keepFor) =>
          carry("commit", [key], (it) => it.commit(key, token, stored, keepFor)),
        release: (key, token) => carry("release", [key], (it) => it.release(key, token)),
        set: (key, stored, keepFor) => carry("set", [key], (it) => it.set(key, stored, keepFor)),
        invalidate: (key) => carry("invalidate", [key], (it) => it.invalidate(key)),
        clear: (start) => carry("clear", [start], (it) => it.clear(start)),
        holder: (key) => carry("holder", [key], (it) => it.holder(key))
      },
      hold: (...names) =>
        Effect.sync(() => {
          isHeld = (name) => names.length === 0 || names.includes(name)
        }),
      release: Effect.suspend(() => {
        isHeld = () => false
        for (const errand of errands) if (!errand.hasArrived) errand.isHeld = false
        return passAll
      }),
      next: (name) =>
        Effect.map(
          until(() => unclaimed.some((errand) => errand.name === name)),
          () => {
            const found = unclaimed.find((errand) => errand.name === name)!
            unclaimed = unclaimed.filter((errand) => errand !== found)
            return commandOf(found)
          }
        ),
      underWay: Effect.sync(() => errands.filter(({ held }) => held.length > 0).map(commandOf)),
      sent: Effect.sync(() => [...sent])
    }
  })

/** A process whose calls are held. */
export const connectByCalls = (target: Target): Effect.Effect<Connected, never, Scope.Scope> =>
  Effect.gen(function* () {
    let happened = 0
    const { backend, hasHeard } = yield* listen(target, () => void happened++)
    const controlled = yield* ControlledBackend.make(backend)
    // What it has sent nobody follows: its test waits for what it awaits.
    return { ...controlled, isMoving: () => false, happened: () => happened, hasHeard }
  })

/** The connection by which pushes come. */
const listen = (target: Target, onHappen: () => void) =>
  Effect.gen(function* () {
    const { backend, proxy } = yield* openConnection(target, "10 minutes")
    let mode: "deliver" | "hold" | "lose" = "deliver"
    let isListening = false
    let lastMark = 0
    const setPushes = (next: typeof mode) =>
      Effect.suspend(() => {
        mode = next
        return next === "deliver"
          ? proxy.deliverPushes
          : next === "hold"
            ? proxy.holdPushes
            : proxy.losePushes
      })
    if (!target.pushes) yield* setPushes("lose")
    yield* Effect.orDie(
      backend.subscribe(markPrefix, (signal) => {
        if (signal._tag === "Push") lastMark = Number(signal.token)
        else isListening = signal._tag === "Subscribed"
      })
    )
    const hasHeard = (mark: number) => mode !== "deliver" || !isListening || lastMark >= mark
    const catchUp = Effect.flatMap(target.publishMark, (mark) => until(() => hasHeard(mark)))

    let lastSignal: Signal["_tag"] | undefined
    const subscribe: CacheBackend["subscribe"] = (prefix, handler) =>
      backend.subscribe(prefix, (signal) => {
        lastSignal = signal._tag
        onHappen()
        handler(signal)
      })

    /** What was held, and nothing else. */
    const deliver = Effect.gen(function* () {
      const mark = yield* target.publishMark
      const held = yield* proxy.nextPush((words) => words.at(-1) === markText(mark))
      yield* held.lose
      yield* setPushes("deliver")
      yield* catchUp
      yield* setPushes("hold")
    })

    const signal = (signal: Signal) => {
      switch (signal._tag) {
        case "Push": {
          const prefix = signal.key.slice(0, signal.key.indexOf(":"))
          const text = pushText(signal.reason, signal.token, signal.key)
          return Effect.zipRight(target.publish(channelOf(prefix), text), catchUp)
        }
        case "Lost":
          return proxy.refuse.pipe(
            Effect.zipRight(proxy.reset),
            Effect.zipRight(until(() => lastSignal === "Lost"))
          )
        case "Subscribed":
          return Effect.zipRight(
            proxy.accept,
            until(() => lastSignal === "Subscribed")
          )
      }
    }
    return {
      backend: { ...backend, subscribe },
      hasHeard,
      setPushes,
      deliver: Effect.suspend(() => (mode === "hold" ? deliver : Effect.void)),
      signal
    }
  })
