import { X509Certificate } from 'node:crypto'
import http from 'node:http'
import https from 'node:https'
import type { ConnectionOptions } from 'node:tls'
import { messageOf } from '../lib/errors.js'
import { limitTime } from '../lib/time-limit.js'

export interface NodeAnswer {
  readonly status: number
  readonly headers: http.IncomingHttpHeaders
  readonly body: Buffer
  /** The body as UTF-8. */
  readonly text: string
}

export interface NodeRequest {
  readonly query?: Readonly<Record<string, string>>
  readonly body?: string | Buffer
  /** Send no token: to see that the node insists on one. */
  readonly anonymous?: boolean
  readonly signal: AbortSignal
}

/** The calls of a Pulsar client to a node. */
export interface NodeClient {
  /**
   * Any answer is one, whatever its status.
   * @throws NodeUnreachable when there is none; the signal's reason when aborted
   */
  call(method: string, route: string, request: NodeRequest): Promise<NodeAnswer>
}

/** No answer: refused, cut off, too late, or not the node's certificate. `errno` is the system's or OpenSSL's code, if any. */
export class NodeUnreachable extends Error {
  readonly errno: string | undefined
  constructor(url: string, error: unknown) {
    super(`no answer from ${url}: ${messageOf(error)}`, { cause: error })
    this.name = 'NodeUnreachable'
    this.errno = (error as { code?: string }).code
  }
}

/** An answer that did not come in time; `code` as the system has it. */
class TimeUp extends Error {
  readonly code = 'ETIMEDOUT'
}

export interface NodeClientOptions {
  /** With a slash at the end; routes are below it. */
  readonly url: string
  readonly token: string | undefined
  /**
   * PEM, the node's own first. It is the only one accepted, whoever signed it and whatever name it carries: a node on this machine is
   * reached as "localhost" or by an address.
   */
  readonly certificate: string | undefined
  /** Whom to trust when no certificate is given: PEM texts instead of Node's own list. */
  readonly authorities?: readonly string[] | undefined
  /**
   * How the token is sent. Default `header`, which stands in no log of a proxy; a Python Pulsar knows only `query`
   * (pulsar/web/framework.py).
   */
  readonly tokenIn?: 'header' | 'query'
  /** Of a whole exchange. Default 30 s. */
  readonly timeoutMs?: number
}

/** Of a certificate that is valid, but not the one that was given. */
export const NOT_PINNED = 'the certificate is not the one of ssl_pem'

const TIMEOUT_MS = 30_000
const MAX_ANSWER_BYTES = 8 * 1024 * 1024

export function createNodeClient(options: NodeClientOptions): NodeClient {
  const { token, tokenIn = 'header', timeoutMs = TIMEOUT_MS } = options
  const tls = trustOptions(options)
  return {
    async call(method, route, { query = {}, body, anonymous = false, signal }) {
      signal.throwIfAborted()
      const known = anonymous ? undefined : token
      const inQuery = known !== undefined && tokenIn === 'query' ? { private_token: known } : {}
      const url = new URL(`${route}?${new URLSearchParams({ ...query, ...inQuery })}`, options.url)
      const limit = limitTime(signal, timeoutMs)
      const headers = {
        connection: 'close',
        ...(known !== undefined && tokenIn === 'header' ? { authorization: `Bearer ${known}` } : {}),
        // As clients of Pulsar say that there is no body.
        ...(body === undefined && method === 'GET'
          ? {}
          : { 'content-length': Buffer.byteLength(body ?? '') }),
      }
      try {
        return await exchange(url, { method, headers, signal: limit.signal, agent: false, ...tls }, body)
      } catch (error) {
        if (signal.aborted) throw signal.reason
        // Without the query, which may hold the token.
        throw new NodeUnreachable(
          options.url,
          limit.isUp() ? new TimeUp(`${timeoutMs / 1000} s are up`) : error,
        )
      } finally {
        limit.release()
      }
    },
  }
}

/** How to verify the node's certificate, for any connection to it. */
export function trustOptions({
  certificate,
  authorities,
}: Pick<NodeClientOptions, 'certificate' | 'authorities'>): ConnectionOptions {
  if (certificate !== undefined) return pinned(certificate)
  return authorities === undefined ? {} : { ca: [...authorities] }
}

function exchange(
  url: URL,
  options: https.RequestOptions,
  body: string | Buffer | undefined,
): Promise<NodeAnswer> {
  return new Promise((resolve, reject) => {
    const make = url.protocol === 'https:' ? https.request : http.request
    const request = make(url, options, (response) => {
      const chunks: Buffer[] = []
      let bytes = 0
      response.on('data', (chunk: Buffer) => {
        bytes += chunk.length
        if (bytes > MAX_ANSWER_BYTES) request.destroy(new Error('the answer does not end'))
        else chunks.push(chunk)
      })
      response.on('error', reject)
      response.on('end', () => {
        const whole = Buffer.concat(chunks)
        const { statusCode = 0, headers } = response
        resolve({ status: statusCode, headers, body: whole, text: whole.toString('utf8') })
      })
    })
    request.on('error', reject)
    request.end(body)
  })
}

/** Verified as always, against nothing but this certificate. */
function pinned(certificate: string): ConnectionOptions {
  const wanted = new X509Certificate(certificate).fingerprint256
  return {
    ca: certificate,
    // It is trusted itself: that a public authority signed it, unknown here, must not matter.
    allowPartialTrustChain: true,
    checkServerIdentity: (_name, { fingerprint256 }) =>
      fingerprint256 === wanted ? undefined : new Error(NOT_PINNED),
  }
}
