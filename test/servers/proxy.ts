/**
 * A test's hand on the wire between a client and a real Redis.
 *
 * RESP numbers nothing: the nth reply on a connection answers its nth command,
 * and no reply can overtake another. So a reply that is kept back keeps back all
 * later replies of **that client connection**; other connections of the same
 * client do not notice. There is no way around this in RESP (RESP3 pushes alone
 * may come in between): a test in which a client goes on while one of its
 * commands is held must give that client more than one connection.
 *
 * At the server it is otherwise. Each client connection has one connection to the
 * server, and a held command is simply not sent on it: later commands are sent and
 * executed past it, and their answers wait in the proxy for their turn. Two kinds
 * keep their place, however: commands that change the connection (`SELECT`, `AUTH`,
 * `SUBSCRIBE`, `MULTI`, …), and all between `WATCH` or `MULTI` and the end of the
 * transaction. These are sent after all before them and before all after them.
 *
 * A client that hangs up takes nothing back: what it has sent is executed, and a
 * command that is held then can still be executed, as a late packet would be.
 *
 * Not understood: `CLIENT REPLY`, `MONITOR`, inline commands, `SUBSCRIBE` in a
 * `MULTI`.
 *
 * Usable under a test clock: `delay` is in real time, and nothing else waits for time.
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as FiberId from "effect/FiberId"
import type * as Scope from "effect/Scope"
import * as Net from "node:net"
import { freePort } from "./port.js"
import {
  commandOf,
  type Frame,
  makeFramer,
  makePlaceKeeper,
  makeReplyReader,
  type Words,
  wordsOf
} from "./resp.js"

type Matches = (words: Words) => boolean

export interface Proxy {
  readonly port: number
  /** `redis://127.0.0.1:port` */
  readonly url: string
  /**
   * From now on commands that match wait for the test; no longer those that an
   * earlier `hold` named, unless they are held already. A command is its name in
   * lower case, then its arguments, read as UTF-8 (bytes that are not, are passed
   * on as they are, but look like U+FFFD here).
   */
  readonly hold: (matches: Matches) => Effect.Effect<void>
  /**
   * The next held command, in order of arrival, that no `next` has given yet; waits
   * for it. Those that came before it may still be under way.
   */
  readonly next: (matches?: Matches) => Effect.Effect<HeldCommand>
  /**
   * From now on nothing is held, and what was is executed and answered; waits for
   * the server's answers. What is lost stays lost, and other commands of a client
   * that has gone are dropped, if they are not with the server yet.
   */
  readonly release: Effect.Effect<void>
  /** From now on pushes are dropped, and so are those that are held. */
  readonly dropPushes: Effect.Effect<void>
  /** From now on pushes wait for the test. */
  readonly holdPushes: Effect.Effect<void>
  /** From now on pushes pass, after those that are held, oldest first. */
  readonly deliverPushes: Effect.Effect<void>
  /** The next held push, in order of arrival, that no `nextPush` has given yet; waits for it. */
  readonly nextPush: (matches?: Matches) => Effect.Effect<HeldPush>
  /**
   * From now on everything takes so many milliseconds longer each way, in order: a
   * round trip twice that. What is on its way keeps its time. 0 = off.
   */
  readonly delay: (millis: number) => Effect.Effect<void>
  /**
   * From now on connections are accepted and nothing passes, either way. A
   * connection on which something was swallowed (and one made meanwhile) stays
   * silent until it is closed, also after `heal`; one that slept through it goes on.
   */
  readonly blackHole: Effect.Effect<void>
  /** From now on connections are refused; those that are open stay so. */
  readonly refuse: Effect.Effect<void>
  /** Ends `blackHole` and `refuse`; the port stays the same. Nothing else is changed. */
  readonly heal: Effect.Effect<void>
  /**
   * Resets all client connections now; new ones are accepted. What has been sent
   * to the server is executed, what `delay` had under way is gone, and what is held
   * stays so, as if its client had hung up.
   */
  readonly cut: Effect.Effect<void>
  /** Everything that clients have sent, in order of arrival, swallowed or not. */
  readonly commands: Effect.Effect<ReadonlyArray<Words>>
  readonly forgetCommands: Effect.Effect<void>
}

