import { once } from 'node:events'
import { describe, expect, it, onTestFinished } from 'vitest'
import { waitFor } from '../helpers/wait-for.js'
import { startServer } from './fake-node.js'
import { codeOf, exchangeBytes, open, parseReplies, send } from './wire-client.js'

const HALF = 'POST /jobs/7/submit?command_line='

describe('connections', () => {
  it('serves others while 1,000 are half open', async () => {
    const { port } = await startServer()
    const half = await Promise.all(Array.from({ length: 1000 }, () => open(port)))
    for (const socket of half) socket.write(HALF)
    for (let i = 0; i < 20; i++) expect((await send(port, 'GET', '/healthz')).status).toBe(200)
    expect(half.every((socket) => !socket.closed)).toBe(true)
    for (const socket of half) socket.destroy()
  })

  it('answers 408 when the headers do not come', async () => {
    const { port } = await startServer({}, { timeouts: { headersMs: 100 } })
    expect(parseReplies(await exchangeBytes(port, HALF)).map(codeOf)).toEqual(['408 REQUEST_TIMEOUT'])
  })

  it('answers 408 when a body stops, though not while it trickles', async () => {
    const { port } = await startServer({}, { timeouts: { inactivityMs: 400 } })
    const upload = 'POST /jobs/7/files?type=input&name=a HTTP/1.1\r\nContent-Length: 6\r\n\r\n'
    expect(parseReplies(await exchangeBytes(port, `${upload}abc`)).map(codeOf)).toEqual([
      '408 REQUEST_TIMEOUT',
    ])
    const socket = await open(port)
    socket.write(upload)
    const reply = once(socket, 'data')
    // Longer in all than the timeout allows without a byte.
    for (const byte of 'abcdef') {
      await new Promise((resolve) => setTimeout(resolve, 100))
      socket.write(byte)
    }
    expect(parseReplies((await reply)[0])[0]?.status).toBe(200)
  })

  it('cuts a reader that takes nothing, but waits for a manager that takes long', async () => {
    let finish = (): void => {}
    const waiting = new Promise<void>((resolve) => {
      finish = resolve
    })
    const server = await startServer({}, { timeouts: { inactivityMs: 100 } }, () => ({
      async submit() {
        await waiting
      },
      status: async () => ({ text: 'x'.repeat(50_000_000) }),
    }))
    const submit = send(server.port, 'POST', '/jobs/7/submit?command_line=x')
    const socket = await open(server.port)
    socket.pause()
    socket.write('GET /jobs/7/status HTTP/1.1\r\n\r\n')
    const cut = (): boolean => server.lines.some((line) => line.message === 'request cut off')
    await waitFor(cut, { what: 'end of the stalled reader' })
    finish()
    expect((await submit).text).toBe('OK')
    socket.destroy()
  })

  it('makes room by dropping the one that has waited longest without a request', async () => {
    const { port } = await startServer({}, { maxConnections: 3 })
    const sockets = [await open(port), await open(port), await open(port)]
    const [first] = sockets
    const chunks: Buffer[] = []
    first?.on('data', (chunk) => chunks.push(chunk))
    const gone = first && once(first, 'close')
    first?.write(HALF)
    for (const socket of sockets.slice(1)) {
      socket.write('GET /healthz HTTP/1.1\r\n\r\n')
      await once(socket, 'data')
    }
    expect((await send(port, 'GET', '/healthz')).status).toBe(200)
    await gone
    expect(parseReplies(Buffer.concat(chunks)).map(codeOf)).toEqual(['503 OVERLOADED'])
    for (const socket of sockets) socket.destroy()
  })

  it('answers 503 to a connection too many when all are at work', async () => {
    let finish = (): void => {}
    const waiting = new Promise<void>((resolve) => {
      finish = resolve
    })
    const { port, lines } = await startServer({}, { maxConnections: 1 }, () => ({
      async cancel() {
        lines.push({ level: 'info', message: 'cancelling', fields: {} })
        await waiting
      },
    }))
    const busy = send(port, 'PUT', '/jobs/7/cancel')
    await waitFor(() => lines.some((line) => line.message === 'cancelling'), { what: 'request at work' })
    expect(codeOf(await send(port, 'GET', '/healthz'))).toBe('503 OVERLOADED')
    finish()
    expect((await busy).status).toBe(200)
  })

  it('bounds the bytes of unfinished requests over all connections', async () => {
    const { port } = await startServer({}, { maxPendingBytes: 1024 * 1024 })
    const sockets = await Promise.all(Array.from({ length: 8 }, () => open(port)))
    let closed = 0
    for (const socket of sockets) {
      socket.on('data', (chunk) => expect(String(chunk)).toMatch(/^HTTP\/1.1 503 /))
      socket.on('close', () => closed++)
      socket.write(HALF + 'x'.repeat(300_000))
    }
    await waitFor(() => closed >= 5, { what: 'five dropped connections' })
    expect((await send(port, 'GET', '/healthz')).status).toBe(200)
    expect(closed).toBe(5)
    for (const socket of sockets) socket.destroy()
  })

  it('answers only so many pipelined requests at once', async () => {
    let finish = (): void => {}
    const waiting = new Promise<void>((resolve) => {
      finish = resolve
    })
    let begun = 0
    const { port } = await startServer({}, {}, () => ({
      async cancel() {
        begun++
        await waiting
      },
    }))
    const bytes = exchangeBytes(port, 'PUT /jobs/7/cancel HTTP/1.1\r\n\r\n'.repeat(100))
    await waitFor(() => begun === 64, { what: '64 requests' })
    finish()
    const replies = parseReplies(await bytes)
    expect(begun).toBe(64)
    expect(replies.slice(0, 64).every((reply) => reply.status === 200)).toBe(true)
    expect(replies.slice(64).map(codeOf)).toEqual(['503 OVERLOADED'])
  })
})

