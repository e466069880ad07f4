import fs from 'node:fs'
import http from 'node:http'
import type { AddressInfo, ListenOptions, Socket } from 'node:net'
import { errnoOf, MagnetarError } from '../lib/errors.js'
import { cacheRoutes } from './cache.js'
import { createClients } from './clients.js'
import { createConnections } from './connections.js'
import { fileRoutes } from './files.js'
import { createRequestHandler } from './handle.js'
import { healthRoutes } from './health.js'
import { jobRoutes } from './jobs.js'
import type { HttpNode } from './types.js'

export type { HttpNode } from './types.js'

const ROUTES = [...jobRoutes, ...fileRoutes, ...cacheRoutes, ...healthRoutes]

/** Pulsar puts a whole job into the query of a submit, so the real server has no limit at all. Node copies what
 * it has of a target with each piece that arrives (4 MiB: 30 ms in all, 16 MiB: a second), so there is one here. */
const MAX_HEADER_BYTES = 17 * 1024 * 1024
const MAX_PENDING_BYTES = 64 * 1024 * 1024
const MAX_CONNECTIONS = 4096
const MAX_REQUESTS_PER_CONNECTION = 64
const BACKLOG = 2048

export interface ServerOptions {
  /** PEM texts; with them the server speaks HTTPS only. */
  readonly tls?: { readonly cert: string; readonly key: string } | undefined
  /** For tests; the defaults are the fields' comments. */
  readonly timeouts?: Partial<Timeouts>
  readonly maxConnections?: number
  readonly maxPendingBytes?: number
  /** Of one address at once, at most three quarters of the connections; no limit by default. */
  readonly requestsPerClient?: number
}

interface Timeouts {
  /** From the first byte (or the connection) to the end of the headers: 20 s. */
  readonly headersMs: number
  /** Without a byte in a body, or taken by the reader of an answer: 60 s. There is no limit on the whole. */
  readonly inactivityMs: number
  /** Between two requests of one connection: 65 s, longer than the pools of common clients and proxies. */
  readonly keepAliveMs: number
}

const TIMEOUTS: Timeouts = { headersMs: 20_000, inactivityMs: 60_000, keepAliveMs: 65_000 }

export interface HttpServer {
  /**
   * Binds and accepts; once per server. `localhost` is 127.0.0.1, as for the real server. Rejects with the system error
   * (EADDRINUSE, EACCES, EADDRNOTAVAIL) or the signal's reason.
   */
  listen(address: { host: string; port: number }, signal?: AbortSignal): Promise<AddressInfo>
  /** Stops accepting, closes idle connections, lets requests in flight finish for `graceMs`, then cuts them. Idempotent. */
  close(options: { graceMs: number }): Promise<void>
}

/** The REST API of Pulsar 0.16.0 for one node. Nothing is bound before listen(). */
export function createHttpServer(node: HttpNode, options: ServerOptions = {}): HttpServer {
  const timeouts = { ...TIMEOUTS, ...options.timeouts }
  const maxConnections = options.maxConnections ?? connectionLimit()
  const connections = createConnections({
    maxConnections,
    maxPendingBytes: options.maxPendingBytes ?? MAX_PENDING_BYTES,
    maxRequestsPerConnection: MAX_REQUESTS_PER_CONNECTION,
  })
  const clients = createClients(clientLimit(options.requestsPerClient, maxConnections), node.log)
  const handle = createRequestHandler(node, ROUTES)
  const running = new Set<Promise<void>>()
  let server: http.Server | undefined
  let closed: Promise<void> | undefined

  const onRequest = (request: http.IncomingMessage, response: http.ServerResponse, awaits: boolean): void => {
    let refusal = clients.begin(request, response)
    if (!connections.begin(request, response)) {
      response.setHeader('Connection', 'close')
      refusal ??= new MagnetarError('OVERLOADED', 'too many requests in flight on one connection')
    }
    const answer = handle(request, response, awaits, refusal)
    running.add(answer)
    void answer.finally(() => running.delete(answer))
  }

  const create = async (): Promise<http.Server> => {
    const settings = {
      maxHeaderSize: MAX_HEADER_BYTES,
      headersTimeout: timeouts.headersMs,
      // A 1 TiB upload may take its time; inactivity is what is bounded.
      requestTimeout: 0,
      keepAliveTimeout: timeouts.keepAliveMs,
      connectionsCheckingInterval: Math.min(1000, timeouts.headersMs),
      requireHostHeader: false,
    }
    const made = options.tls
      ? (await import('node:https')).createServer({
          ...settings,
          ...options.tls,
          handshakeTimeout: timeouts.headersMs,
        })
      : http.createServer(settings)
    if (options.tls) made.maxConnections = maxConnections
    made.on(options.tls ? 'secureConnection' : 'connection', (socket: Socket) => connections.add(socket))
    made.on('request', (request, response) => onRequest(request, response, false))
    made.on('checkContinue', (request, response) => onRequest(request, response, true))
    // An expectation nobody knows changes nothing, as with the real server.
    made.on('checkExpectation', (request, response) => onRequest(request, response, false))
    made.on('connect', (_request, socket: Socket) => {
      connections.fail(socket, new MagnetarError('ROUTE_UNKNOWN', 'there is no route CONNECT'))
    })
    made.on('clientError', (error, socket) => {
      if (isSocket(socket)) connections.fail(socket, parseError(error))
      else socket.destroy()
    })
    made.setTimeout(timeouts.inactivityMs, (socket: Socket) => connections.onIdle(socket))
    return made
  }

  return {
    async listen({ host, port }, signal) {
      signal?.throwIfAborted()
      const made = await create()
      server = made
      await bind(made, { host: bindHost(host), port, backlog: BACKLOG }, signal)
      made.on('error', (error) => node.log.error({ reason: error.message }, 'the listening socket failed'))
      const address = made.address()
      if (address === null || typeof address === 'string')
        throw new Error('a listening TCP server has no port')
      return address
    },
    close({ graceMs }) {
      closed ??= closeServer(server, connections, running, graceMs)
      return closed
    },
  }
}