/** A command on its way. Every step may be taken again, to no further effect. */
export interface HeldCommand {
  readonly command: Words
  /**
   * Sends it to the server and waits for the server's answer, which is kept. In a
   * transaction it waits its turn. Dies if the server hangs up before it answers.
   */
  readonly execute: Effect.Effect<void>
  /**
   * Hands the kept answer to the client, in its turn: behind the answers to all
   * before it on its connection. Dies if there is no answer yet.
   */
  readonly reply: Effect.Effect<void>
  /** `execute`, then `reply`. */
  readonly pass: Effect.Effect<void>
  /**
   * The answer does not reach the client, nor does any reply or push that comes
   * after it on that connection, until it comes `late` or the connection is cut:
   * a client that went on reading would take the next reply for this one. Whether it
   * is executed is up to `execute`, before or after.
   */
  readonly lose: Effect.Effect<void>
  /** What was lost comes after all: `pass`, and what waited behind it follows. */
  readonly late: Effect.Effect<void>
  /** Resets the client's connection without an answer; `execute` still executes. */
  readonly cut: Effect.Effect<void>
}

/** A pub/sub message (in RESP3 any push but the answer to a subscription) on its way. */
export interface HeldPush {
  /** `["message", channel, text]`, `["pmessage", pattern, channel, text]`, … */
  readonly push: Words
  /** Hands it to the client, in whatever order the test likes. */
  readonly deliver: Effect.Effect<void>
  readonly drop: Effect.Effect<void>
}

/** What all connections share. */
interface World {
  readonly commands: Array<Words>
  readonly connections: Set<Connection>
  readonly heldCommands: Shelf<HeldCommand>
  readonly heldPushes: Shelf<WaitingPush>
  isHeld: Matches
  pushes: "deliver" | "hold" | "drop"
  millis: number
  isBlackHole: boolean
}

/** Starts a proxy that is gone, with all its connections, when the scope closes. */
export const startProxy = (target: {
  readonly host: string
  readonly port: number
}): Effect.Effect<Proxy, never, Scope.Scope> =>
  Effect.gen(function* () {
    const world: World = {
      commands: [],
      connections: new Set(),
      heldCommands: makeShelf(),
      heldPushes: makeShelf(),
      isHeld: () => false,
      pushes: "deliver",
      millis: 0,
      isBlackHole: false
    }
    const server = Net.createServer({ noDelay: true }, (client) => {
      const { host, port } = target
      world.connections.add(connect(client, Net.connect({ host, port, noDelay: true }), world))
    })
    yield* Effect.addFinalizer(() =>
      Effect.sync(() => {
        // Or the connections' ends would be under way for as long as the delay.
        world.millis = 0
        server.close()
        for (const connection of world.connections) connection.destroy()
      })
    )
    const port = yield* Effect.tap(freePort, (port) => listen(server, port)).pipe(
      Effect.retry({ times: 9 }),
      Effect.orDie
    )
    return {
      port,
      url: `redis://127.0.0.1:${port}`,
      ...commandControls(world),
      ...pushControls(world),
      ...wireControls(world, server, port)
    }
  })

const commandControls = (world: World) => ({
  hold: (matches: Matches) => Effect.sync(() => void (world.isHeld = matches)),
  next: (matches: Matches = () => true) =>
    world.heldCommands.next(({ command }) => matches(command)),
  release: Effect.suspend(() => {
    world.isHeld = () => false
    world.heldCommands.clear()
    const sent = [...world.connections].flatMap((connection) => connection.release())
    return Effect.forEach(sent, ({ answered }) => Effect.exit(Deferred.await(answered)), {
      discard: true
    })
  }),
  commands: Effect.sync(() => [...world.commands]),
  forgetCommands: Effect.sync(() => void world.commands.splice(0))
})

