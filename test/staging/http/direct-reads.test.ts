import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { describe, expect, it, onTestFinished } from 'vitest'
import { DirectReadsAgent, isOverwritten } from '../../../src/staging/http/direct-reads.js'

/** The chunks of a body of this size, as they come through Node's parser; some are held up on the way. */
async function chunksOf(bytes: number): Promise<Buffer[]> {
  const server = http.createServer((_request, response) => {
    response.end(Buffer.from(Array.from({ length: bytes }, (_, at) => (at * 7 + (at >> 8)) % 251)))
  })
  await new Promise<void>((done) => void server.listen(0, '127.0.0.1', done))
  const agent = new DirectReadsAgent({ keepAlive: true })
  onTestFinished(() => {
    agent.destroy()
    server.close()
  })
  const { port } = server.address() as AddressInfo
  return new Promise((resolve, reject) => {
    http
      .get({ port, host: '127.0.0.1', agent }, (answer) => {
        const chunks: Buffer[] = []
        answer.on('data', (chunk: Buffer) => {
          chunks.push(chunk)
          answer.pause()
          setImmediate(() => answer.resume())
        })
        answer.on('end', () => resolve(chunks))
      })
      .on('error', reject)
  })
}

describe('DirectReadsAgent', () => {
  it('hands on pieces that stay as they are, although it reads into the same memory', async () => {
    const chunks = await chunksOf(3_000_000)
    expect(chunks.some(isOverwritten)).toBe(false)
    const whole = Buffer.concat(chunks)
    expect(whole).toHaveLength(3_000_000)
    let wrong = 0
    for (let at = 0; at < whole.length; at++) if (whole[at] !== (at * 7 + (at >> 8)) % 251) wrong++
    expect(wrong).toBe(0)
  })

  it('reads more than 64 KiB at a time', async () => {
    const chunks = await chunksOf(3_000_000)
    expect(Math.max(...chunks.map(({ length }) => length))).toBeGreaterThan(65_536)
  })
})
