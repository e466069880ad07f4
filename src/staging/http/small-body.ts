import type { Readable } from 'node:stream'

/** Bodies up to this size are collected and stored by one task of the disk. */
export const SMALL_BODY_BYTES = 64 * 1024

/**
 * The whole body, which announced `bytes`.
 * @throws the error of the body
 */
export function readSmallBody(body: Readable, bytes: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = []
    let have = 0
    const fail = (): void =>
      reject(body.errored ?? new Error(`the body ended after ${have} of ${bytes} bytes`))
    body.on('error', () => {})
    if (body.destroyed) return fail()
    body.on('data', (chunk: Buffer) => {
      chunks.push(chunk)
      have += chunk.length
    })
    body.on('end', () => {
      if (have !== bytes) return fail()
      resolve(chunks.length === 1 && chunks[0] ? chunks[0] : Buffer.concat(chunks))
    })
    body.on('close', fail)
  })
}
