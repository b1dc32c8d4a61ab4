/** A client's connection, tied to one to the server. */
import * as Net from "node:net"
import { type Exchange, type Hand, makeConversation } from "./conversation.js"
import { makeLine } from "./line.js"
import { commandOf, type Frame, makeFramer, type Words } from "./resp.js"

/**
 * Where bytes go.
 *
 * @since 0.1.0
 * @category models
 */
export type Direction = "toServer" | "toClient"

/** What becomes of bytes on their way. */
export interface Wire {
  /** Milliseconds; with jitter, others each time. */
  latency: () => number
  /** Bytes a millisecond. */
  bandwidth: Readonly<Record<Direction, number>>
  /** The largest packet, in bytes. */
  packet: number
  /** Where everything vanishes. */
  holes: ReadonlySet<Direction>
}

/** What all connections share. */
export interface World extends Hand {
  readonly wire: Wire
  readonly commands: Array<Words>
  readonly connections: Set<Connection>
}

export interface Connection {
  /** Does the client hold it open? */
  readonly isOpen: () => boolean
  /** Lets go what is held; gives what the server has yet to answer of it. */
  readonly release: () => ReadonlyArray<Exchange>
  readonly reset: () => void
  readonly halfClose: (direction: Direction) => void
  readonly destroy: () => void
}

/** Bytes of which nothing is understood pass as they come. */
const makeUnframed = () => (chunk: Buffer) => [{ type: "", bytes: chunk }]

export const connect = (
  client: Net.Socket,
  target: { readonly host: string; readonly port: number; readonly isResp: boolean },
  world: World
): Connection => {
  const { host, isResp, port } = target
  const server = Net.connect({ host, port, noDelay: true })
  const { wire } = world
  // Once something was swallowed nothing may follow: TCP has no gaps.
  const mute = new Set<Direction>()
  const muteBy = (holes: Wire["holes"]) => {
    for (const direction of holes) mute.add(direction)
  }
  const isSwallowed = (direction: Direction) => {
    if (wire.holes.has(direction)) muteBy(wire.holes)
    return mute.has(direction)
  }
  muteBy(wire.holes)

  const pace = (direction: Direction) => () => ({
    latency: wire.latency,
    bandwidth: wire.bandwidth[direction],
    packet: wire.packet
  })
  // Slow before commands are told apart; cut into packets after it, or nothing came in pieces.
  const fromClient = makeLine(() => ({ ...pace("toServer")(), packet: Infinity }))
  const toServer = makeLine(() => ({ latency: () => 0, bandwidth: Infinity, packet: wire.packet }))
  const toClient = makeLine(pace("toClient"))

  const write = (socket: Net.Socket) => (bytes: Buffer) => {
    if (socket.writable) socket.write(bytes)
  }
  const ends = {
    toServer: (bytes: Buffer) => toServer.carry(bytes, write(server)),
    // Half-closed: a reset could overtake commands that the server has yet to read.
    endServer: () => toServer.follow(() => void server.end()),
    toClient: (bytes: Buffer) =>
      toClient.carry(bytes, (piece) => {
        if (!isSwallowed("toClient")) write(client)(piece)
      }),
    resetClient: () => {
      fromClient.empty()
      toClient.empty()
      client.resetAndDestroy()
      conversation.leave()
    }
  }
  const conversation = makeConversation(world, ends)
  const connection: Connection = {
    isOpen: () => !client.destroyed,
    release: conversation.release,
    reset: ends.resetClient,
    halfClose: (direction) => {
      if (direction === "toServer") return fromClient.follow(ends.endServer)
      toClient.follow(() => {
        if (!isSwallowed("toClient")) client.end()
      })
    },
    destroy: () => {
      ends.resetClient()
      toServer.empty()
      server.destroy()
    }
  }

  const makeReader = () => {
    const read: (chunk: Buffer) => ReadonlyArray<Frame> = isResp ? makeFramer() : makeUnframed()
    return (chunk: Buffer) => {
      try {
        return read(chunk)
      } catch {
        connection.destroy()
        return []
      }
    }
  }
  const readCommands = makeReader()
  const readReplies = makeReader()
  const ask = (frame: Frame, isLost: boolean) => {
    if (!isResp) return isLost ? undefined : ends.toServer(frame.bytes)
    const command = commandOf(frame)
    world.commands.push(command)
    if (!isLost) conversation.ask(command, frame.bytes)
  }
  const forget = () => {
    if (client.destroyed && server.destroyed) world.connections.delete(connection)
  }

  client.on("error", () => {})
  client.on("data", (chunk) =>
    fromClient.carry(chunk, (piece) => {
      const isLost = isSwallowed("toServer")
      for (const frame of readCommands(piece)) ask(frame, isLost)
    })
  )
  client.on("close", () => {
    fromClient.follow(conversation.leave)
    forget()
  })
  server.on("error", () => {})
  server.on("data", (chunk) => {
    for (const frame of readReplies(chunk)) conversation.hear(frame)
  })
  server.on("close", () => {
    conversation.end()
    toClient.follow(() => {
      if (!isSwallowed("toClient")) client.destroySoon()
    })
    forget()
  })
  return connection
}