function bind(server: http.Server, address: ListenOptions, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const settle = (error?: unknown): void => {
      server.off('error', settle)
      signal?.removeEventListener('abort', abort)
      if (error === undefined) resolve()
      else reject(error)
    }
    const abort = (): void => {
      server.close()
      settle(signal?.reason)
    }
    server.once('error', settle)
    signal?.addEventListener('abort', abort)
    server.listen(address, () => settle())
  })
}

/** After the connections are cut, handlers get this long to remove what they were writing. */
const SETTLE_MS = 1000

async function closeServer(
  server: http.Server | undefined,
  connections: ReturnType<typeof createConnections>,
  running: ReadonlySet<Promise<void>>,
  graceMs: number,
): Promise<void> {
  if (!server) return
  const done = new Promise<void>((resolve) => server.close(() => resolve()))
  connections.startClosing()
  await within(done, graceMs)
  connections.destroyAll()
  server.closeAllConnections()
  await within(Promise.all([done, ...running]), SETTLE_MS)
}

async function within(wait: Promise<unknown>, ms: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, ms)
  })
  await Promise.race([wait, late])
  clearTimeout(timer)
}

function bindHost(host: string): string {
  if (host === 'localhost') return '127.0.0.1'
  return host.replace(/^\[(.*)\]$/, '$1')
}

function isSocket(stream: object): stream is Socket {
  return 'destroySoon' in stream
}

/** What a client did that made Node's parser give up. */
function parseError(error: Error): MagnetarError {
  switch (errnoOf(error)) {
    case 'HPE_HEADER_OVERFLOW':
      return new MagnetarError('REQUEST_TOO_LARGE', 'the request line and headers are too long', {
        cause: error,
      })
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return new MagnetarError('REQUEST_TIMEOUT', 'the headers of the request did not arrive in time')
    case 'HPE_INVALID_EOF_STATE':
      return new MagnetarError('UPLOAD_INCOMPLETE', 'the request ended before it was complete')
    default:
      return new MagnetarError('BAD_REQUEST', 'this is not a valid HTTP request', { cause: error })
  }
}

function clientLimit(wanted = Number.POSITIVE_INFINITY, maxConnections: number): number {
  if (wanted === Number.POSITIVE_INFINITY) return wanted
  return Math.max(1, Math.min(wanted, Math.floor((maxConnections * 3) / 4)))
}

/** Half of the descriptors the process may have: uploads, downloads and jobs need theirs. */
function connectionLimit(): number {
  try {
    const soft = /^Max open files\s+(\d+)/m.exec(fs.readFileSync('/proc/self/limits', 'latin1'))?.[1]
    if (soft !== undefined) return Math.max(16, Math.min(MAX_CONNECTIONS, Math.floor(Number(soft) / 2)))
  } catch {
    // Not Linux.
  }
  return MAX_CONNECTIONS
}
