import http from 'node:http'
import https from 'node:https'
import type { Socket } from 'node:net'
import { Readable } from 'node:stream'
import { errnoOf } from '../../lib/errors.js'
import type { DirectBody, RequestBody } from '../http-client.js'
import { TransferError } from '../transfer-error.js'
import { expectDirectBody } from './direct-reads.js'
import type { RecyclingReadable } from './file-stream.js'
import { type Timeouts, watchConnection } from './watch-connection.js'

/** One request to one host, without redirects. */
export interface PlainRequest {
  readonly url: URL
  readonly method: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: RequestBody | undefined
  readonly onSent: (() => void) | undefined
  readonly agent: http.Agent
  readonly timeouts: Timeouts
  readonly signal: AbortSignal
  readonly takesDirect: readonly number[] | undefined
  /** Told how to end it, with a reason, as long as it is not over. */
  begun(end: (why: Error) => void): void
  over(end: (why: Error) => void): void
}

export interface PlainAnswer {
  readonly message: http.IncomingMessage
  readonly hadSurplus: () => boolean
  readonly direct: DirectBody | undefined
}

/** What sendRequest rejects with. */
export class RequestFailed extends Error {
  /** It was sent on a connection that had been used before, and was gone: most likely closed for being idle. */
  readonly wasIdleConnection: boolean
  constructor(cause: unknown, wasIdleConnection: boolean) {
    super('a request had no answer', { cause })
    this.wasIdleConnection = wasIdleConnection
  }
}

/** Connections that have served a request; request.reusedSocket leaves out those for which a request had to wait. */
const usedConnections = new WeakSet<Socket>()

/**
 * Sends a request and resolves when the headers of its answer are there.
 * @throws RequestFailed with the system error, a TransferError, or the signal's reason as its cause
 */
export function sendRequest(plain: PlainRequest): Promise<PlainAnswer> {
  const { url, method, headers, body, agent, signal } = plain
  return new Promise((resolve, reject) => {
    let failure: Error | undefined
    let answer: http.IncomingMessage | undefined
    let direct: DirectBody | undefined
    let isDirectOver = false
    let connection: Socket | undefined
    let hadSurplus = false
    let isUsedConnection = false
    const request = (url.protocol === 'https:' ? https : http).request({
      protocol: url.protocol,
      hostname: url.hostname.replace(/^\[|\]$/g, ''),
      port: url.port,
      path: url.pathname + url.search,
      method,
      headers,
      agent,
    })

    /**
     * Ends it, before or after the answer has begun; what is reported then is `why`. The answer goes first: destroying the request
     * throws away what the answer holds, and it would then end as if it were whole.
     */
    const fail = (why: unknown): void => {
      failure ??= why instanceof Error ? why : new Error(String(why))
      answer?.destroy(failure)
      request.destroy(failure)
    }
    const onAbort = (): void => fail(signal.reason)
    signal.addEventListener('abort', onAbort, { once: true })
    watchConnection(request, plain.timeouts, (words) =>
      fail(new TransferError(`${url.host} ${words}`, { transient: true })),
    )
    request.on('response', (message) => {
      answer = message
      // Nobody may be listening yet when the connection breaks.
      message.on('error', () => {})
      // A server may answer before it has read all; then it will not.
      message.once('end', () => {
        if (!request.writableFinished) request.destroy()
        // A body that nobody took is still on its way.
        if (direct && !isDirectOver) connection?.destroy()
      })
      message.once('close', () => signal.removeEventListener('abort', onAbort))
      resolve({ message, hadSurplus: () => direct?.hadSurplus ?? hadSurplus, direct })
    })
    request.on('error', (error) => {
      const code = errnoOf(error)
      // After a whole answer: what followed on it was no other answer.
      if (answer?.complete && code?.startsWith('HPE_')) hadSurplus = true
      if (answer) return
      const isGone = code === 'ECONNRESET' || code === 'EPIPE'
      reject(new RequestFailed(failure ?? error, failure === undefined && isGone && isUsedConnection))
    })
    request.on('socket', (socket) => {
      connection = socket
      isUsedConnection = usedConnections.has(socket)
      usedConnections.add(socket)
      if (plain.takesDirect)
        expectDirectBody(socket, plain.takesDirect, (body) => {
          direct = body
          // Only then is its connection free for the next request.
          return () => {
            isDirectOver = true
            answer?.resume()
          }
        })
    })
    request.on('close', () => {
      plain.over(fail)
      if (body instanceof Readable) body.destroy()
      if (answer) return
      signal.removeEventListener('abort', onAbort)
      reject(new RequestFailed(failure ?? new Error('it ended without an answer'), false))
    })
    if (plain.onSent) request.once('finish', plain.onSent)
    plain.begun(fail)
    sendBody(request, body, fail)
  })
}

function sendBody(
  request: http.ClientRequest,
  body: RequestBody | undefined,
  fail: (why: unknown) => void,
): void {
  if (!(body instanceof Readable)) {
    // Node sends them together with the head.
    if (body) for (const piece of Buffer.isBuffer(body) ? [body] : body) request.write(piece)
    request.end()
    return
  }
  const { recycle }: RecyclingReadable = body
  body.on('error', fail)
  body.on('data', (piece: Buffer) => {
    if (!request.write(piece, () => recycle?.(piece))) body.pause()
  })
  request.on('drain', () => body.resume())
  body.on('end', () => request.end())
}
