import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdir, readdir, readFile, rename, symlink, truncate, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { describe, expect, it } from 'vitest'
import { needs } from '../helpers/needs.js'
import { tempDirectory } from '../helpers/temp-directory.js'
import { waitFor } from '../helpers/wait-for.js'
import { startServer, type TestServer } from './fake-node.js'
import { codeOf, exchangeBytes, open, parseReplies, send } from './wire-client.js'

const UPLOAD = '/jobs/7/files?type=input&name='

async function outputFile(server: TestServer, name: string, content: string | Buffer): Promise<string> {
  const base = server.base('7', 'output')
  await mkdir(base, { recursive: true })
  await writeFile(path.join(base, name), content)
  return path.join(base, name)
}

describe('upload', () => {
  it.each([0, 1, 1024, 65_536, 300_000, 5_000_000])('stores %i bytes as they are', async (size) => {
    const server = await startServer()
    const body = randomBytes(size)
    const reply = await send(server.port, 'POST', `${UPLOAD}sub/a%20b.bin`, { body })
    expect(JSON.parse(reply.text)).toEqual({ path: path.join(server.base('7', 'input'), 'sub/a b.bin') })
    expect(body.equals(await readFile(path.join(server.base('7', 'input'), 'sub/a b.bin')))).toBe(true)
    expect(await readdir(path.join(server.base('7', 'input'), 'sub'))).toEqual(['a b.bin'])
  })

  it('takes a request without any length as an empty file, and a chunked one', async () => {
    const server = await startServer()
    expect((await send(server.port, 'POST', `${UPLOAD}empty`)).status).toBe(200)
    const replies = parseReplies(
      await exchangeBytes(
        server.port,
        `POST ${UPLOAD}chunked HTTP/1.1\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n`,
        '3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n',
      ),
    )
    expect(replies[0]?.status).toBe(200)
    expect(await readFile(path.join(server.base('7', 'input'), 'chunked'), 'utf8')).toBe('abcde')
    expect(await readFile(path.join(server.base('7', 'input'), 'empty'), 'utf8')).toBe('')
  })

  it('stores a multipart envelope and a gzip encoding as they came', async () => {
    const server = await startServer()
    const headers = { 'Content-Type': 'multipart/form-data; boundary=x', 'Content-Encoding': 'gzip' }
    await send(server.port, 'POST', `${UPLOAD}raw`, { headers, body: '--x\r\n\r\nabc\r\n--x--' })
    expect(await readFile(path.join(server.base('7', 'input'), 'raw'), 'utf8')).toBe(
      '--x\r\n\r\nabc\r\n--x--',
    )
  })

  it('asks for the body only after token, type and name are found good', async () => {
    const server = await startServer({ privateToken: 't' })
    const head = (target: string): string =>
      `POST ${target} HTTP/1.1\r\nContent-Length: 3\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n`
    for (const [target, status] of [
      [`${UPLOAD}a`, 401],
      [`${UPLOAD}&private_token=t`, 400],
      ['/nope', 404],
    ] as const) {
      const replies = parseReplies(await exchangeBytes(server.port, head(target)))
      expect(replies.map((reply) => reply.status)).toEqual([status])
    }
    const socket = await open(server.port)
    socket.write(head(`${UPLOAD}a&private_token=t`))
    const [first] = await once(socket, 'data')
    expect(String(first)).toBe('HTTP/1.1 100 Continue\r\n\r\n')
    socket.write('abc')
    const [second] = await once(socket, 'data')
    expect(parseReplies(second)[0]?.status).toBe(200)
  })

  it.each([
    'closes',
    'half-closes',
  ])('leaves nothing visible and the old file whole when the client %s', async (how) => {
    const server = await startServer()
    await send(server.port, 'POST', `${UPLOAD}f`, { body: 'old' })
    const socket = await open(server.port)
    let answer = ''
    socket.on('data', (chunk) => {
      answer += chunk
    })
    socket.write(`POST ${UPLOAD}f HTTP/1.1\r\nContent-Length: 1000000\r\n\r\n${'x'.repeat(500_000)}`)
    const directory = server.base('7', 'input')
    await waitFor(async () => (await readdir(directory)).length === 2, { what: 'temporary file' })
    if (how === 'closes') socket.destroy()
    else socket.end()
    await waitFor(async () => (await readdir(directory)).length === 1, {
      what: 'removal of the temporary file',
    })
    expect(await readFile(path.join(directory, 'f'), 'utf8')).toBe('old')
    if (how === 'closes') return
    if (!socket.closed) await once(socket, 'close')
    expect(answer).toMatch(/^HTTP\/1.1 400 .*"code":"UPLOAD_INCOMPLETE"/s)
  })

  it('leaves nothing of a small body that is cut', async () => {
    const server = await startServer()
    const socket = await open(server.port)
    socket.end(`POST ${UPLOAD}f HTTP/1.1\r\nContent-Length: 10\r\n\r\nabc`)
    const chunks: Buffer[] = []
    socket.on('data', (chunk) => chunks.push(chunk))
    await once(socket, 'close')
    expect(parseReplies(Buffer.concat(chunks)).map(codeOf)).toEqual(['400 UPLOAD_INCOMPLETE'])
    await waitFor(() => server.lines.some((line) => line.fields.path === '/jobs/7/files'), {
      what: 'end of the request',
    })
    expect(existsSync(path.join(server.base('7', 'input'), 'f'))).toBe(false)
  })

  it('removes what it has when the chunks are nonsense', async () => {
    const server = await startServer()
    const directory = server.base('7', 'input')
    const socket = await open(server.port)
    const reply = once(socket, 'data')
    socket.write(`POST ${UPLOAD}f HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n`)
    await waitFor(async () => existsSync(directory) && (await readdir(directory)).length === 1, {
      what: 'temporary file',
    })
    socket.write('NONSENSE\r\n')
    expect(parseReplies((await reply)[0])[0]?.status).toBe(400)
    await waitFor(async () => (await readdir(server.base('7', 'input'))).length === 0, {
      what: 'empty directory',
    })
  })

  it('never mixes concurrent uploads of one name', async () => {
    const server = await startServer()
    const bodies = Array.from({ length: 8 }, (_, i) => Buffer.alloc(400_000, 65 + i))
    const replies = await Promise.all(
      bodies.map((body) => send(server.port, 'POST', `${UPLOAD}same`, { body })),
    )
    expect(replies.map((reply) => reply.status)).toEqual(bodies.map(() => 200))
    const stored = await readFile(path.join(server.base('7', 'input'), 'same'))
    expect(bodies.some((body) => body.equals(stored))).toBe(true)
    expect(await readdir(server.base('7', 'input'))).toEqual(['same'])
  })

  it('answers a client that sends 64 MiB to a bad place before it reads', async () => {
    const server = await startServer()
    const body = Buffer.alloc(64 * 1024 * 1024)
    const socket = await open(server.port)
    socket.pause()
    socket.write(`POST /jobs/7/files?type=wrong&name=a HTTP/1.1\r\nContent-Length: ${body.length}\r\n\r\n`)
    await new Promise((resolve) => socket.write(body, resolve))
    const chunks: Buffer[] = []
    socket.on('data', (chunk) => chunks.push(chunk))
    socket.resume()
    await once(socket, 'close')
    expect(parseReplies(Buffer.concat(chunks)).map(codeOf)).toEqual(['400 FILE_TYPE_INVALID'])
  })

  it('goes on with the connection after an error with a small body', async () => {
    const server = await startServer()
    const bytes = await exchangeBytes(
      server.port,
      'POST /jobs/7/files?type=wrong&name=a HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc' +
        `POST ${UPLOAD}b HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc` +
        'GET /healthz HTTP/1.1\r\nConnection: close\r\n\r\n',
    )
    expect(parseReplies(bytes).map((reply) => reply.status)).toEqual([400, 200, 200])
  })

  const noTmpfs = process.getuid?.() === 0 ? undefined : 'mounting a small tmpfs needs root'
  it(
    'answers 507 on a full disk, while the client is sending, and keeps the old file',
    needs(noTmpfs),
    async () => {
      const mount = await tempDirectory()
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=2m', 'tmpfs', mount])
      try {
        const server = await startServer({}, {}, () => ({
          uploadPath: async (_id, _type, name) => ({ base: mount, components: [name] }),
        }))
        await send(server.port, 'POST', `${UPLOAD}f`, { body: 'old' })
        const reply = await send(server.port, 'POST', `${UPLOAD}f`, { body: Buffer.alloc(16 * 1024 * 1024) })
        expect(codeOf(reply)).toBe('507 DISK_FULL')
        expect(await readdir(mount)).toEqual(['f'])
        expect(await readFile(path.join(mount, 'f'), 'utf8')).toBe('old')
      } finally {
        execFileSync('umount', [mount])
      }
    },
  )

  it('refuses a directory in the way and a name too long', async () => {
    const server = await startServer()
    await mkdir(path.join(server.base('7', 'input'), 'dir'), { recursive: true })
    expect(codeOf(await send(server.port, 'POST', `${UPLOAD}dir`, { body: 'x' }))).toBe('400 NOT_A_FILE')
    expect(codeOf(await send(server.port, 'POST', `${UPLOAD}${'n'.repeat(300)}`))).toBe(
      '400 FILE_NAME_INVALID',
    )
    expect(await readdir(server.base('7', 'input'))).toEqual(['dir'])
  })

  it('writes nowhere else when the directory is swapped for a link during the upload', async () => {
    const server = await startServer()
    const outside = await tempDirectory()
    const directory = server.base('7', 'input')
    // A small body is only stored when all of it is there.
    const big = 'a'.repeat(100_000)
    const socket = await open(server.port)
    socket.write(`POST ${UPLOAD}f HTTP/1.1\r\nConnection: close\r\nContent-Length: 100006\r\n\r\n${big}`)
    await waitFor(() => existsSync(directory), { what: 'inputs directory' })
    await waitFor(async () => (await readdir(directory)).length === 1, { what: 'temporary file' })
    await rename(directory, `${directory}.moved`)
    await symlink(outside, directory)
    socket.write('abcdef')
    await once(socket, 'close')
    expect(await readdir(outside)).toEqual([])
    expect(await readFile(path.join(`${directory}.moved`, 'f'), 'utf8')).toBe(`${big}abcdef`)
    expect(codeOf(await send(server.port, 'POST', `${UPLOAD}g`, { body: 'x' }))).toBe('400 FILE_OUTSIDE_JOB')
    expect(await readdir(outside)).toEqual([])
  })
})

