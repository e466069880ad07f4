import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { MagnetarError } from '../lib/errors.js'
import { sendRawError } from './reply.js'

export interface ConnectionLimits {
  /** At most so many; the one that has waited longest without a whole request makes room for a new one. */
  readonly maxConnections: number
  /** Bytes of requests whose headers are not complete, over all connections. */
  readonly maxPendingBytes: number
  /** Requests of one connection that are answered at once; pipelining clients must wait. */
  readonly maxRequestsPerConnection: number
}

interface Connection {
  readonly socket: Socket
  readonly inFlight: Map<ServerResponse, IncomingMessage>
  /** When it began to wait for a request, and how much it had read then. */
  waitingSinceMs: number
  waitingFromBytes: number
}

const SWEEP_MS = 200
const LINGER_MS = 1000

/**
 * Keeps slow, half-open and far too many connections from holding the server: Node bounds the header bytes of each
 * connection, but a request target may be megabytes here, and a thousand of those would be gigabytes.
 */
export interface Connections {
  add(socket: Socket): void
  /** Notes that a request is being answered; false when its connection has too many of them. */
  begin(request: IncomingMessage, response: ServerResponse): boolean
  /** For a socket without activity for the time of its timeout: cuts it unless it is waiting for us. */
  onIdle(socket: Socket): void
  /** For a request that Node cannot parse or that came too slowly. */
  fail(socket: Socket, error: MagnetarError): void
  /** Ends connections without a request and makes the others end after their answer. */
  startClosing(): void
  destroyAll(): void
}

export function createConnections(limits: ConnectionLimits): Connections {
  const connections = new Map<Socket, Connection>()
  const failed = new WeakSet<Socket>()
  let closing = false
  let timer: NodeJS.Timeout | undefined

  const pendingBytes = (connection: Connection): number =>
    connection.inFlight.size > 0 ? 0 : connection.socket.bytesRead - connection.waitingFromBytes

  const fail = (socket: Socket, error: MagnetarError): void => {
    // Bytes that still arrive make the parser report once more.
    if (failed.has(socket)) return
    failed.add(socket)
    const connection = connections.get(socket)
    const started = connection && [...connection.inFlight.keys()].some((response) => response.headersSent)
    if (!socket.writable || started) {
      socket.destroy()
      return
    }
    sendRawError(socket, error)
    // The client may be in the middle of sending: closing now could cost it the answer.
    const linger = setTimeout(() => socket.destroy(), LINGER_MS)
    linger.unref()
    socket.once('close', () => clearTimeout(linger))
  }

  /** As fail, without waiting for what its client is still sending: for when there is too much already. */
  const refuse = (socket: Socket, error: MagnetarError): void => {
    fail(socket, error)
    socket.destroySoon()
  }

  const oldestWaiting = (): Connection | undefined => {
    let oldest: Connection | undefined
    for (const connection of connections.values()) {
      if (connection.inFlight.size > 0 || failed.has(connection.socket)) continue
      if (!oldest || connection.waitingSinceMs < oldest.waitingSinceMs) oldest = connection
    }
    return oldest
  }

  const drop = (connection: Connection, error: MagnetarError): void => {
    const { socket } = connection
    if (pendingBytes(connection) > 0) refuse(socket, error)
    else socket.destroy()
    connections.delete(socket)
  }

  const sweep = (): void => {
    let total = 0
    for (const connection of connections.values()) total += pendingBytes(connection)
    while (total > limits.maxPendingBytes) {
      const oldest = oldestPending(connections.values(), pendingBytes)
      if (!oldest) return
      total -= pendingBytes(oldest)
      refuse(oldest.socket, tooMany('the server holds too many unfinished requests'))
      connections.delete(oldest.socket)
    }
  }

  const forget = (socket: Socket): void => {
    connections.delete(socket)
    if (connections.size > 0) return
    clearInterval(timer)
    timer = undefined
  }

  const release = (connection: Connection, response: ServerResponse): void => {
    connection.inFlight.delete(response)
    if (connection.inFlight.size > 0) return
    connection.waitingSinceMs = performance.now()
    connection.waitingFromBytes = connection.socket.bytesRead
    if (closing) connection.socket.destroySoon()
  }

  return {
    add(socket) {
      // Node takes its own listener away when it hands a socket over (CONNECT): a reset would then end the process.
      socket.on('error', () => {})
      socket.once('close', () => forget(socket))
      if (connections.size >= limits.maxConnections) {
        const oldest = oldestWaiting()
        if (!oldest) {
          refuse(socket, tooMany('the server has as many connections as it takes'))
          return
        }
        drop(oldest, tooMany('the connection made room for others before its request was complete'))
      }
      connections.set(socket, {
        socket,
        inFlight: new Map(),
        waitingSinceMs: performance.now(),
        waitingFromBytes: 0,
      })
      timer ??= setInterval(sweep, SWEEP_MS).unref()
    },
    begin(request, response) {
      const connection = connections.get(request.socket)
      if (!connection) return true
      if (closing) response.setHeader('Connection', 'close')
      connection.inFlight.set(response, request)
      response.once('close', () => release(connection, response))
      return connection.inFlight.size <= limits.maxRequestsPerConnection
    },
    onIdle(socket) {
      const connection = connections.get(socket)
      if (!connection || connection.inFlight.size === 0) {
        socket.destroy()
        return
      }
      const requests = [...connection.inFlight.values()]
      // Flowing means that we would take more if only it came; anything else waits for our disk or scheduler.
      const awaitsClient = requests.some((request) => !request.complete && request.readableFlowing === true)
      if (socket.writableLength > 0) socket.destroy()
      else if (awaitsClient) {
        refuse(
          socket,
          new MagnetarError('REQUEST_TIMEOUT', 'the body stopped arriving before it was complete'),
        )
      } else socket.setTimeout(socket.timeout ?? 0)
    },
    fail,
    startClosing() {
      closing = true
      for (const connection of connections.values()) {
        if (connection.inFlight.size === 0)
          drop(connection, new MagnetarError('SHUTTING_DOWN', 'the server is stopping'))
        for (const response of connection.inFlight.keys())
          if (!response.headersSent) response.setHeader('Connection', 'close')
      }
    },
    destroyAll() {
      for (const socket of connections.keys()) socket.destroy()
    },
  }
}

function tooMany(message: string): MagnetarError {
  return new MagnetarError('OVERLOADED', message)
}

function oldestPending(
  connections: Iterable<Connection>,
  pendingBytes: (connection: Connection) => number,
): Connection | undefined {
  let oldest: Connection | undefined
  for (const connection of connections)
    if (pendingBytes(connection) > 0 && (!oldest || connection.waitingSinceMs < oldest.waitingSinceMs))
      oldest = connection
  return oldest
}
