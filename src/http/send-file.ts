import fs from 'node:fs'
import type { ServerResponse } from 'node:http'
import { promisify } from 'node:util'
import type { ReadFile } from '../lib/confined-file.js'
import { type ByteRange, parseRange } from './range.js'
import type { Exchange } from './types.js'

// Two buffers of 512 KiB in turn, one being filled while the other is sent: 2 GB/s measured, three times a stream.
const BUFFER_BYTES = 512 * 1024
/** With many downloads at once, so that slow readers cannot hold much memory. */
const CROWD = 16
const CROWD_BUFFER_BYTES = 64 * 1024
/** Files up to this size come with their content: one task for the disk, one write to the client. */
export const SMALL_FILE_BYTES = 64 * 1024
const MAX_SPARE_BUFFERS = 8

const readAsync = promisify(fs.read) as unknown as (
  fd: number,
  buffer: Buffer,
  offset: number,
  length: number,
  position: number,
) => Promise<{ bytesRead: number }>

let downloads = 0
const spare: Buffer[] = []

/**
 * Answers with a file, or the part of it that Range asks for (one range; several get the whole file), or for HEAD with the
 * headers alone. Sends no byte beyond the announced Content-Length when the file grows, and cuts the connection when it
 * shrinks, so that the client sees a short body instead of a wrong one. Closes the file.
 */
export async function sendFile(exchange: Exchange, file: ReadFile): Promise<void> {
  if ('content' in file) {
    const range = writeHeaders(exchange, file.size)
    exchange.tally.sentBytes = range ? range.end - range.start : 0
    exchange.response.end(range ? file.content.subarray(range.start, range.end) : undefined)
    return
  }
  downloads++
  try {
    const range = writeHeaders(exchange, file.size)
    if (!range) {
      exchange.response.end()
      return
    }
    await sendRange(exchange, file.fd, range)
  } finally {
    downloads--
    fs.close(file.fd)
  }
}

/** Sets status and headers; returns what is to be sent, undefined when that is nothing. */
function writeHeaders(exchange: Exchange, size: number): ByteRange | undefined {
  const { request, response } = exchange
  const isHead = request.method === 'HEAD'
  // There is no validator to compare If-Range with, so it never matches and the whole file is sent.
  const asked = isHead || request.headers['if-range'] !== undefined ? undefined : request.headers.range
  const range = parseRange(asked, size)
  response.setHeader('Content-Type', 'application/octet-stream')
  response.setHeader('Accept-Ranges', 'bytes')
  if (range === 'unsatisfiable') {
    response.statusCode = 416
    response.setHeader('Content-Range', `bytes */${size}`)
    response.setHeader('Content-Length', 0)
    return undefined
  }
  if (range) {
    response.statusCode = 206
    response.setHeader('Content-Range', `bytes ${range.start}-${range.end - 1}/${size}`)
  }
  const part = range ?? { start: 0, end: size }
  response.setHeader('Content-Length', part.end - part.start)
  return isHead || part.end === part.start ? undefined : part
}

async function sendRange(exchange: Exchange, fd: number, range: ByteRange): Promise<void> {
  const { response, tally } = exchange
  const length = range.end - range.start
  const size = Math.min(length, downloads > CROWD ? CROWD_BUFFER_BYTES : BUFFER_BYTES)
  const buffers: [Buffer, Buffer] = [takeBuffer(size), takeBuffer(size)]
  const writer = createWriter(response)
  let sending: Promise<void> | undefined
  let turn = 0
  for (let position = range.start; position < range.end; ) {
    const buffer = buffers[turn & 1] ?? buffers[0]
    turn++
    const part = buffer.subarray(0, Math.min(size, range.end - position))
    const complete = await fill(fd, part, position)
    await sending
    // The buffers may still be in the hands of the kernel's queue: they are left to the garbage collector.
    if (writer.gone()) return
    if (!complete) return cut(exchange, position)
    position += part.length
    tally.sentBytes += part.length
    sending = writer.write(part)
  }
  await sending
  if (writer.gone()) return
  response.end()
  giveBack(buffers)
}

/** Reads until the buffer is full; false when the file ends before. */
async function fill(fd: number, buffer: Buffer, position: number): Promise<boolean> {
  for (let have = 0; have < buffer.length; ) {
    const { bytesRead } = await readAsync(fd, buffer, have, buffer.length - have, position + have)
    if (bytesRead === 0) return false
    have += bytesRead
  }
  return true
}

function cut(exchange: Exchange, position: number): void {
  exchange.log.warn({ position }, 'a file became shorter while it was sent; connection cut')
  exchange.response.destroy()
}

/** Writes one part after the other; a write to a connection that is gone may never call back, so its end wakes too. */
function createWriter(response: ServerResponse): {
  readonly gone: () => boolean
  write(part: Buffer): Promise<void>
} {
  let gone = false
  let wake = (): void => {}
  response.once('close', () => {
    gone = true
    wake()
  })
  return {
    gone: () => gone || response.destroyed,
    write: (part) =>
      new Promise((resolve) => {
        wake = resolve
        response.write(part, () => resolve())
      }),
  }
}

function takeBuffer(size: number): Buffer {
  return (size === BUFFER_BYTES ? spare.pop() : undefined) ?? Buffer.allocUnsafeSlow(size)
}

function giveBack(buffers: readonly Buffer[]): void {
  for (const buffer of buffers)
    if (buffer.length === BUFFER_BYTES && spare.length < MAX_SPARE_BUFFERS) spare.push(buffer)
}
