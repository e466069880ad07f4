import { createHash } from 'node:crypto'
import type { Exchange, Reply, Route } from './types.js'
import { receiveFile } from './upload.js'

/** The file cache for clients with `--cache` (pulsar/web/routes.py: cache_required, cache_insert, file_available). */
export const cacheRoutes: readonly Route[] = [
  { method: 'PUT', path: '/cache', handle: claim },
  { method: 'POST', path: '/cache', handle: insert },
  { method: 'GET', path: '/cache/status', handle: status },
]

async function claim(exchange: Exchange): Promise<Reply> {
  const { cache } = exchange
  return { json: await cache.claim(tokenOf(exchange)) }
}

async function insert(exchange: Exchange): Promise<Reply> {
  const token = tokenOf(exchange)
  await exchange.cache.insert(token, (base, components) =>
    // Synced, as a power cut must not leave a torn file that says it is ready; readable by nobody else, as there.
    receiveFile(exchange, base, components, { mode: 0o600, sync: true }),
  )
  return { json: null }
}

async function status(exchange: Exchange): Promise<Reply> {
  const { cache } = exchange
  const token = tokenOf(exchange)
  return { json: { token, ready: await cache.isReady(token) } }
}

/** One path may hold different files on different clients: pulsar/cache/__init__.py: token. */
function tokenOf({ request, query }: Exchange): string {
  const path = query.require('path')
  return createHash('sha256')
    .update(`IP:${clientAddress(request.headers['x-forwarded-for'], request.socket.remoteAddress)}:${path}`)
    .digest('hex')
}

/** The last address of X-Forwarded-For (the one our own proxy wrote), else the peer's. pulsar/web/framework.py */
export function clientAddress(forwarded: string | string[] | undefined, peer: string | undefined): string {
  const list = Array.isArray(forwarded) ? forwarded.join(',') : forwarded
  if (list !== undefined) return list.slice(list.lastIndexOf(',') + 1).trim()
  // A socket that listens on both families shows IPv4 peers in this form.
  return (peer ?? '').replace(/^::ffff:(?=\d+\.)/, '')
}
