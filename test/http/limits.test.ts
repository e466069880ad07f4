import { readdirSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import type { ServerOptions } from '../../src/http/server.js'
import { waitFor } from '../helpers/wait-for.js'
import { startServer, type TestServer } from './fake-node.js'
import { codeOf, exchangeBytes, open, parseReplies, send } from './wire-client.js'

const UPLOAD = '/jobs/7/files?type=input&name=a'

describe('requests under way of one address', () => {
  interface Waiting extends TestServer {
    finish(): void
    /** Submits that wait. */
    begun(): number
  }

  /** A server whose submits wait until they are let go. */
  async function startWaiting(limit: number, options: ServerOptions = {}): Promise<Waiting> {
    let finish = (): void => {}
    const waiting = new Promise<void>((resolve) => {
      finish = resolve
    })
    let begun = 0
    const server = await startServer({}, { requestsPerClient: limit, ...options }, () => ({
      submit() {
        begun++
        return waiting
      },
    }))
    return { ...server, finish, begun: () => begun }
  }

  async function waitingSubmits(server: Waiting, number: number, headers = {}): Promise<Promise<unknown>[]> {
    const sent = Array.from({ length: number }, () =>
      send(server.port, 'POST', '/jobs/7/submit?command_line=x', { headers }),
    )
    await waitFor(() => server.begun() >= number, { what: 'the submits' })
    return sent
  }

  it('are answered 429 with Retry-After above the limit, and again when there are fewer', async () => {
    const server = await startWaiting(3)
    const sent = await waitingSubmits(server, 3)
    const refused = await send(server.port, 'GET', '/healthz')
    expect(codeOf(refused)).toBe('429 TOO_MANY_REQUESTS')
    expect(refused.headers['retry-after']).toBe('1')
    expect((await send(server.port, 'GET', '/healthz')).status).toBe(429)
    expect(server.lines.filter(({ level }) => level === 'warn')).toHaveLength(1)
    server.finish()
    await Promise.all(sent)
    expect((await send(server.port, 'GET', '/healthz')).status).toBe(200)
  })

  it('are counted by the last X-Forwarded-For of a proxy on this machine', async () => {
    const server = await startWaiting(2)
    const sent = await waitingSubmits(server, 2, { 'X-Forwarded-For': '9.9.9.9, 10.0.0.1' })
    const from = async (address: string): Promise<number> =>
      (await send(server.port, 'GET', '/healthz', { headers: { 'X-Forwarded-For': address } })).status
    expect(await from('10.0.0.1')).toBe(429)
    expect(await from('10.0.0.2')).toBe(200)
    server.finish()
    await Promise.all(sent)
  })

  it('leave a quarter of the connections to others', async () => {
    const server = await startWaiting(1000, { maxConnections: 8 })
    const sent = await waitingSubmits(server, 6)
    expect((await send(server.port, 'GET', '/healthz')).status).toBe(429)
    const headers = { 'X-Forwarded-For': '10.0.0.2' }
    expect((await send(server.port, 'GET', '/healthz', { headers })).status).toBe(200)
    server.finish()
    await Promise.all(sent)
  })
})

describe('maximum_upload_size', () => {
  it('refuses a larger body before it is sent, and stores nothing', async () => {
    const { port, base } = await startServer({ maxUploadBytes: 5 })
    expect((await send(port, 'POST', UPLOAD, { body: '12345' })).status).toBe(200)
    const refused = await send(port, 'POST', `${UPLOAD}b`, { body: '123456' })
    expect(codeOf(refused)).toBe('413 UPLOAD_TOO_LARGE')
    const expecting = await exchangeBytes(
      port,
      `POST ${UPLOAD}c HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 600\r\nConnection: close\r\n\r\n`,
    )
    expect(parseReplies(expecting).map(codeOf)).toEqual(['413 UPLOAD_TOO_LARGE'])
    expect(readdirSync(base('7', 'input'))).toEqual(['a'])
  })

  it('counts a body of which no length is announced', async () => {
    const { port, base } = await startServer({ maxUploadBytes: 100 })
    const socket = await open(port)
    const said: Buffer[] = []
    socket.on('data', (piece: Buffer) => said.push(piece))
    socket.write(`POST ${UPLOAD} HTTP/1.1\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n`)
    for (let i = 0; i < 5; i++) socket.write(`28\r\n${'x'.repeat(40)}\r\n`)
    socket.write('0\r\n\r\n')
    await waitFor(() => socket.closed, { what: 'the end' })
    expect(parseReplies(Buffer.concat(said)).map(codeOf)).toEqual(['413 UPLOAD_TOO_LARGE'])
    expect(readdirSync(base('7', 'input'))).toEqual([])
  })
})

describe('request ids', () => {
  it('are answered and logged, and kept when they come from outside', async () => {
    const { port, lines } = await startServer()
    const made = (await send(port, 'GET', '/healthz')).headers['x-request-id'] ?? ''
    expect(made).toMatch(/^[0-9a-f]{6}-\w+$/)
    const given = '6f1d2c3b-aaaa-4bbb-8ccc-123456789abc'
    const kept = await send(port, 'GET', '/nothing', { headers: { 'X-Request-Id': given } })
    expect(kept.headers['x-request-id']).toBe(given)
    await waitFor(() => lines.length === 2, { what: 'two lines' })
    expect(lines.map(({ fields }) => fields.request)).toEqual([made, given])
  })

  it.each(['x'.repeat(200), 'a b', '"}', 'ü', ''])('are made anew instead of %j', async (given) => {
    const { port } = await startServer()
    const reply = await send(port, 'GET', '/healthz', { headers: { 'X-Request-Id': given } })
    expect(reply.headers['x-request-id']).toMatch(/^[0-9a-f]{6}-\w+$/)
  })
})
