import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Content } from './content.js'
import type { Fault, RequestRecord, ServedFile } from './types.js'

const STEP = 64 * 1024

/** A request under way. */
export interface Exchange {
  readonly request: IncomingMessage
  readonly response: ServerResponse
  readonly record: RequestRecord
  readonly fault: Fault | undefined
}

/** Answers with status, headers and a short body. */
export function reply(
  { response, record }: Exchange,
  status: number,
  headers: Readonly<Record<string, string>> = {},
  body = '',
): void {
  record.status = status
  record.sentBytes += Buffer.byteLength(body)
  response.writeHead(status, { ...headers, 'content-length': Buffer.byteLength(body) })
  response.end(response.req.method === 'HEAD' ? undefined : body)
}

const FIRST_DATE = Date.UTC(2026, 0, 1)

function validatorHeaders({ validators, version }: ServedFile): Record<string, string> {
  switch (validators) {
    case 'strong':
      return { etag: `"v${version}"`, 'last-modified': new Date(FIRST_DATE).toUTCString() }
    case 'weak':
      return { etag: `W/"v${version}"` }
    case 'date':
      return { 'last-modified': new Date(FIRST_DATE + version * 1000).toUTCString() }
    case 'young date':
      return { 'last-modified': new Date(Date.UTC(2100, 0, 1)).toUTCString() }
    case 'none':
      return {}
  }
}

/** Whether If-Range, when there is one, names the file as it is. Only strong validators count. */
function isUnchanged({ request, fault }: Exchange, headers: Record<string, string>): boolean {
  const condition = request.headers['if-range']
  if (condition === undefined || fault?.kind === 'ignore if-range') return true
  const { etag, 'last-modified': modified } = headers
  return condition === modified || (condition === etag && !etag?.startsWith('W/'))
}

/** GET and HEAD of a file. */
export async function sendFile(exchange: Exchange, file: ServedFile): Promise<void> {
  const { request, record, fault } = exchange
  const { content } = file
  const headers: Record<string, string> = {
    'content-type': 'application/octet-stream',
    ...validatorHeaders(file),
  }
  if (fault?.kind === 'encode') headers['content-encoding'] = 'gzip'
  let start = 0
  let end = content.bytes
  record.status = 200
  const range = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '')
  if (range && fault?.kind !== 'ignore range' && isUnchanged(exchange, headers)) {
    start = Number(range[1]) + (fault?.kind === 'shift range' ? fault.by : 0)
    if (range[2]) end = Math.min(end, Number(range[2]) + 1)
    if (start >= content.bytes)
      return reply(exchange, 416, { ...headers, 'content-range': `bytes */${content.bytes}` })
    if (fault?.kind === 'give less') end = Math.min(end, start + fault.bytes)
    record.status = 206
    headers['content-range'] = `bytes ${start}-${end - 1}/${content.bytes}`
  }
  if (request.method === 'HEAD') {
    headers['content-length'] = String(end - start)
    exchange.response.writeHead(record.status, headers)
    exchange.response.end()
    return
  }
  const sent = fault?.kind === 'wrong range' ? { ...file, content: beginningAt(content, start) } : file
  await sendBody(exchange, sent, headers, start, end)
}

/** What claims to begin at `start` is the beginning of the file. */
function beginningAt(content: Content, start: number): Content {
  return { bytes: content.bytes, read: (from, to) => content.read(from - start, to - start) }
}

async function sendBody(
  exchange: Exchange,
  { content, framing }: ServedFile,
  headers: Record<string, string>,
  start: number,
  end: number,
): Promise<void> {
  const { response, record, fault } = exchange
  const socket = response.socket
  const delta = fault?.kind === 'length' ? fault.delta : 0
  if (framing === 'length') headers['content-length'] = String(Math.max(0, end - start + delta))
  if (framing === 'close') {
    headers.connection = 'close'
    response.useChunkedEncodingByDefault = false
  }
  response.writeHead(record.status, headers)
  if (fault?.kind === 'length') {
    // In one write, so that what is too much arrives with the end of what was announced.
    response.end(content.read(start, end))
    record.sentBytes += end - start
    if (delta > 0) response.once('finish', () => socket?.end())
    return
  }
  const stop = fault && 'after' in fault && fault.after >= 0 ? Math.min(end, start + fault.after) : end
  if (fault?.kind === 'slow') await sendSlowly(exchange, content, start, end, fault.bytesPerSecond)
  else await sendPieces(exchange, content, start, stop)
  if (fault?.kind === 'cut') socket?.destroy()
  else if (fault?.kind === 'reset') socket?.resetAndDestroy()
  else if (fault?.kind !== 'hang') response.end()
}

async function sendPieces(exchange: Exchange, content: Content, start: number, end: number): Promise<void> {
  const { response, record } = exchange
  response.flushHeaders()
  for (let at = start; at < end && !response.destroyed; at += STEP) {
    const piece = content.read(at, Math.min(end, at + STEP))
    record.sentBytes += piece.length
    await write(response, piece)
  }
}

async function sendSlowly(
  exchange: Exchange,
  content: Content,
  start: number,
  end: number,
  bytesPerSecond: number,
): Promise<void> {
  const { response, record } = exchange
  const step = Math.max(1, Math.ceil(bytesPerSecond / 50))
  for (let at = start; at < end && !response.destroyed; at += step) {
    const piece = content.read(at, Math.min(end, at + step))
    record.sentBytes += piece.length
    await write(response, piece)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

/** Resolves when the piece is with the kernel, or nobody wants it any more. */
function write(response: ServerResponse, piece: Buffer): Promise<void> {
  return new Promise((resolve) => {
    response.once('close', resolve)
    response.write(piece, () => {
      response.off('close', resolve)
      resolve()
    })
  })
}