const pushControls = (world: World) => ({
  dropPushes: Effect.sync(() => {
    world.pushes = "drop"
    world.heldPushes.clear()
  }),
  holdPushes: Effect.sync(() => void (world.pushes = "hold")),
  deliverPushes: Effect.sync(() => {
    world.pushes = "deliver"
    for (const { deliver } of world.heldPushes.clear()) deliver()
  }),
  nextPush: (matches: Matches = () => true) =>
    Effect.map(
      world.heldPushes.next(({ push }) => matches(push)),
      (waiting): HeldPush => ({
        push: waiting.push,
        deliver: Effect.sync(() => {
          if (world.heldPushes.remove(waiting)) waiting.deliver()
        }),
        drop: Effect.sync(() => void world.heldPushes.remove(waiting))
      })
    )
})

const wireControls = (world: World, server: Net.Server, port: number) => ({
  delay: (millis: number) => Effect.sync(() => void (world.millis = millis)),
  blackHole: Effect.sync(() => void (world.isBlackHole = true)),
  refuse: Effect.sync(() => void server.close()),
  heal: Effect.suspend(() => {
    world.isBlackHole = false
    return server.listening ? Effect.void : Effect.orDie(listen(server, port))
  }),
  cut: Effect.sync(() => {
    for (const connection of world.connections) connection.cut()
  })
})

const listen = (server: Net.Server, port: number): Effect.Effect<void, Error> =>
  Effect.async((resume) => {
    const fail = (error: Error) => resume(Effect.fail(error))
    server.once("error", fail)
    server.listen(port, "127.0.0.1", () => {
      server.off("error", fail)
      resume(Effect.void)
    })
  })

interface Connection {
  /** Lets go what is held; gives what the server has yet to answer of it. */
  readonly release: () => ReadonlyArray<Exchange>
  readonly cut: () => void
  readonly destroy: () => void
}

/** Ties a client's socket to one to the server. */
const connect = (client: Net.Socket, server: Net.Socket, world: World): Connection => {
  // Once something was swallowed nothing may pass: TCP has no gaps.
  let isMute = false
  const isSwallowed = () => (isMute ||= world.isBlackHole)
  isSwallowed()
  const fromClient = makeLine(() => world.millis)
  const toClient = makeLine(() => world.millis)
  const cut = () => {
    fromClient.empty()
    toClient.empty()
    client.resetAndDestroy()
    conversation.leave()
  }
  const conversation = makeConversation(world, {
    toServer: (bytes) => void server.write(bytes),
    // Half-closed: a reset could overtake commands that the server has yet to read.
    endServer: () => void server.end(),
    toClient: (bytes) =>
      toClient.pass(() => {
        if (!isSwallowed() && client.writable) client.write(bytes)
      }),
    cutClient: cut
  })
  const commands = makeFramer()
  const replies = makeFramer()
  const connection: Connection = {
    release: conversation.release,
    cut,
    destroy: () => {
      cut()
      server.destroy()
    }
  }
  client.on("error", () => {})
  client.on("data", (chunk) =>
    fromClient.pass(() => {
      const isLost = isSwallowed()
      for (const frame of commands(chunk)) {
        const command = commandOf(frame)
        world.commands.push(command)
        if (!isLost) conversation.ask(command, frame.bytes)
      }
    })
  )
  server.on("error", () => {})
  server.on("data", (chunk) => {
    for (const frame of replies(chunk)) conversation.hear(frame)
  })
  const forget = () => {
    if (client.destroyed && server.destroyed) world.connections.delete(connection)
  }
  client.on("close", () => {
    fromClient.pass(conversation.leave)
    forget()
  })
  server.on("close", () => {
    conversation.end()
    toClient.pass(() => {
      if (!isSwallowed()) client.destroySoon()
    })
    forget()
  })
  return connection
}

