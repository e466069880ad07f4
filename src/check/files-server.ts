import { randomBytes, timingSafeEqual } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { readUpload } from './read-upload.js'

/** A stand-in for Galaxy's job files API: one file to fetch, one to be delivered (staging: Galaxy job-files endpoint). */
export interface FilesServer {
  /** With the key, so a secret until the end; the calls' own parameters go behind it. */
  readonly endpoint: string
  /** For people: without the key. */
  readonly url: string
  /** Requests with the right key so far. */
  readonly seen: { fetched: number; delivered: Buffer | undefined }
  close(): Promise<void>
}

export interface FilesServerOptions {
  /** Where it listens. */
  readonly listen: { readonly host: string | undefined; readonly port: number }
  /** What the node is told: undefined: host and port of `address`. */
  readonly url: string | undefined
  /** How the node reaches this machine, without `url`. */
  readonly address: string
  readonly content: Buffer
}

/** Path of the file to fetch, and of the one to deliver, in the words of the other side. */
export const FETCH_PATH = '/magnetar-check/in'
export const DELIVER_PATH = '/magnetar-check/out'

const ROUTE = 'api/jobs/magnetar-check/files'
const MAX_CONNECTIONS = 16
const IDLE_MS = 30_000

/**
 * Serves until it is closed. Only requests with its key are answered, from memory; nothing of this machine can be read or written.
 * @throws the system's error when it cannot listen
 */
export async function startFilesServer(options: FilesServerOptions): Promise<FilesServer> {
  const key = randomBytes(16).toString('hex')
  const seen: FilesServer['seen'] = { fetched: 0, delivered: undefined }
  const server = createServer((request, response) => {
    answer(request, response, { key, seen, content: options.content }).catch(() => response.destroy())
  })
  server.maxConnections = MAX_CONNECTIONS
  server.setTimeout(IDLE_MS)
  const { host, port } = options.listen
  server.listen({ port, ...(host === undefined ? {} : { host }) })
  await once(server, 'listening')
  const bound = (server.address() as AddressInfo).port
  const name = options.address.includes(':') ? `[${options.address}]` : options.address
  const base = options.url ?? `http://${name}:${bound}/`
  const url = base.endsWith('/') ? base : `${base}/`
  return {
    url,
    endpoint: `${url}${ROUTE}?job_key=${key}`,
    seen,
    async close() {
      const closed = once(server, 'close')
      server.close()
      server.closeAllConnections()
      await closed
    },
  }
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  { key, seen, content }: { key: string; seen: FilesServer['seen']; content: Buffer },
): Promise<void> {
  const { pathname, searchParams } = new URL(request.url ?? '/', 'http://here/')
  const end = (status: number, body: Buffer | string = ''): void => {
    request.resume()
    response.writeHead(status, { 'content-type': 'application/octet-stream', 'content-length': body.length })
    response.end(request.method === 'HEAD' ? undefined : body)
  }
  // A path may stand before it: that of the proxy of --files-url.
  if (!pathname.endsWith(`/${ROUTE}`) || !isKey(searchParams.get('job_key') ?? '', key)) return end(403)
  const path = searchParams.get('path')
  if (path === FETCH_PATH && (request.method === 'GET' || request.method === 'HEAD')) {
    seen.fetched++
    return end(200, content)
  }
  if (path === DELIVER_PATH && request.method === 'POST') {
    const delivered = await readUpload(request, content.length)
    if (delivered === undefined) return end(400)
    seen.delivered = delivered
    return end(200)
  }
  // Whatever else the node would deliver is of no interest.
  end(request.method === 'POST' ? 200 : 404)
}

function isKey(given: string, key: string): boolean {
  const [left, right] = [Buffer.from(given), Buffer.from(key)]
  return left.length === right.length && timingSafeEqual(left, right)
}
