import type { IncomingMessage, ServerResponse } from 'node:http'
import type { JobManager } from '../jobs/types.js'
import { MagnetarError, messageOf, toMagnetarError } from '../lib/errors.js'
import type { Logger } from '../lib/log.js'
import { createTokenCheck } from './auth.js'
import { createFileCache, type FileCache } from './cache-store.js'
import { parseQuery, type Query } from './query.js'
import { sendError, sendReply, statusOf } from './reply.js'
import { requestIdOf } from './request-id.js'
import { createRouter, type Match, routeUnknown, splitTarget } from './router.js'
import type { Exchange, HttpNode, Route, Tally } from './types.js'

/**
 * Answers one request, whatever happens; `awaitsContinue`: its client waits for 100 Continue; `refusal`: there are too many of them.
 * Never rejects.
 */
export type RequestHandler = (
  request: IncomingMessage,
  response: ServerResponse,
  awaitsContinue: boolean,
  refusal?: MagnetarError,
) => Promise<void>

export function createRequestHandler(node: HttpNode, routes: readonly Route[]): RequestHandler {
  const findRoute = createRouter(routes)
  const hasToken = createTokenCheck(node.privateToken)
  const fileCache = node.cacheDirectory === undefined ? undefined : createFileCache(node.cacheDirectory)

  /** Route, then token, then everything else, as the real server: an unknown path is 404 also without a token. */
  const open = (context: Context): { match: Match; exchange: Exchange } => {
    const { request } = context
    const { path, rawQuery } = splitTarget(request.url ?? '')
    if (path === undefined) throw new MagnetarError('BAD_REQUEST', 'the path is not valid UTF-8')
    context.path = path
    const method = request.method ?? ''
    const match = findRoute(method, path)
    if (!match) throw routeUnknown(method, path)
    const query = parseQuery(rawQuery)
    if (!hasToken(request, query))
      throw new MagnetarError('TOKEN_REQUIRED', 'the private token is missing or wrong')
    context.jobId = match.jobId || undefined
    return { match, exchange: makeExchange(node, context, match, query, fileCache) }
  }

  return async (request, response, awaitsContinue, refusal) => {
    const context: Context = {
      request,
      response,
      awaitsContinue,
      tally: { receivedBytes: 0, sentBytes: 0 },
      startedMs: performance.now(),
      id: requestIdOf(request),
      path: undefined,
      jobId: undefined,
      finished: false,
    }
    response.setHeader('X-Request-Id', context.id)
    response.once('finish', () => {
      // Also emitted when the connection was cut while the answer waited to be taken.
      context.finished = !request.socket.destroyed
    })
    response.once('close', () => logRequest(node.log, context))
    try {
      if (refusal) throw refusal
      const { match, exchange } = open(context)
      // A named manager must exist also where the route itself does not need one (healthz).
      if (match.managerName !== undefined) void exchange.manager
      sendReply(exchange, await match.route.handle(exchange))
    } catch (error) {
      fail(node.log, context, error)
    }
  }
}

interface Context {
  readonly request: IncomingMessage
  readonly response: ServerResponse
  readonly awaitsContinue: boolean
  readonly tally: Tally
  readonly startedMs: number
  readonly id: string
  path: string | undefined
  jobId: string | undefined
  /** All of the answer was taken by the kernel. */
  finished: boolean
}

function makeExchange(
  node: HttpNode,
  context: Context,
  match: Match,
  query: Query,
  fileCache: FileCache | undefined,
): Exchange {
  const { request, response, tally } = context
  return {
    node,
    request,
    response,
    tally,
    query,
    jobId: match.jobId,
    get manager(): JobManager {
      const name = match.managerName ?? '_default_'
      const manager = node.managers.get(name)
      if (!manager)
        throw new MagnetarError('MANAGER_UNKNOWN', `no manager named ${JSON.stringify(name)} is configured`)
      return manager
    },
    get cache(): FileCache {
      if (!fileCache) throw new MagnetarError('CACHE_DISABLED', 'this node has no file cache')
      return fileCache
    },
    get log(): Logger {
      return node.log.child({ ...(match.jobId ? { job: match.jobId } : {}), request: context.id })
    },
    continueBody(): void {
      if (!context.awaitsContinue) return
      // From here on the body comes, and is to be read like any other.
      delete request.headers.expect
      response.writeContinue()
    },
  }
}

function fail(log: Logger, context: Context, thrown: unknown): void {
  const error = toMagnetarError(thrown)
  const { response } = context
  const status = statusOf(error.code)
  // A client that went away is no failure of ours and never gets here with such a status.
  const isOurs = status >= 500 && error.code !== 'OVERLOADED'
  if (isOurs) logFailure(log, context, error, status)
  if (response.headersSent) response.destroy()
  else if (!response.destroyed) sendError(context, error, isOurs ? context.id : undefined)
}

function logFailure(log: Logger, context: Context, error: MagnetarError, status: number): void {
  const reason = messageOf(error.cause ?? error)
  const about = { ...describe(context), status, code: error.code, reason }
  if (error.code !== 'INTERNAL') {
    log.warn(about, error.message)
    return
  }
  const stack = error.cause instanceof Error ? error.cause.stack : error.stack
  log.error({ ...about, stack }, 'request failed unexpectedly')
}

/** One line per request. Never the query: the token is in it. */
function logRequest(log: Logger, context: Context): void {
  const { response, tally, startedMs } = context
  log.debug(
    {
      ...describe(context),
      status: response.headersSent ? response.statusCode : undefined,
      ms: Math.round((performance.now() - startedMs) * 10) / 10,
      receivedBytes: tally.receivedBytes,
      sentBytes: tally.sentBytes,
    },
    context.finished ? 'request' : 'request cut off',
  )
}

function describe({ request, path, jobId, id }: Context): object {
  const shown = path !== undefined && path.length > 500 ? `${path.slice(0, 500)}…` : path
  return { request: id, ...(jobId === undefined ? {} : { job: jobId }), method: request.method, path: shown }
}
