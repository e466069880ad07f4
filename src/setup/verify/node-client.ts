import { X509Certificate } from 'node:crypto'
import http from 'node:http'
import https from 'node:https'
import { messageOf } from '../../lib/errors.js'

export interface NodeAnswer {
  readonly status: number
  readonly text: string
}

export interface NodeRequest {
  readonly query?: Readonly<Record<string, string>>
  readonly body?: string
  /** Send no token: to see that the node insists on one. */
  readonly anonymous?: boolean
  readonly signal: AbortSignal
}

/** The calls of a Pulsar client to a node on this machine. */
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

const TIMEOUT_MS = 30_000
const MAX_ANSWER_BYTES = 8 * 1024 * 1024

/**
 * `certificate`: PEM, the node's own first. It is the only one accepted, whoever signed it and whatever name it carries: this
 * machine is reached as "localhost" or by an address.
 */
export function createNodeClient(options: {
  readonly url: string
  readonly token: string | undefined
  readonly certificate: string | undefined
  readonly timeoutMs?: number
}): NodeClient {
  const { token, certificate, timeoutMs = TIMEOUT_MS } = options
  const tls = certificate === undefined ? {} : pinned(certificate)
  return {
    async call(method, route, { query = {}, body, anonymous = false, signal }) {
      signal.throwIfAborted()
      const url = new URL(`${route}?${new URLSearchParams(query)}`, options.url)
      const limit = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)])
      const headers = {
        connection: 'close',
        ...(anonymous || token === undefined ? {} : { authorization: `Bearer ${token}` }),
        ...(body === undefined ? {} : { 'content-length': Buffer.byteLength(body) }),
      }
      try {
        return await exchange(url, { method, headers, signal: limit, agent: false, ...tls }, body)
      } catch (error) {
        if (signal.aborted) throw signal.reason
        // Without the query: it may be a file name, and never holds the token, but says nothing here.
        throw new NodeUnreachable(
          options.url,
          limit.aborted ? new Error(`${timeoutMs / 1000} s are up`) : error,
        )
      }
    },
  }
}

function exchange(url: URL, options: https.RequestOptions, body: string | undefined): Promise<NodeAnswer> {
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
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, text: Buffer.concat(chunks).toString('utf8') }),
      )
    })
    request.on('error', reject)
    request.end(body)
  })
}

/** Verified as always, against nothing but this certificate. */
function pinned(certificate: string): https.RequestOptions {
  const wanted = new X509Certificate(certificate).fingerprint256
  return {
    ca: certificate,
    // It is trusted itself: that a public authority signed it, unknown here, must not matter.
    allowPartialTrustChain: true,
    checkServerIdentity: (_name, { fingerprint256 }) =>
      fingerprint256 === wanted ? undefined : new Error('the certificate is not the one of ssl_pem'),
  }
}
