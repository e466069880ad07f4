import type { Readable } from 'node:stream'

/** What is read of an answer that nobody wants, so that its connection can be used again. */
const MAX_DUMP_BYTES = 64 * 1024
const MAX_DUMP_MS = 5000

/** Reads a short body to its end and cuts off a long or slow one; what fails on the way does not matter any more. */
export function dump(body: Readable): Promise<void> {
  return new Promise((resolve) => {
    let bytes = 0
    const timer = setTimeout(() => body.destroy(), MAX_DUMP_MS)
    body.on('error', () => {})
    body.once('close', () => {
      clearTimeout(timer)
      resolve()
    })
    if (body.closed) {
      clearTimeout(timer)
      resolve()
      return
    }
    body.on('data', (chunk: Buffer) => {
      bytes += chunk.length
      if (bytes > MAX_DUMP_BYTES) body.destroy()
    })
  })
}