/** One command of a client, until the last byte of its answer has left. */
interface Exchange {
  readonly command: Words
  readonly bytes: Buffer
  readonly keepsPlace: boolean
  /** The server's answer is there; or a defect, if it will not come. */
  readonly answered: Deferred.Deferred<void>
  readonly answer: Array<Buffer>
  /** Pushes that must not leave before the answer. */
  readonly pushes: Array<Buffer>
  mayExecute: boolean
  mayReply: boolean
  isAnswered: boolean
  isLost: boolean
}

const isDue = ({ isAnswered, mayReply, isLost }: Exchange) => isAnswered && mayReply && !isLost

interface Ends {
  readonly toServer: (bytes: Buffer) => void
  readonly endServer: () => void
  readonly toClient: (bytes: Buffer) => void
  readonly cutClient: () => void
}

/** Decides what goes when: to the server as soon as it may, to the client in the order of asking. */
const makeConversation = (world: World, ends: Ends) => {
  const keepsPlace = makePlaceKeeper()
  const belongs = makeReplyReader()
  // What waits to be sent, and for the client's turn, in order of asking; what the server has
  // yet to answer, in order of sending.
  let unsent: Array<Exchange> = []
  const unreplied: Array<Exchange> = []
  const executing: Array<Exchange> = []
  let isClientGone = false

  const send = (): void => {
    let isBehindAny = false
    let isBehindFixed = false
    unsent = unsent.filter((exchange) => {
      const mustWait = isBehindFixed || (isBehindAny && exchange.keepsPlace)
      if (exchange.mayExecute && !mustWait) {
        executing.push(exchange)
        ends.toServer(exchange.bytes)
        return false
      }
      isBehindAny = true
      isBehindFixed ||= exchange.keepsPlace
      return true
    })
    if (isClientGone && unsent.length === 0) ends.endServer()
  }

  const reply = (): void => {
    for (let first = unreplied[0]; first !== undefined && isDue(first); first = unreplied[0]) {
      unreplied.shift()
      for (const bytes of [...first.answer, ...first.pushes]) ends.toClient(bytes)
    }
  }

  // A message must not come before the answer to the subscription that it is due to.
  const push = (bytes: Buffer): void => {
    const before = unreplied.findLast(
      ({ command, answer, isLost }) =>
        isLost || (answer.length > 0 && command[0]?.endsWith("subscribe"))
    )
    if (before === undefined) ends.toClient(bytes)
    else before.pushes.push(bytes)
  }

  const hearPush = (frame: Frame): void => {
    const deliver = () => push(frame.bytes)
    if (world.pushes === "deliver") deliver()
    if (world.pushes === "hold") world.heldPushes.put({ push: wordsOf(frame), deliver })
  }

  const giveUp = (exchanges: ReadonlyArray<Exchange>): void => {
    for (const { command, answered } of exchanges) {
      const error = new Error(`no answer will come to ${command.join(" ")}`)
      Deferred.unsafeDone(answered, Effect.die(error))
    }
  }

  return {
    ask: (command: Words, bytes: Buffer): void => {
      const isHeld = world.isHeld(command)
      const exchange: Exchange = {
        command,
        bytes,
        keepsPlace: keepsPlace(command),
        answered: Deferred.unsafeMake(FiberId.none),
        answer: [],
        pushes: [],
        mayExecute: !isHeld,
        mayReply: !isHeld,
        isAnswered: false,
        isLost: false
      }
      unsent.push(exchange)
      unreplied.push(exchange)
      if (isHeld) {
        world.heldCommands.put(makeHeldCommand(exchange, { send, reply, cut: ends.cutClient }))
      }
      send()
    },
    hear: (frame: Frame): void => {
      const first = executing[0]
      const belonging = belongs(frame, first?.command)
      if (belonging === "push") return hearPush(frame)
      if (first === undefined) return ends.toClient(frame.bytes)
      first.answer.push(frame.bytes)
      if (belonging === "part") return
      executing.shift()
      first.isAnswered = true
      Deferred.unsafeDone(first.answered, Effect.void)
      reply()
    },
    release: (): ReadonlyArray<Exchange> => {
      const held = unreplied.filter(({ mayReply, isLost }) => !mayReply && !isLost)
      if (isClientGone) {
        giveUp(unsent.filter(({ isLost }) => !isLost))
        unsent = unsent.filter(({ isLost }) => isLost)
      } else {
        for (const exchange of held) exchange.mayExecute = exchange.mayReply = true
      }
      send()
      reply()
      return held.filter((exchange) => executing.includes(exchange))
    },
    leave: (): void => {
      isClientGone = true
      send()
    },
    end: (): void => {
      giveUp([...executing.splice(0), ...unsent.splice(0)])
    }
  }
}

