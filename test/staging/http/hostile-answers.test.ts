import { existsSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import net, { type AddressInfo, type Socket } from 'node:net'
import path from 'node:path'
import { gzipSync } from 'node:zlib'
import { beforeEach, expect, it, onTestFinished } from 'vitest'
import { liveTarget, postChunk } from '../../../src/jobs/live-output-post.js'
import { download } from '../../../src/staging/http/download.js'
import { uploadResumable } from '../../../src/staging/http/tus.js'
import type { HttpClient } from '../../../src/staging/http-client.js'
import { TransferError } from '../../../src/staging/transfer-error.js'
import { tempDirectory } from '../../helpers/temp-directory.js'
import { createTransferTools } from '../../helpers/transfer-tools.js'
import { openClient } from '../http-fixture.js'

const BYTES = 1000
const FILES = '/api/jobs/7/files?job_key=k&path=/x'

interface Asked {
  readonly method: string
  readonly path: string
  readonly headers: string
}

let base: string
let http: HttpClient
let sockets: Socket[]

beforeEach(async () => {
  base = await tempDirectory()
  sockets = []
  http = openClient({ timeouts: { headersMs: 400 } })
})

/** A server that answers each whole request with whatever it likes. */
async function serve(answer: (socket: Socket, asked: Asked) => void): Promise<string> {
  const server = net.createServer((socket) => {
    sockets.push(socket)
    let have = Buffer.alloc(0)
    socket.on('error', () => {})
    socket.on('data', (piece: Buffer) => {
      have = Buffer.concat([have, piece])
      const end = have.indexOf('\r\n\r\n')
      const headers = have.toString('latin1', 0, Math.max(0, end))
      const bytes = Number(/content-length: (\d+)/i.exec(headers)?.[1] ?? 0)
      if (end < 0 || have.length < end + 4 + bytes) return
      have = Buffer.alloc(0)
      const [method = '', target = ''] = headers.split(' ')
      answer(socket, { method, path: target, headers })
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

async function failureOf(attempt: Promise<unknown>): Promise<TransferError> {
  const error = await attempt.then(
    () => new Error('it went well'),
    (reason: unknown) => reason,
  )
  expect(error).toBeInstanceOf(TransferError)
  return error as TransferError
}

const fetchFile = (origin: string): Promise<unknown> =>
  download(`${origin}${FILES}`, { base, components: ['f'] }, createTransferTools(http))

async function send(origin: string): Promise<TransferError> {
  await writeFile(path.join(base, 'f'), 'x'.repeat(BYTES))
  return failureOf(
    uploadResumable(`${origin}${FILES}`, { base, components: ['f'] }, createTransferTools(http)),
  )
}

it('a server that says 1xx without end is given up after a hundred', async () => {
  const origin = await serve((socket) => {
    const more = (): void => {
      while (!socket.destroyed && socket.write('HTTP/1.1 102 Processing\r\n\r\n'.repeat(200)));
      if (!socket.destroyed) socket.once('drain', more)
    }
    more()
  })
  const failure = await failureOf(fetchFile(origin))
  expect(failure).toMatchObject({ transient: true, message: expect.stringContaining('answering 1xx') })
})

it.each([
  'HTTP/1.1 200 OK\r\nX: ',
  'HTTP/1.1 102 Processing\r\n\r\n',
])('an answer that comes in drops and never begins in earnest is late, too: %j', async (text) => {
  const origin = await serve((socket) => {
    let at = 0
    const timer = setInterval(() => socket.write(text[at++ % text.length] ?? ''), 20)
    socket.once('close', () => clearInterval(timer))
  })
  const failure = await failureOf(fetchFile(origin))
  expect(failure).toMatchObject({
    transient: true,
    message: expect.stringContaining('did not answer in time'),
  })
})

it.each([
  ['gzip, chunked', 'Transfer-Encoding "gzip, chunked"'],
  ['chunked, identity', 'Transfer-Encoding "chunked, identity"'],
])('a body in the transfer coding %s, which nobody undoes, is no file', async (coding, said) => {
  const packed = gzipSync('content')
  const body = Buffer.concat([
    Buffer.from(`${packed.length.toString(16)}\r\n`),
    packed,
    Buffer.from('\r\n0\r\n\r\n'),
  ])
  const origin = await serve((socket) => {
    socket.write(`HTTP/1.1 200 OK\r\nTransfer-Encoding: ${coding}\r\n\r\n`)
    socket.end(coding === 'gzip, chunked' ? body : 'cont')
  })
  const failure = await failureOf(fetchFile(origin))
  expect(failure).toMatchObject({ transient: false, message: expect.stringContaining(said) })
  expect(existsSync(path.join(base, 'f'))).toBe(false)
})

it('what a server writes into a header gets to people short and without control characters', async () => {
  const origin = await serve((socket) =>
    socket.write(`HTTP/1.1 200 OK\r\nContent-Encoding: \u009b31m${'z'.repeat(5000)}\r\n\r\n`, 'latin1'),
  )
  const { message } = await failureOf(fetchFile(origin))
  expect(message).toContain('Content-Encoding "?31mzzz')
  expect(message.length).toBeLessThan(400)
})

it.each([
  ['host', `http://${'a'.repeat(5000)}/`],
  ['path', `/${'a'.repeat(5000)}`],
])('a redirect to an address with a %s of any length makes no long message', async (_what, location) => {
  const origin = await serve((socket, asked) => {
    const first = asked.path.startsWith('/api') ? `302 x\r\nLocation: ${location}` : '404 x'
    socket.write(`HTTP/1.1 ${first}\r\nContent-Length: 0\r\n\r\n`)
  })
  expect((await failureOf(fetchFile(origin))).message.length).toBeLessThan(500)
})

it('a resumable upload whose offset goes to and fro ends, and is no progress', async () => {
  let asked = 0
  const origin = await serve((socket, { method, headers }) => {
    asked++
    const start = Number(/upload-offset: (\d+)/i.exec(headers)?.[1] ?? 0)
    if (method === 'POST') socket.write('HTTP/1.1 201 x\r\nLocation: /s/1\r\nContent-Length: 0\r\n\r\n')
    else if (method === 'HEAD') socket.write('HTTP/1.1 200 x\r\nUpload-Offset: 0\r\n\r\n')
    else if (start === 0) socket.write('HTTP/1.1 204 x\r\nUpload-Offset: 1\r\n\r\n')
    else socket.write('HTTP/1.1 409 x\r\nContent-Length: 0\r\n\r\n')
  })
  const failure = await send(origin)
  expect(failure).toMatchObject({
    transient: true,
    message: expect.stringContaining('not say the same twice'),
  })
  expect(asked).toBeLessThan(40)
})

it.each([
  '/s/%zz',
  `http://${'a'.repeat(300)}/s/1`,
])('a resumable upload that begins at an address of no use is refused before anything is sent: %s', async (location) => {
  const methods: string[] = []
  const origin = await serve((socket, { method }) => {
    methods.push(method)
    socket.write(`HTTP/1.1 201 x\r\nLocation: ${location}\r\nContent-Length: 0\r\n\r\n`)
  })
  const failure = await send(origin)
  expect(failure).toMatchObject({ transient: false, message: expect.stringContaining('no address') })
  expect(methods).toEqual(['POST'])
})

it('an endless answer to live output is cut off', async () => {
  const origin = await serve((socket) => {
    socket.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n')
    const more = (): void => {
      while (!socket.destroyed && socket.write(`400\r\n${'x'.repeat(1024)}\r\n`));
      if (!socket.destroyed) socket.once('drain', more)
    }
    more()
  })
  const target = liveTarget({
    action_mapper: { files_endpoint: `${origin}${FILES}` },
    client_outputs: { working_directory: '/x/working' },
  })
  if (!target) throw new Error('no target')
  await postChunk(http, target, 'metadata/tool_stdout', Buffer.from('hello'), new AbortController().signal)
  const [socket] = sockets
  await new Promise<void>((resolve) => (socket?.closed ? resolve() : socket?.once('close', () => resolve())))
})
