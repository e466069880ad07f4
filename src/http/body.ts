import type { IncomingMessage } from 'node:http'
import { MagnetarError } from '../lib/errors.js'
import { countBodyBytes } from '../lib/minor-gc.js'
import { writeAll } from '../lib/write-all.js'

// Measured: batches of 256 to 512 KiB with one write in flight give 500-770 MB/s, a write per chunk or a stream half of that.
const BATCH_BYTES = 256 * 1024
const MAX_QUEUED_BYTES = 512 * 1024
/** With many uploads at once each gets less memory; the disk is then the limit anyway. */
const CROWD = 16
const CROWD_FACTOR = 4
/** Chunks in one write; a client may send its body a byte at a time. At most IOV_MAX, or a short write would lose its place. */
const MAX_CHUNKS = 512

let uploads = 0

/**
 * Writes the body of a request to `fd` from its current position; resolves with its length in bytes. No write is in
 * flight any more when it resolves or rejects.
 * @throws MagnetarError UPLOAD_INCOMPLETE when the client went away or sent something else than its Content-Length,
 * UPLOAD_TOO_LARGE; else
 * the system error of the write.
 */
export async function writeBody(
  request: IncomingMessage,
  fd: number,
  maxBytes = Number.POSITIVE_INFINITY,
): Promise<number> {
  uploads++
  try {
    const bytes = await pump(request, fd, maxBytes)
    const declared = request.headers['content-length']
    if (declared !== undefined && Number(declared) !== bytes) throw incomplete(request, bytes)
    return bytes
  } finally {
    uploads--
  }
}

/**
 * The whole body of a request that announced `declared` bytes, few enough to be held.
 * @throws MagnetarError UPLOAD_INCOMPLETE
 */
export function readBody(request: IncomingMessage, declared: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = []
    let bytes = 0
    if (request.destroyed && !request.complete) return void reject(incomplete(request, 0))
    request.on('error', () => {})
    request.on('data', (chunk: Buffer) => {
      chunks.push(chunk)
      bytes += chunk.length
    })
    request.on('end', () =>
      bytes === declared ? resolve(Buffer.concat(chunks)) : reject(incomplete(request, bytes)),
    )
    request.on('close', () => {
      if (!request.complete) reject(incomplete(request, bytes))
    })
  })
}

function incomplete(request: IncomingMessage, bytes: number): MagnetarError {
  const declared = request.headers['content-length']
  const wanted = declared === undefined ? 'before its last chunk' : `of the ${declared} it announced`
  return new MagnetarError('UPLOAD_INCOMPLETE', `the body ended after ${bytes} bytes ${wanted}`)
}

/** The error for more than `maxBytes`. */
export function uploadTooLarge(maxBytes: number): MagnetarError {
  return new MagnetarError(
    'UPLOAD_TOO_LARGE',
    `the file has more than ${maxBytes} bytes, the maximum_upload_size of this node`,
  )
}

function pump(request: IncomingMessage, fd: number, maxBytes: number): Promise<number> {
  return new Promise((resolve, reject) => {
    if (request.destroyed && !request.complete) {
      reject(incomplete(request, 0))
      return
    }
    const factor = uploads > CROWD ? CROWD_FACTOR : 1
    let queue: Buffer[] = []
    let queuedBytes = 0
    let receivedBytes = 0
    let writing = false
    let paused = false
    let ended = false
    let failure: unknown

    const settle = (): void => {
      request.off('data', onData)
      request.off('end', onEnd)
      request.off('close', onClose)
      if (failure === undefined) resolve(receivedBytes)
      else reject(failure)
    }
    const written = (error: unknown): void => {
      writing = false
      if (error) failure ??= error
      flush()
    }
    const flush = (): void => {
      if (writing) return
      if (failure !== undefined || (queue.length === 0 && ended)) {
        settle()
        return
      }
      if (queue.length === 0) return
      const batch = queue
      const size = queuedBytes
      queue = []
      queuedBytes = 0
      writing = true
      if (paused) {
        paused = false
        request.resume()
      }
      writeAll(fd, batch, size, null, written)
    }
    const onData = (chunk: Buffer): void => {
      queue.push(chunk)
      queuedBytes += chunk.length
      receivedBytes += chunk.length
      countBodyBytes(chunk.length)
      if (receivedBytes > maxBytes) {
        failure ??= uploadTooLarge(maxBytes)
        flush()
        return
      }
      const many = queue.length >= MAX_CHUNKS
      if (writing) {
        if (!paused && (many || queuedBytes >= MAX_QUEUED_BYTES / factor)) {
          paused = true
          request.pause()
        }
      } else if (many || queuedBytes >= BATCH_BYTES / factor) flush()
    }
    const onEnd = (): void => {
      ended = true
      flush()
    }
    const onClose = (): void => {
      if (ended) return
      failure ??= incomplete(request, receivedBytes)
      flush()
    }
    // An 'error' of the request is followed by 'close'.
    request.on('error', () => {})
    request.on('data', onData)
    request.on('end', onEnd)
    request.on('close', onClose)
  })
}