const makeHeldCommand = (
  exchange: Exchange,
  on: { readonly send: () => void; readonly reply: () => void; readonly cut: () => void }
): HeldCommand => {
  const { command } = exchange
  const execute = Effect.suspend(() => {
    exchange.mayExecute = true
    on.send()
    return Deferred.await(exchange.answered)
  })
  const reply = Effect.suspend(() => {
    if (!exchange.isAnswered) return Effect.dieMessage(`not executed yet: ${command.join(" ")}`)
    exchange.mayReply = true
    return Effect.sync(on.reply)
  })
  const pass = Effect.zipRight(execute, reply)
  const setLost = (isLost: boolean) => Effect.sync(() => void (exchange.isLost = isLost))
  return {
    command,
    execute,
    reply,
    pass,
    lose: setLost(true),
    late: Effect.zipRight(setLost(false), pass),
    cut: Effect.sync(on.cut)
  }
}

interface WaitingPush {
  readonly push: Words
  readonly deliver: () => void
}

type Shelf<A extends object> = ReturnType<typeof makeShelf<A>>

/** Things that wait for the test: each is given once, in order of arrival. */
const makeShelf = <A extends object>() => {
  let things: ReadonlyArray<A> = []
  const given = new WeakSet<A>()
  const waiters = new Set<() => void>()
  const find = (matches: (thing: A) => boolean) =>
    things.find((thing) => !given.has(thing) && matches(thing))
  const arrival = (matches: (thing: A) => boolean) =>
    Effect.async<void>((resume) => {
      if (find(matches) !== undefined) return resume(Effect.void)
      const wake = () => resume(Effect.void)
      waiters.add(wake)
      return Effect.sync(() => waiters.delete(wake))
    })
  const next = (matches: (thing: A) => boolean): Effect.Effect<A> =>
    Effect.flatMap(arrival(matches), () => {
      const found = find(matches)
      if (found === undefined) return next(matches)
      given.add(found)
      return Effect.succeed(found)
    })
  return {
    next,
    put: (thing: A): void => {
      things = [...things, thing]
      for (const wake of waiters) wake()
      waiters.clear()
    },
    /** Says whether it was there. */
    remove: (thing: A): boolean => {
      const before = things.length
      things = things.filter((other) => other !== thing)
      return things.length < before
    },
    /** Gives what was there. */
    clear: (): ReadonlyArray<A> => {
      const before = things
      things = []
      return before
    }
  }
}

/** Passes things on in their order, each so many milliseconds after it came. */
const makeLine = (millis: () => number) => {
  const queue: Array<{ readonly due: number; readonly pass: () => void }> = []
  let timer: NodeJS.Timeout | undefined
  const drain = (): void => {
    timer = undefined
    for (let first = queue[0]; first !== undefined; first = queue[0]) {
      const wait = first.due - performance.now()
      if (wait > 0) {
        timer = setTimeout(drain, wait)
        return
      }
      queue.shift()
      first.pass()
    }
  }
  return {
    pass: (pass: () => void): void => {
      if (queue.length === 0 && millis() === 0) return pass()
      queue.push({ due: performance.now() + millis(), pass })
      timer ??= setTimeout(drain, millis())
    },
    empty: (): void => {
      queue.length = 0
      clearTimeout(timer)
      timer = undefined
    }
  }
}