describe('close', () => {
  it('lets a request finish, closes idle connections at once, and frees the port', async () => {
    let finish = (): void => {}
    const waiting = new Promise<void>((resolve) => {
      finish = resolve
    })
    const { server, port, lines } = await startServer({}, {}, () => ({
      async cancel() {
        lines.push({ level: 'info', message: 'cancelling', fields: {} })
        await waiting
      },
    }))
    const idle = await open(port)
    idle.write('GET /healthz HTTP/1.1\r\n\r\n')
    await once(idle, 'data')
    const idleGone = once(idle, 'close')
    const half = await open(port)
    half.write(HALF)
    const halfGone = once(half, 'close')
    const busy = await open(port)
    busy.write('PUT /jobs/7/cancel HTTP/1.1\r\n\r\n')
    await waitFor(() => lines.some((line) => line.message === 'cancelling'), { what: 'request at work' })
    const closing = server.close({ graceMs: 60_000 })
    await Promise.all([idleGone, halfGone])
    await expect(open(port)).rejects.toThrow('ECONNREFUSED')
    const answer = once(busy, 'data')
    finish()
    expect(parseReplies((await answer)[0])[0]).toMatchObject({
      status: 200,
      headers: { connection: 'close' },
    })
    await closing
    await server.close({ graceMs: 60_000 })
  })

  it('cuts what is left after the grace', async () => {
    const { server, port, lines } = await startServer({}, {}, () => ({
      cancel() {
        lines.push({ level: 'info', message: 'cancelling', fields: {} })
        return new Promise(() => {})
      },
    }))
    const socket = await open(port)
    socket.write('PUT /jobs/7/cancel HTTP/1.1\r\n\r\n')
    await waitFor(() => lines.some((line) => line.message === 'cancelling'), { what: 'request at work' })
    const gone = once(socket, 'close')
    await server.close({ graceMs: 50 })
    await gone
  })

  it('rejects a port that is taken, and a listen that is called off', async () => {
    const { port } = await startServer()
    const { createHttpServer } = await import('../../src/http/server.js')
    const { silentLogger } = await import('../../src/lib/log.js')
    const node = {
      managers: new Map(),
      privateToken: undefined,
      version: '',
      cacheDirectory: undefined,
      log: silentLogger,
    }
    await expect(createHttpServer(node).listen({ host: 'localhost', port })).rejects.toMatchObject({
      code: 'EADDRINUSE',
    })
    const signal = AbortSignal.abort(new Error('called off'))
    await expect(createHttpServer(node).listen({ host: 'localhost', port: 0 }, signal)).rejects.toThrow(
      'called off',
    )
  })
})

it('a client that is gone when its CONNECT is read does not end the server', async () => {
  const { port } = await startServer()
  const unhandled: unknown[] = []
  const note = (error: unknown): void => void unhandled.push(error)
  process.on('uncaughtException', note)
  onTestFinished(() => void process.off('uncaughtException', note))
  for (let i = 0; i < 5; i++) {
    const socket = await open(port)
    // The server is in this process: it finds both at once, and meets the reset with its answer.
    socket.write('CONNECT x:1 HTTP/1.1\r\nHost: x\r\n\r\n')
    socket.resetAndDestroy()
  }
  expect((await send(port, 'GET', '/healthz')).status).toBe(200)
  expect(unhandled).toEqual([])
})
