import { chmod, unlink } from 'node:fs/promises'
import http from 'node:http'
import { connect } from 'node:net'
import { isJobStatus } from '../jobs/transitions.js'
import { ERRORS } from '../lib/error-table.js'
import { errnoOf, MagnetarError, messageOf, toMagnetarError } from '../lib/errors.js'
import type { Logger } from '../lib/log.js'
import { makePrivateDirectory } from '../lib/private-file.js'
import type { JobAction } from './client.js'
import type { NodeControl } from './node-control.js'
import { type ControlPlace, shortName } from './socket-path.js'

const ACTIONS: readonly string[] = ['cancel', 'clean', 'retry-stage-out'] satisfies JobAction[]
const MAX_CONNECTIONS = 32
const MAX_HEADER_BYTES = 16 * 1024
const REQUEST_MS = 10_000
const DEFAULT_ENDED = 100

export interface ControlServer {
  close(): Promise<void>
}

/**
 * Listens for the admins' commands on a Unix socket, 0600 in a directory 0700: whoever can connect is the user of the node or root, and
 * nothing else is asked of them. A socket that a killed server left is replaced.
 * @throws the system error when it cannot be made, Error when another server listens there
 */
export async function listenForControl(
  place: ControlPlace,
  control: NodeControl,
  log: Logger,
): Promise<ControlServer> {
  makePrivateDirectory(place.directory)
  const { name, release } = await shortName(place)
  try {
    await removeStale(name)
    const server = http.createServer(
      { maxHeaderSize: MAX_HEADER_BYTES, requestTimeout: REQUEST_MS, keepAliveTimeout: 1 },
      (request, response) => void answer(control, request, response, log),
    )
    server.maxConnections = MAX_CONNECTIONS
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject)
      server.listen(name, () => resolve())
    })
    server.on('error', (error) => log.warn(`control socket: ${messageOf(error)}`))
    const stop = async (): Promise<void> => {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()))
      server.closeAllConnections()
      await closed
    }
    await chmod(name, 0o600).catch(async (error: unknown) => {
      await stop()
      throw error
    })
    return {
      async close() {
        await stop()
        await release()
      },
    }
  } catch (error) {
    await release()
    throw error
  }
}

async function removeStale(name: string): Promise<void> {
  const isAlive = await new Promise<boolean>((resolve) => {
    const socket = connect(name)
    socket.once('connect', () => resolve(true))
    socket.once('error', () => resolve(false))
    socket.once('close', () => socket.destroy())
    socket.setTimeout(1000, () => socket.destroy(new Error('no answer')))
    socket.once('connect', () => socket.destroy())
  })
  if (isAlive) throw new Error('another server listens on the control socket')
  await unlink(name).catch((error: unknown) => {
    if (errnoOf(error) !== 'ENOENT') throw error
  })
}

async function answer(
  control: NodeControl,
  request: http.IncomingMessage,
  response: http.ServerResponse,
  log: Logger,
): Promise<void> {
  const send = (status: number, body: unknown): void => {
    response.writeHead(status, { 'Content-Type': 'application/json', Connection: 'close' })
    response.end(JSON.stringify(body))
  }
  request.resume()
  response.on('error', () => {})
  try {
    send(200, (await route(control, request)) ?? {})
  } catch (thrown) {
    const error = toMagnetarError(thrown)
    if (error.code === 'INTERNAL') log.error({ err: thrown }, `control socket: ${messageOf(thrown)}`)
    const { code, message, fix = ERRORS[error.code].fix } = error
    send(code === 'INTERNAL' ? 500 : 400, { code, message, fix })
  }
}

async function route(control: NodeControl, request: http.IncomingMessage): Promise<unknown> {
  const { pathname, searchParams, segments } = splitTarget(request.url ?? '/')
  const [first = '', id, action = ''] = segments
  const manager = searchParams.get('manager') ?? undefined
  if (request.method === 'GET') {
    if (first === 'ping') return control.signs()
    if (first === 'status') return control.status()
    if (first === 'audit') {
      const job = searchParams.get('job') ?? undefined
      const sinceMs = wholeNumber(searchParams.get('since_ms'))
      return control.audit({ ...(job ? { job } : {}), ...(sinceMs === undefined ? {} : { sinceMs }) })
    }
    if (first === 'jobs' && id === undefined) {
      const states = searchParams.get('states')?.split(',').filter(isJobStatus)
      const ended = wholeNumber(searchParams.get('ended')) ?? DEFAULT_ENDED
      return control.jobs({ ended, ...(states ? { states } : {}), ...(manager ? { manager } : {}) })
    }
    if (first === 'jobs' && id !== undefined && action === '') return control.job(id, manager)
  }
  if (request.method === 'POST') {
    if (first === 'jobs' && id !== undefined && ACTIONS.includes(action))
      return control.act(action as JobAction, id, manager)
    if (first === 'reload-tokens') return control.reloadTokens()
    if (first === 'expire') {
      const olderThanMs = wholeNumber(searchParams.get('older_than_ms'))
      if (olderThanMs === undefined)
        throw new MagnetarError('BAD_REQUEST', 'older_than_ms is a whole number of milliseconds')
      return control.expire(olderThanMs, searchParams.get('plan') !== 'false')
    }
  }
  throw new MagnetarError('ROUTE_UNKNOWN', `the control socket has no ${request.method} ${pathname}`)
}

/** @throws MagnetarError BAD_REQUEST */
function splitTarget(target: string): Pick<URL, 'pathname' | 'searchParams'> & { segments: string[] } {
  try {
    const { pathname, searchParams } = new URL(target, 'http://control')
    return { pathname, searchParams, segments: pathname.slice(1).split('/').map(decodeURIComponent) }
  } catch {
    throw new MagnetarError('BAD_REQUEST', 'the target of the request cannot be understood')
  }
}

function wholeNumber(text: string | null): number | undefined {
  return text !== null && /^\d{1,15}$/.test(text) ? Number(text) : undefined
}
