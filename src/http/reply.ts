import { STATUS_CODES } from 'node:http'
import type { Duplex } from 'node:stream'
import { ERRORS, type ErrorCode } from '../lib/error-table.js'
import type { MagnetarError } from '../lib/errors.js'
import { endResponse } from './linger.js'
import type { Exchange, Reply } from './types.js'

/** The HTTP status of each error code that http can meet; any other is 500. The only place that knows. */
const STATUS = {
  BAD_REQUEST: 400,
  JOB_ID_INVALID: 400,
  FILE_NAME_INVALID: 400,
  FILE_TYPE_INVALID: 400,
  FILE_OUTSIDE_JOB: 400,
  NOT_A_FILE: 400,
  UPLOAD_INCOMPLETE: 400,
  JOB_NOT_SET_UP: 400,
  TOKEN_REQUIRED: 401,
  FILE_NOT_FOUND: 404,
  MANAGER_UNKNOWN: 404,
  CACHE_DISABLED: 404,
  ROUTE_UNKNOWN: 404,
  REQUEST_TIMEOUT: 408,
  UPLOAD_TOO_LARGE: 413,
  TOO_MANY_REQUESTS: 429,
  REQUEST_TOO_LARGE: 431,
  SHUTTING_DOWN: 503,
  OVERLOADED: 503,
  TOO_MANY_FILES: 503,
  STAGING_AWAY: 503,
  DISK_FULL: 507,
  DISK_FAILED: 500,
  INTERNAL: 500,
} satisfies Partial<Record<ErrorCode, number>>

export function statusOf(code: ErrorCode): number {
  const table: Partial<Record<ErrorCode, number>> = STATUS
  return table[code] ?? 500
}

type ResponsePair = Pick<Exchange, 'request' | 'response' | 'tally'>

/** Sends what a handler answered. Clients read neither Content-Type nor spacing, so JSON is called what it is. */
export function sendReply(exchange: ResponsePair, reply: Reply): void {
  if (reply === 'sent') return
  if (reply === 'ok') send(exchange, 200, 'text/plain; charset=utf-8', 'OK')
  else send(exchange, 200, 'application/json', JSON.stringify(reply.json))
}

/** Sends an error as one line of JSON; the connection stays usable when the request was read to its end. */
export function sendError(exchange: ResponsePair, error: MagnetarError, requestId?: string): void {
  send(exchange, statusOf(error.code), 'application/json', errorBody(error, requestId))
}

function send(exchange: ResponsePair, status: number, type: string, body: string): void {
  const length = Buffer.byteLength(body)
  exchange.tally.sentBytes = length
  exchange.response.statusCode = status
  exchange.response.setHeader('Content-Type', type)
  exchange.response.setHeader('Content-Length', length)
  endResponse(exchange.request, exchange.response, body)
}

const MAX_MESSAGE_LENGTH = 1000

function errorBody(error: MagnetarError, requestId: string | undefined): string {
  const message =
    error.message.length > MAX_MESSAGE_LENGTH
      ? `${error.message.slice(0, MAX_MESSAGE_LENGTH)}…`
      : error.message
  const request = requestId === undefined ? {} : { request: requestId }
  return `${JSON.stringify({ error: message, code: error.code, fix: error.fix ?? ERRORS[error.code].fix, ...request })}\n`
}

/** Answers on a socket for which Node made no response object (a request it could not parse), and ends it. */
export function sendRawError(socket: Duplex, error: MagnetarError): void {
  const status = statusOf(error.code)
  const body = errorBody(error, undefined)
  socket.end(
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nContent-Type: application/json\r\n` +
      `Content-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
  )
}
