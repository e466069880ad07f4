import { createHash, type Hash } from 'node:crypto'
import type { Exchange } from './send.js'

const MAX_KEPT_BYTES = 4 * 1024 * 1024

/** Bytes that come one after the other, hashed and, unless they are too many, kept. */
export interface Heap {
  bytes: number
  readonly hash: Hash
  kept: Buffer[] | undefined
}

export function createHeap(): Heap {
  return { bytes: 0, hash: createHash('sha256'), kept: [] }
}

export function addTo(heap: Heap, piece: Buffer): void {
  heap.bytes += piece.length
  heap.hash.update(piece)
  if (heap.bytes > MAX_KEPT_BYTES) heap.kept = undefined
  // A copy: what it came in belongs to the parser.
  else heap.kept?.push(Buffer.from(piece))
}

/** Reads the body of a request, and does to the connection what the fault says. Resolves to whether all of it came. */
export function receiveBody(exchange: Exchange, each: (piece: Buffer) => void): Promise<boolean> {
  const { request, record, fault } = exchange
  return new Promise((resolve) => {
    const end = (whole: boolean): void => {
      request.off('data', onData).off('end', onEnd).off('close', onClose)
      resolve(whole)
    }
    const onEnd = (): void => end(true)
    const onClose = (): void => end(false)
    const onData = (piece: Buffer): void => {
      const limit = fault && 'after' in fault && fault.after >= 0 ? fault.after : undefined
      const taken = limit === undefined ? piece : piece.subarray(0, Math.max(0, limit - record.receivedBytes))
      record.receivedBytes += taken.length
      if (taken.length > 0) each(taken)
      if (limit !== undefined && record.receivedBytes >= limit) {
        if (fault?.kind === 'cut') request.socket.destroy()
        else if (fault?.kind === 'reset') request.socket.resetAndDestroy()
        else {
          request.off('data', onData)
          request.pause()
        }
      }
      if (fault?.kind === 'slow') {
        request.pause()
        setTimeout(() => request.resume(), (piece.length / fault.bytesPerSecond) * 1000)
      }
    }
    request.on('data', onData).on('end', onEnd).on('close', onClose)
  })
}

export interface FormFile {
  readonly fileName: string
  readonly contentType: string | undefined
}

/**
 * Reads a form with exactly one file named "file", strictly: Content-Length right, nothing before or after.
 * @returns what is wrong, or the file; undefined when the connection was cut
 */
export async function receiveForm(exchange: Exchange, heap: Heap): Promise<FormFile | string | undefined> {
  const { request } = exchange
  const boundary = /^multipart\/form-data; boundary=(\S{1,70})$/.exec(
    request.headers['content-type'] ?? '',
  )?.[1]
  const length = Number(request.headers['content-length'] ?? 'NaN')
  if (boundary === undefined) return 'not a form'
  if (!Number.isSafeInteger(length)) return 'no Content-Length'
  const tail = Buffer.from(`\r\n--${boundary}--\r\n`)
  let head = Buffer.alloc(0)
  let isInFile = false
  let position = 0
  let end = Buffer.alloc(0)
  const whole = await receiveBody(exchange, (piece) => {
    let rest = piece
    if (!isInFile) {
      head = Buffer.concat([head, piece])
      const at = head.indexOf('\r\n\r\n')
      if (at < 0) return
      rest = head.subarray(at + 4)
      head = head.subarray(0, at)
      position = at + 4
      isInFile = true
    }
    const inFile = Math.max(0, Math.min(rest.length, length - tail.length - position))
    if (inFile > 0) addTo(heap, rest.subarray(0, inFile))
    end = Buffer.concat([end, rest.subarray(inFile)])
    position += rest.length
  })
  if (!whole) return undefined
  const [first, disposition = '', ...more] = head.toString('utf8').split('\r\n')
  if (first !== `--${boundary}`) return 'does not begin with its boundary'
  const fileName = /^Content-Disposition: form-data; name="file"; filename="([^"]*)"$/.exec(disposition)?.[1]
  if (fileName === undefined) return `unexpected part: ${disposition}`
  if (more.length > 1) return 'unexpected headers of the part'
  if (!end.equals(tail)) return 'does not end with its boundary'
  return { fileName, contentType: /^Content-Type: (.*)$/.exec(more[0] ?? '')?.[1] }
}

/** A form with fields only. */
export async function receiveFields(exchange: Exchange): Promise<URLSearchParams | undefined> {
  let text = ''
  const whole = await receiveBody(exchange, (piece) => {
    text += piece.toString('latin1')
  })
  return whole ? new URLSearchParams(text) : undefined
}