describe('download', () => {
  const GET = '/jobs/7/files?name='

  it.each([0, 1, 65_536, 65_537, 3_000_000])('sends %i bytes with their length', async (size) => {
    const server = await startServer()
    const content = randomBytes(size)
    await outputFile(server, 'f', content)
    const reply = await send(server.port, 'GET', `${GET}f`)
    expect(reply.status).toBe(200)
    expect(reply.headers['content-length']).toBe(String(size))
    expect(reply.headers['accept-ranges']).toBe('bytes')
    expect(content.equals(reply.body)).toBe(true)
    const head = await send(server.port, 'HEAD', `${GET}f`)
    expect([head.status, head.headers['content-length']]).toEqual([200, String(size)])
  })

  it.each([
    ['bytes=2-4', 206, 'cde', 'bytes 2-4/10'],
    ['bytes=4-', 206, 'efghij', 'bytes 4-9/10'],
    ['bytes=-2', 206, 'ij', 'bytes 8-9/10'],
    ['bytes=0-99', 206, 'abcdefghij', 'bytes 0-9/10'],
    ['bytes=10-', 416, '', 'bytes */10'],
    ['bytes=0-1,4-5', 200, 'abcdefghij', undefined],
    ['bytes=x', 200, 'abcdefghij', undefined],
  ])('answers Range: %s with %i', async (range, status, text, contentRange) => {
    const server = await startServer()
    await outputFile(server, 'f', 'abcdefghij')
    const reply = await send(server.port, 'GET', `${GET}f`, { headers: { Range: range } })
    expect([reply.status, reply.text, reply.headers['content-range']]).toEqual([status, text, contentRange])
  })

  it('sends a large range from the middle', async () => {
    const server = await startServer()
    const content = randomBytes(3_000_000)
    await outputFile(server, 'f', content)
    const reply = await send(server.port, 'GET', `${GET}f`, { headers: { Range: 'bytes=1000000-2500000' } })
    expect(reply.status).toBe(206)
    expect(content.subarray(1_000_000, 2_500_001).equals(reply.body)).toBe(true)
  })

  it('ignores Range for HEAD and with If-Range', async () => {
    const server = await startServer()
    await outputFile(server, 'f', 'abcdefghij')
    expect((await send(server.port, 'HEAD', `${GET}f`, { headers: { Range: 'bytes=1-2' } })).status).toBe(200)
    const headers = { Range: 'bytes=1-2', 'If-Range': '"x"' }
    expect((await send(server.port, 'GET', `${GET}f`, { headers })).text).toBe('abcdefghij')
  })

  it('refuses directories, pipes and what links lead to outside, but follows links inside', async () => {
    const server = await startServer()
    const file = await outputFile(server, 'f', 'inside')
    const directory = path.dirname(file)
    execFileSync('mkfifo', [path.join(directory, 'pipe')])
    await symlink('f', path.join(directory, 'good'))
    await symlink('/etc/hostname', path.join(directory, 'bad'))
    await symlink('/dev/null', path.join(directory, 'device'))
    await symlink('loop', path.join(directory, 'loop'))
    await symlink('/etc', path.join(directory, 'etc'))
    const codes: Record<string, string> = {}
    for (const name of ['pipe', 'bad', 'device', 'loop', 'etc/hostname', 'etc', 'f/x', '.'])
      codes[name] = codeOf(await send(server.port, 'GET', `${GET}${name}`))
    expect(codes).toEqual({
      pipe: '400 NOT_A_FILE',
      bad: '400 FILE_OUTSIDE_JOB',
      device: '400 FILE_OUTSIDE_JOB',
      loop: '404 FILE_NOT_FOUND',
      'etc/hostname': '400 FILE_OUTSIDE_JOB',
      etc: '400 FILE_OUTSIDE_JOB',
      'f/x': '404 FILE_NOT_FOUND',
      '.': '400 NOT_A_FILE',
    })
    expect((await send(server.port, 'GET', `${GET}good`)).text).toBe('inside')
  })

  it('cuts the connection when the file shrinks, and says so in the log', async () => {
    const server = await startServer()
    const file = await outputFile(server, 'f', Buffer.alloc(40_000_000, 'a'))
    const socket = await open(server.port)
    socket.pause()
    let bytes = 0
    socket.write(`GET ${GET}f HTTP/1.1\r\n\r\n`)
    await once(socket, 'readable')
    await truncate(file, 1000)
    socket.on('data', (chunk) => {
      bytes += chunk.length
    })
    socket.resume()
    await once(socket, 'close')
    expect(bytes).toBeLessThan(40_000_000)
    expect(server.lines.find((line) => line.level === 'warn')?.fields).toMatchObject({ job: '7' })
  })

  it('goes on serving while readers stand still, and forgets those that leave', async () => {
    const server = await startServer()
    await outputFile(server, 'f', Buffer.alloc(30_000_000, 'a'))
    const slow = await Promise.all(Array.from({ length: 20 }, () => open(server.port)))
    for (const socket of slow) {
      socket.pause()
      socket.write(`GET ${GET}f HTTP/1.1\r\n\r\n`)
    }
    await Promise.all(slow.map((socket) => once(socket, 'readable')))
    expect((await send(server.port, 'GET', `${GET}f`)).body.length).toBe(30_000_000)
    for (const socket of slow) socket.destroy()
    const cutOff = (): boolean =>
      server.lines.filter((line) => line.message === 'request cut off').length === 20
    await waitFor(cutOff, { what: 'end of the slow downloads' })
  })
})

describe('path', () => {
  it('makes the parents for types of uploads only', async () => {
    const server = await startServer()
    const input = await send(server.port, 'GET', '/jobs/7/files/path?type=input&name=a/b/c')
    expect(JSON.parse(input.text)).toEqual({ path: path.join(server.base('7', 'input'), 'a/b/c') })
    expect(await readdir(path.join(server.base('7', 'input'), 'a'))).toEqual(['b'])
    const output = await send(server.port, 'GET', '/jobs/7/files/path?type=output&name=a/b')
    expect(JSON.parse(output.text)).toEqual({ path: path.join(server.base('7', 'output'), 'a/b') })
    expect(existsSync(server.base('7', 'output'))).toBe(false)
  })
})
