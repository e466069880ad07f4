import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { mkdir, readdir, stat, utimes } from 'node:fs/promises'
import path from 'node:path'
import { describe, expect, it } from 'vitest'
import { clientAddress } from '../../src/http/cache.js'
import { tempDirectory } from '../helpers/temp-directory.js'
import { waitFor } from '../helpers/wait-for.js'
import { startServer } from './fake-node.js'
import { codeOf, open, send } from './wire-client.js'

const TOKEN = createHash('sha256').update('IP:127.0.0.1:/data/a').digest('hex')
const QUERY = '?path=%2Fdata%2Fa'

describe('file cache', () => {
  it('goes through claim, upload, ready and use', async () => {
    const cacheDirectory = await tempDirectory()
    const { port, base } = await startServer({ cacheDirectory })
    expect((await send(port, 'PUT', `/cache${QUERY}`)).text).toBe('true')
    expect((await send(port, 'PUT', `/cache${QUERY}`)).text).toBe('false')
    expect(JSON.parse((await send(port, 'GET', `/cache/status${QUERY}`)).text)).toEqual({
      token: TOKEN,
      ready: false,
    })
    expect((await send(port, 'POST', `/cache${QUERY}`, { body: 'content' })).text).toBe('null')
    expect(JSON.parse((await send(port, 'GET', `/cache/status${QUERY}`)).text)).toEqual({
      token: TOKEN,
      ready: true,
    })
    expect((await send(port, 'PUT', `/cache${QUERY}`)).text).toBe('false')
    expect(await readdir(cacheDirectory)).toEqual([TOKEN])
    expect((await stat(path.join(cacheDirectory, TOKEN))).mode & 0o777).toBe(0o600)
    const use = await send(port, 'POST', `/jobs/7/files?type=input&name=a&cache_token=${TOKEN}`)
    expect(use.status).toBe(200)
    expect((await stat(path.join(base('7', 'input'), 'a'))).size).toBe(7)
    expect((await stat(path.join(base('7', 'input'), 'a'))).mode & 0o777).toBe(0o666 & ~process.umask())
  })

  it('lets one of several concurrent claims win', async () => {
    const { port } = await startServer({ cacheDirectory: await tempDirectory() })
    const replies = await Promise.all(Array.from({ length: 10 }, () => send(port, 'PUT', `/cache${QUERY}`)))
    expect(replies.filter((reply) => reply.text === 'true')).toHaveLength(1)
  })

  it('keeps a claim over a restart, and lets it expire', async () => {
    const cacheDirectory = await tempDirectory()
    const first = await startServer({ cacheDirectory })
    expect((await send(first.port, 'PUT', `/cache${QUERY}`)).text).toBe('true')
    const second = await startServer({ cacheDirectory })
    expect((await send(second.port, 'PUT', `/cache${QUERY}`)).text).toBe('false')
    const longAgo = new Date(Date.now() - 11 * 60_000)
    await utimes(path.join(cacheDirectory, `${TOKEN}.claim`), longAgo, longAgo)
    expect((await send(second.port, 'PUT', `/cache${QUERY}`)).text).toBe('true')
    expect((await send(second.port, 'PUT', `/cache${QUERY}`)).text).toBe('false')
  })

  it('holds the claim during an upload of any length and frees it when that is cut', async () => {
    const cacheDirectory = await tempDirectory()
    const { port } = await startServer({ cacheDirectory })
    await send(port, 'PUT', `/cache${QUERY}`)
    const socket = await open(port)
    socket.write(`POST /cache${QUERY} HTTP/1.1\r\nContent-Length: 100000\r\n\r\nabc`)
    await waitFor(async () => (await readdir(cacheDirectory)).length === 2, { what: 'temporary file' })
    const longAgo = new Date(0)
    await utimes(path.join(cacheDirectory, `${TOKEN}.claim`), longAgo, longAgo)
    expect((await send(port, 'PUT', `/cache${QUERY}`)).text).toBe('false')
    socket.destroy()
    await once(socket, 'close')
    await waitFor(async () => (await readdir(cacheDirectory)).length === 0, { what: 'end of the claim' })
    expect((await send(port, 'PUT', `/cache${QUERY}`)).text).toBe('true')
  })

  it('knows clients by their address', async () => {
    const { port } = await startServer({ cacheDirectory: await tempDirectory() })
    const headers = { 'X-Forwarded-For': '1.2.3.4, 5.6.7.8 ' }
    const token = createHash('sha256').update('IP:5.6.7.8:/data/a').digest('hex')
    expect(JSON.parse((await send(port, 'GET', `/cache/status${QUERY}`, { headers })).text).token).toBe(token)
    expect(clientAddress(undefined, '::ffff:10.0.0.1')).toBe('10.0.0.1')
    expect(clientAddress(undefined, '::1')).toBe('::1')
    expect(clientAddress(['a', 'b, c'], '::1')).toBe('c')
  })

  it.each([
    '..',
    'x',
    '../../etc/passwd',
    `${TOKEN}.claim`,
    TOKEN.toUpperCase(),
  ])('refuses %s as a token', async (token) => {
    const cacheDirectory = await tempDirectory()
    const { port } = await startServer({ cacheDirectory })
    const target = `/jobs/7/files?type=input&name=a&cache_token=${encodeURIComponent(token)}`
    expect(codeOf(await send(port, 'POST', target))).toBe('400 BAD_REQUEST')
  })

  it('answers 404 for a token without a file, and for all of it when there is no cache', async () => {
    const directory = path.join(await tempDirectory(), 'cache')
    await mkdir(directory)
    const target = `/jobs/7/files?type=input&name=a&cache_token=${TOKEN}`
    const { port } = await startServer({ cacheDirectory: directory })
    expect(codeOf(await send(port, 'POST', target))).toBe('404 FILE_NOT_FOUND')
    expect(codeOf(await send(port, 'PUT', '/cache'))).toBe('400 BAD_REQUEST')
    const without = await startServer()
    for (const [method, path] of [
      ['POST', target],
      ['PUT', `/cache${QUERY}`],
      ['POST', `/cache${QUERY}`],
      ['GET', `/cache/status${QUERY}`],
    ] as const)
      expect(codeOf(await send(without.port, method, path))).toBe('404 CACHE_DISABLED')
  })
})
