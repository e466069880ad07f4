import { request as httpRequest, type IncomingMessage } from 'node:http'
import { Agent, get, globalAgent } from 'node:https'
import type { Socket } from 'node:net'
import { connect as tlsConnect } from 'node:tls'
import { messageOf } from '../../lib/errors.js'

export interface Download {
  /** @throws Error when it stops, ends early, or is longer than it may be */
  readonly body: AsyncIterable<Buffer>
  readonly sizeBytes: number | undefined
}

const MAX_REDIRECTS = 8
const IDLE_TIMEOUT_MS = 60_000
/** A firewall that drops packets does not say so. */
const CONNECT_TIMEOUT_MS = 20_000
const SMALL_BYTES = 64 * 1024

/**
 * Begins to fetch an https URL; redirections only lead to https. HTTPS_PROXY and NO_PROXY count.
 * @throws Error with the URL and why; the signal's reason
 */
export async function openDownload(url: string, signal: AbortSignal, maxBytes: number): Promise<Download> {
  let next = url
  for (let hop = 0; hop <= MAX_REDIRECTS; hop++) {
    const target = new URL(next)
    if (target.protocol !== 'https:')
      throw new Error(`${url} leads to ${target.protocol}//, which is not safe`)
    const response = await getOnce(target, signal).catch((error: unknown) => {
      signal.throwIfAborted()
      throw new Error(`cannot fetch ${target.origin}${target.pathname}: ${messageOf(error)}`, {
        cause: error,
      })
    })
    const status = response.statusCode ?? 0
    const { location } = response.headers
    if (status >= 300 && status < 400 && location !== undefined) {
      response.destroy()
      next = new URL(location, target).href
      continue
    }
    if (status !== 200) {
      response.destroy()
      throw new Error(`cannot fetch ${target.origin}${target.pathname}: HTTP ${status}`)
    }
    const length = Number(response.headers['content-length'])
    const sizeBytes = Number.isInteger(length) && length > 0 ? length : undefined
    return { body: bounded(response, url, sizeBytes, maxBytes, signal), sizeBytes }
  }
  throw new Error(`${url} leads from one address to the next without end`)
}

/** The text of a small file. Errors as openDownload. */
export async function readSmallText(url: string, signal: AbortSignal): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of (await openDownload(url, signal, SMALL_BYTES)).body) chunks.push(chunk)
  return Buffer.concat(chunks).toString('utf8')
}

async function* bounded(
  response: IncomingMessage,
  url: string,
  sizeBytes: number | undefined,
  maxBytes: number,
  signal: AbortSignal,
): AsyncGenerator<Buffer> {
  let bytes = 0
  try {
    for await (const chunk of response) {
      bytes += (chunk as Buffer).length
      if (bytes > maxBytes) throw new Error(`it has more than ${maxBytes} bytes`)
      yield chunk as Buffer
    }
  } catch (error) {
    signal.throwIfAborted()
    throw new Error(`fetching ${url} failed after ${bytes} bytes: ${(error as Error).message}`, {
      cause: error,
    })
  } finally {
    response.destroy()
  }
  if (sizeBytes !== undefined && bytes !== sizeBytes)
    throw new Error(`fetching ${url} ended after ${bytes} of ${sizeBytes} bytes`)
}

async function getOnce(url: URL, signal: AbortSignal): Promise<IncomingMessage> {
  const proxy = proxyFor(url)
  const agent = proxy ? await tunnelAgent(proxy, url, signal) : undefined
  return new Promise((resolve, reject) => {
    const request = get(
      url,
      // Node's own agent would give up a connection after 5 s.
      {
        signal,
        timeout: IDLE_TIMEOUT_MS,
        ...(agent ? { agent } : {}),
        headers: { 'user-agent': 'magnetar' },
      },
      resolve,
    )
    request.once('socket', (socket) => {
      if (!socket.connecting) return
      const limit = setTimeout(
        () => request.destroy(new Error(`no connection within ${CONNECT_TIMEOUT_MS / 1000} s`)),
        CONNECT_TIMEOUT_MS,
      )
      for (const end of ['connect', 'close']) socket.once(end, () => clearTimeout(limit))
    })
    request.once('timeout', () => request.destroy(new Error(`no byte for ${IDLE_TIMEOUT_MS / 1000} s`)))
    request.once('error', reject)
  })
}

/** The proxy that the environment names for an https URL. */
export function proxyFor(url: URL, env: NodeJS.ProcessEnv = process.env): URL | undefined {
  const named = env.https_proxy || env.HTTPS_PROXY || env.all_proxy || env.ALL_PROXY
  if (!named) return undefined
  const without = (env.no_proxy || env.NO_PROXY || '')
    .split(',')
    .map((each) => each.trim().replace(/^\*?\./, ''))
  const isWithout = without.some(
    (each) => each === '*' || (each !== '' && (url.hostname === each || url.hostname.endsWith(`.${each}`))),
  )
  if (isWithout) return undefined
  return new URL(named.includes('://') ? named : `http://${named}`)
}

/** One connection through the proxy (CONNECT). */
async function tunnelAgent(proxy: URL, target: URL, signal: AbortSignal): Promise<Agent> {
  const authority = `${target.hostname}:${target.port || 443}`
  const credentials = `${decodeURIComponent(proxy.username)}:${decodeURIComponent(proxy.password)}`
  const authorization = `Basic ${Buffer.from(credentials).toString('base64')}`
  const socket = await new Promise<Socket>((resolve, reject) => {
    const request = httpRequest({
      host: proxy.hostname,
      port: proxy.port || 80,
      method: 'CONNECT',
      path: authority,
      signal,
      timeout: IDLE_TIMEOUT_MS,
      headers: { host: authority, ...(proxy.username ? { 'proxy-authorization': authorization } : {}) },
    })
    request.once('connect', (response, connected: Socket) => {
      if (response.statusCode === 200) return resolve(connected)
      connected.destroy()
      reject(new Error(`the proxy ${proxy.host} answered ${response.statusCode}`))
    })
    request.once('timeout', () => request.destroy(new Error(`the proxy ${proxy.host} does not answer`)))
    request.once('error', (error) => reject(new Error(`proxy ${proxy.host}: ${messageOf(error)}`)))
    request.end()
  })
  const agent = new Agent({ keepAlive: false })
  agent.createConnection = () => tlsConnect({ ...globalAgent.options, socket, servername: target.hostname })
  return agent
}
