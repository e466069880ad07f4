import { setMaxListeners } from 'node:events'
import type { IncomingHttpHeaders } from 'node:http'
import type { Logger } from '../lib/log.js'
import { type Agents, createAgents } from './http/agents.js'
import { compileHosts } from './http/allowed-hosts.js'
import { basicAuth } from './http/basic-auth.js'
import { dump } from './http/dump.js'
import { networkError } from './http/network-error.js'
import { HOSTS_OPTION } from './http/option-names.js'
import { type ProxyEnvironment, readProxy } from './http/proxy.js'
import { MAX_REDIRECTS, nextHop } from './http/redirect.js'
import { type PlainAnswer, RequestFailed, sendRequest } from './http/send-request.js'
import { readAuthority } from './http/trust.js'
import type { Timeouts } from './http/watch-connection.js'
import type { HttpAnswer, HttpClient, HttpRequest, RequestBody } from './http-client.js'
import { publicUrl, TransferError } from './transfer-error.js'

export interface HttpClientOptions {
  /** PEM file with the certificate of a private authority, trusted besides the usual ones. */
  readonly caFile?: string | undefined
  /** Hosts that files may be exchanged with (http/allowed-hosts); undefined: all. */
  readonly allowedHosts?: readonly string[] | undefined
  readonly log: Logger
  /** Connections to one host and port at once. */
  readonly maxSockets: number
  readonly timeouts?: Partial<Timeouts>
  readonly environment?: ProxyEnvironment
}

const TIMEOUTS: Timeouts = { connectMs: 30_000, headersMs: 300_000, idleMs: 300_000 }

/**
 * The HttpClient of a node, on node:http. Proxies: only https goes through one (http/proxy).
 * @throws MagnetarError CONFIG_UNREADABLE (caFile), CONFIG_INVALID (allowedHosts, https_proxy)
 */
export function createHttpClient(options: HttpClientOptions): HttpClient {
  const { caFile, maxSockets, log } = options
  const timeouts = { ...TIMEOUTS, ...options.timeouts }
  const agents = createAgents({
    authority: caFile === undefined ? undefined : readAuthority(caFile),
    proxy: readProxy(options.environment ?? process.env),
    connectMs: timeouts.connectMs,
    maxSockets,
    log,
  })
  const running: Sender['running'] = new Set()
  const sender: Sender = { agents, timeouts, running, isAllowed: compileHosts(options.allowedHosts) }
  let isClosed = false

  return {
    async request(request) {
      request.signal.throwIfAborted()
      if (isClosed) throw stopping()
      // A job may have any number of transfers under way.
      setMaxListeners(0, request.signal)
      return follow(sender, request)
    },
    async close() {
      isClosed = true
      for (const end of [...running]) end(stopping())
      agents.destroy()
    },
  }
}

function stopping(): TransferError {
  return new TransferError('the node is stopping', { transient: true })
}

interface Sender {
  readonly agents: Agents
  readonly timeouts: Timeouts
  /** Ends what is under way. */
  readonly running: Set<(why: Error) => void>
  readonly isAllowed: (url: URL) => boolean
}

async function follow(sender: Sender, request: HttpRequest): Promise<HttpAnswer> {
  let url = parseUrl(request.url)
  const first = url.origin
  for (let hops = 0; ; hops++) {
    if (!sender.isAllowed(url)) {
      const who = hops === 0 ? url.host : `${url.host}, where ${new URL(request.url).host} redirects to,`
      throw new TransferError(`${who} is not among the hosts of ${HOSTS_OPTION}`, { transient: false })
    }
    const answer = await send(sender, request, url, url.origin === first)
    let next: URL | undefined
    try {
      next = nextHop(request.method, url, answer.status, answer.headers.location)
      if (next && hops === MAX_REDIRECTS) throw tooManyRedirects(request.url)
    } catch (error) {
      answer.body.destroy()
      throw error
    }
    if (!next) return answer
    await dump(answer.body)
    request.signal.throwIfAborted()
    url = next
  }
}

function tooManyRedirects(url: string): TransferError {
  const message = `${publicUrl(url)} redirects more than ${MAX_REDIRECTS} times`
  return new TransferError(message, { transient: false })
}

/** @param trusted whether the user and password of the first address may be told */
async function send(sender: Sender, request: HttpRequest, url: URL, trusted: boolean): Promise<HttpAnswer> {
  const { signal, method } = request
  const { agents, timeouts, running } = sender
  const authorization = trusted ? basicAuth(new URL(request.url)) : undefined
  const attempt = (): Promise<PlainAnswer> => {
    const body = request.body?.()
    return sendRequest({
      url,
      method,
      headers: {
        'user-agent': 'magnetar',
        accept: '*/*',
        ...(authorization === undefined ? {} : { authorization }),
        ...request.headers,
        ...contentLength(request, body),
      },
      body,
      onSent: request.onSent,
      agent: agents.agentFor(url),
      timeouts,
      signal,
      takesDirect: request.takesDirect,
      begun: (end) => void running.add(end),
      over: (end) => void running.delete(end),
    })
  }
  try {
    const { message, hadSurplus, direct } = await attempt().catch((error: unknown) => {
      const again = error instanceof RequestFailed && error.wasIdleConnection && isRepeatable(request)
      if (signal.aborted || !again) throw error
      return attempt()
    })
    return {
      status: message.statusCode ?? 0,
      headers: {
        ...plainHeaders(message.headers),
        ...(direct ? { 'content-length': String(direct.bytes) } : {}),
      },
      body: message,
      url: url.href,
      hadSurplus,
      ...(direct ? { direct } : {}),
    }
  } catch (error) {
    throw networkError(error instanceof RequestFailed ? error.cause : error, url, signal)
  }
}

/** Without one, a POST without a body would be sent in chunks. */
function contentLength(
  { method, bodyBytes }: HttpRequest,
  body: RequestBody | undefined,
): Record<string, string> {
  const known = bodyBytes ?? (Buffer.isBuffer(body) ? body.length : undefined)
  if (known !== undefined) return { 'content-length': String(known) }
  return body || method === 'GET' || method === 'HEAD' ? {} : { 'content-length': '0' }
}

function isRepeatable({ method, isRepeatable: may }: HttpRequest): boolean {
  return may ?? (method === 'GET' || method === 'HEAD')
}

function parseUrl(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url?.protocol === 'http:' || url?.protocol === 'https:') return url
  const message = `Galaxy gave an address that is not http or https: ${publicUrl(text)}`
  throw new TransferError(message, { transient: false })
}

function plainHeaders(headers: IncomingHttpHeaders): HttpAnswer['headers'] {
  const plain: Record<string, string | undefined> = {}
  for (const [name, value] of Object.entries(headers))
    plain[name] = Array.isArray(value) ? value.join(', ') : value
  return plain
}
