import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import net, { type AddressInfo } from 'node:net'
import path from 'node:path'
import { Readable } from 'node:stream'
import { describe, expect, it, onTestFinished } from 'vitest'
import { MagnetarError } from '../../src/lib/errors.js'
import { silentLogger } from '../../src/lib/log.js'
import { networkError } from '../../src/staging/http/network-error.js'
import type { Timeouts } from '../../src/staging/http/watch-connection.js'
import type { HttpAnswer, HttpClient, HttpRequest } from '../../src/staging/http-client.js'
import { createHttpClient } from '../../src/staging/node-http-client.js'
import { TransferError } from '../../src/staging/transfer-error.js'
import { createAuthority, opensslMissing } from '../helpers/certificates.js'
import { startConnectProxy } from '../helpers/connect-proxy.js'
import { freePort } from '../helpers/free-port.js'
import { generated } from '../helpers/job-files/content.js'
import { type JobFilesServer, startJobFilesServer } from '../helpers/job-files-server.js'
import { needs } from '../helpers/needs.js'
import { tempDirectory } from '../helpers/temp-directory.js'
import { waitFor } from '../helpers/wait-for.js'
import { openClient, openHttpEnd } from './http-fixture.js'

const signal = new AbortController().signal

async function ask(
  http: HttpClient,
  url: string,
  more: Partial<HttpRequest> = {},
): Promise<HttpAnswer & { text: string }> {
  const answer = await http.request({ method: 'GET', url, signal, ...more })
  let text = ''
  for await (const chunk of answer.body) text += chunk
  return { ...answer, text }
}

async function failureOf(
  http: HttpClient,
  url: string,
  more: Partial<HttpRequest> = {},
): Promise<TransferError> {
  const error = await ask(http, url, more).then(
    () => undefined,
    (reason: unknown) => reason,
  )
  expect(error).toBeInstanceOf(TransferError)
  expect(String((error as Error).stack)).not.toContain('k3y')
  return error as TransferError
}

describe('connections', () => {
  it('are used again, and are never more than allowed to one host', async () => {
    const { server, http } = await openHttpEnd({ maxSockets: 3 })
    server.serve('/f', 'content')
    const answers = await Promise.all(Array.from({ length: 30 }, () => ask(http, server.fileUrl('/f'))))
    expect(new Set(answers.map(({ text }) => text))).toEqual(new Set(['content']))
    expect(new Set(server.log.map(({ connection }) => connection)).size).toBeLessThanOrEqual(3)
    await ask(http, server.fileUrl('/f'))
    expect(new Set(server.log.map(({ connection }) => connection)).size).toBeLessThanOrEqual(3)
  })

  it('that the server closed for being idle cost nothing but a new one', async () => {
    const { server, http } = await openHttpEnd({ maxSockets: 1 })
    server.serve('/f', 'content')
    await ask(http, server.fileUrl('/f'))
    // It takes the request and goes, as if it had just decided to.
    server.failNext({ kind: 'cut', after: -1 })
    expect((await ask(http, server.fileUrl('/f'))).text).toBe('content')
    expect(server.log.map(({ connection }) => connection)).toEqual([0, 0, 1])
  })

  it('that break on the first request are errors, and so are those that break again', async () => {
    const { server, http } = await openHttpEnd({ maxSockets: 1 })
    server.serve('/f', 'content')
    server.failNext({ kind: 'cut', after: -1 })
    await failureOf(http, server.fileUrl('/f'))
    await ask(http, server.fileUrl('/f'))
    server.failNext({ kind: 'cut', after: -1 }, { kind: 'cut', after: -1 })
    expect(await failureOf(http, server.fileUrl('/f'))).toMatchObject({ transient: true })
  })

  it('that break under a request which must not be repeated are errors at once', async () => {
    const { server, http } = await openHttpEnd({ maxSockets: 1 })
    server.serve('/f', 'content')
    await ask(http, server.fileUrl('/f'))
    server.failNext({ kind: 'cut', after: -1 })
    await failureOf(http, server.fileUrl('/f'), { method: 'POST', body: () => Buffer.from('x') })
    expect(server.log).toHaveLength(2)
  })

  it('are closed with the client', async () => {
    const { server, http } = await openHttpEnd()
    server.serve('/f', 'content')
    await ask(http, server.fileUrl('/f'))
    expect(server.connections.size).toBe(1)
    await http.close()
    await waitFor(() => server.connections.size === 0, { what: 'end of the connection' })
    expect(await failureOf(http, server.fileUrl('/f'))).toMatchObject({ transient: true })
  })
})

describe('a body that nobody takes yet', () => {
  /** Sends all it has, and goes. */
  async function startHasty(framing: string, content: Buffer): Promise<string> {
    const server = net.createServer((socket) => {
      socket
        .on('error', () => {})
        .once('data', () => {
          const head = framing === 'length' ? `Content-Length: ${content.length}\r\n` : ''
          const chunks = `Transfer-Encoding: chunked\r\n\r\n${content.length.toString(16)}`
          socket.write(`HTTP/1.1 200 OK\r\nConnection: close\r\n${framing === 'chunked' ? chunks : head}\r\n`)
          socket.write(content)
          socket.end(framing === 'chunked' ? '\r\n0\r\n\r\n' : '')
        })
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    onTestFinished(() => void server.close())
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
  }

  it.each([
    'length',
    'chunked',
    'close',
  ])('is whole when the server has long gone: framed by %s', async (framing) => {
    const http = openClient()
    // Around what the body itself takes, and what waits in the connection.
    for (const bytes of [1000, 262_143, 262_144, 262_200, 300_000, 3_000_000]) {
      const content = generated(bytes, 9).read(0, bytes)
      const url = await startHasty(framing, content)
      const answer = await http.request({ method: 'GET', url, signal })
      const enough = Math.min(bytes, 262_144)
      await waitFor(() => answer.body.readableLength >= enough, { what: 'bytes of the body' })
      for (let turn = 0; turn < 10; turn++) await new Promise((resolve) => setImmediate(resolve))
      const pieces = await answer.body.toArray()
      expect(Buffer.concat(pieces).equals(content)).toBe(true)
    }
  })

  it('holds up the sender instead of filling the memory', async () => {
    const { server, http } = await openHttpEnd()
    const bytes = 200 * 1024 * 1024
    server.serve('/f', generated(bytes, 1))
    const answer = await http.request({ method: 'GET', url: server.fileUrl('/f'), signal })
    let sent = -1
    await waitFor(
      () => {
        const before = sent
        sent = server.log[0]?.sentBytes ?? 0
        return sent > 0 && sent === before
      },
      { what: 'standstill' },
    )
    // What fits into the buffers of both kernels.
    expect(sent).toBeLessThan(bytes / 4)
    expect(answer.body.readableLength).toBeLessThan(2 * 1024 * 1024)
    let have = 0
    for await (const piece of answer.body) have += piece.length
    expect(have).toBe(bytes)
  })
})

describe('what goes wrong on the network', () => {
  it('has words: nobody listens', async () => {
    const error = await failureOf(openClient(), `http://127.0.0.1:${await freePort()}/x?job_key=k3y`)
    expect(error).toMatchObject({
      transient: true,
      message: expect.stringMatching(/^127\.0\.0\.1:\d+ refused the connection/),
    })
  })

  it.each([
    ['ENOTFOUND', true, /^g\.org is a name that DNS does not know/],
    ['EAI_AGAIN', true, /^g\.org is a name that could not be looked up/],
    ['EHOSTUNREACH', true, /^g\.org cannot be reached/],
    ['HPE_INVALID_CONSTANT', true, /not HTTP/],
    ['EPROTO', true, /does not speak https/],
    ['EODD', true, /^the connection to g\.org failed: said by the system/],
    ['CERT_NOT_YET_VALID', false, /clock/],
    ['SELF_SIGNED_CERT_IN_CHAIN', false, /transfer_ca_file/],
    ['UNABLE_TO_VERIFY_LEAF_SIGNATURE', false, /transfer_ca_file/],
  ])('has words: %s', (code, transient, words) => {
    const cause = Object.assign(new Error('said by the system'), { code })
    for (const error of [cause, new AggregateError([cause]), new Error('outer', { cause })]) {
      const failure = networkError(error, 'https://g.org/x?job_key=k3y', signal)
      expect(failure).toMatchObject({ name: 'TransferError', transient, cause: error })
      expect(String(failure)).toContain('g.org')
      if (error === cause) expect((failure as Error).message).toMatch(words)
      expect(String(failure)).not.toContain('k3y')
    }
  })

  it.each([
    ['headersMs', { kind: 'hang', after: -1 }, /did not answer in time/],
    ['idleMs', { kind: 'hang', after: 3 }, /./],
  ] as const)('has an end: %s', async (name, fault, words) => {
    const { server, http } = await openHttpEnd({ timeouts: { [name]: 200 } })
    server.serve('/f', 'content')
    server.failNext(fault)
    const answering = http.request({ method: 'GET', url: server.fileUrl('/f'), signal })
    if (name === 'headersMs')
      await expect(answering).rejects.toMatchObject({
        transient: true,
        message: expect.stringMatching(words),
      })
    else
      await expect((await answering).body.toArray()).rejects.toMatchObject({
        name: 'TransferError',
        message: expect.stringContaining('stopped sending'),
      })
    await waitFor(() => server.connections.size === 0, { what: 'end of the connection' })
  })

  it('tells a server that does not take a body from one that does not answer to it, each with its own limit', async () => {
    const post = async (bytes: number, timeouts: Partial<Timeouts>): Promise<unknown> => {
      const listener = net.createServer((socket) => {
        socket.on('error', () => {}).pause()
        onTestFinished(() => void socket.destroy())
      })
      listener.listen(0, '127.0.0.1')
      await once(listener, 'listening')
      onTestFinished(() => void listener.close())
      const { port } = listener.address() as AddressInfo
      const body = () => Readable.from([Buffer.alloc(bytes)], { objectMode: false })
      const url = `http://127.0.0.1:${port}/f?job_key=k3y`
      const http = openClient({ timeouts })
      return http.request({ method: 'POST', url, body, bodyBytes: bytes, signal }).catch((error) => error)
    }
    expect(await post(64 * 1024 * 1024, { headersMs: 60_000, idleMs: 200 })).toMatchObject({
      transient: true,
      message: expect.stringMatching(/stopped taking the request in the middle$/),
    })
    expect(await post(10, { headersMs: 200, idleMs: 60_000 })).toMatchObject({
      transient: true,
      message: expect.stringMatching(/did not answer in time \(within 0.2 s, transfer_answer_timeout\)$/),
    })
  })

  it('has an end: a server that does not take the connection', async () => {
    // It says nothing to a handshake.
    const listener = net.createServer((socket) => void socket.on('error', () => {}))
    listener.listen(0, '127.0.0.1')
    await once(listener, 'listening')
    onTestFinished(() => void listener.close())
    const { port } = listener.address() as AddressInfo
    const error = await failureOf(openClient({ timeouts: { connectMs: 200 } }), `https://127.0.0.1:${port}/x`)
    expect(error).toMatchObject({
      transient: true,
      message: expect.stringContaining('did not take the connection'),
    })
  })

  it('ends with the signal, whose reason is what is thrown', async () => {
    const { server, http } = await openHttpEnd()
    server.failNext({ kind: 'hang', after: -1 })
    const cancelling = new AbortController()
    server.events.once('request', () => cancelling.abort(new Error('cancelled')))
    const url = server.fileUrl('/f')
    await expect(http.request({ method: 'GET', url, signal: cancelling.signal })).rejects.toThrow('cancelled')
    await waitFor(() => server.connections.size === 0, { what: 'end of the connection' })
    await expect(http.request({ method: 'GET', url, signal: cancelling.signal })).rejects.toThrow('cancelled')
    expect(server.log).toHaveLength(1)
  })

  it.each(['ftp://g.org/x', 'file:///etc/passwd', 'no address', ''])('refuses %j', async (url) => {
    expect(await failureOf(openClient(), url)).toMatchObject({ transient: false })
  })
})

describe('redirects', () => {
  it.each([301, 302, 303, 307, 308])('are followed by GET and HEAD: %i', async (status) => {
    const { server, http } = await openHttpEnd()
    server.serve('/f', 'content')
    for (const method of ['GET', 'HEAD'] as const) {
      server.failNext({ kind: 'redirect', status, to: server.fileUrl('/f').slice(server.origin.length) })
      const answer = await ask(http, server.fileUrl('/old'), { method, headers: { range: 'bytes=2-' } })
      expect(answer).toMatchObject({
        status: 206,
        url: server.fileUrl('/f'),
        text: method === 'GET' ? 'ntent' : '',
      })
    }
  })

  it('end after five', async () => {
    const { server, http } = await openHttpEnd()
    const redirect = { kind: 'redirect', status: 302, to: server.fileUrl('/f') } as const
    server.serve('/f', 'content')
    server.failNext(...Array(5).fill(redirect))
    expect((await ask(http, server.fileUrl('/f'))).text).toBe('content')
    server.failNext(...Array(6).fill(redirect))
    const error = await failureOf(http, server.fileUrl('/f'))
    expect(error).toMatchObject({ transient: false, message: expect.stringContaining('more than 5') })
  })

  it.each(['', 'http://', 'ftp://h.org/x', 'javascript:1'])('to %j are errors', async (to) => {
    const { server, http } = await openHttpEnd()
    server.failNext(to === '' ? { kind: 'status', status: 302 } : { kind: 'redirect', status: 302, to })
    expect(await failureOf(http, server.fileUrl('/f'))).toMatchObject({ transient: false, status: 302 })
  })

  it('do not take user and password to another host', async () => {
    const [one, two] = [await openHttpEnd(), await openHttpEnd()]
    two.server.serve('/f', 'content')
    const withUser = (url: string): string => url.replace('//', '//ann:p%40ss@')
    one.server.failNext({ kind: 'redirect', status: 302, to: two.server.fileUrl('/f') })
    await ask(one.http, withUser(one.server.fileUrl('/f')))
    expect(one.server.log[0]?.headers.authorization).toBe(
      `Basic ${Buffer.from('ann:p@ss').toString('base64')}`,
    )
    expect(two.server.log[0]?.headers.authorization).toBeUndefined()
  })
})

describe('the list of allowed hosts', () => {
  it('holds for the first address and for every redirect', async () => {
    const [inside, outside] = [await openHttpEnd(), await openHttpEnd()]
    outside.server.serve('/f', 'content')
    const http = openClient({ allowedHosts: [new URL(inside.server.origin).host] })
    expect(await failureOf(http, outside.server.fileUrl('/f'))).toMatchObject({
      transient: false,
      message: expect.stringContaining('transfer_hosts'),
    })
    inside.server.failNext({ kind: 'redirect', status: 307, to: outside.server.fileUrl('/f') })
    expect(await failureOf(http, inside.server.fileUrl('/f'))).toMatchObject({ transient: false })
    expect(outside.server.log).toEqual([])
  })
})

describe('https', needs(opensslMissing()), () => {
  async function startSecure(
    names = 'IP:127.0.0.1',
    days?: number,
  ): Promise<{ server: JobFilesServer; caFile: string }> {
    const authority = createAuthority(await tempDirectory())
    const server = await startJobFilesServer({ tls: authority.issue(names, days) })
    server.serve('/f', 'content')
    return { server, caFile: authority.file }
  }

  it('trusts a private authority that is named, besides the usual ones', async () => {
    const { server, caFile } = await startSecure()
    expect((await ask(openClient({ caFile }), server.fileUrl('/f'))).text).toBe('content')
  })

  it('trusts what SSL_CERT_FILE names', async () => {
    const { server, caFile } = await startSecure()
    const before = process.env.SSL_CERT_FILE
    process.env.SSL_CERT_FILE = caFile
    onTestFinished(() => {
      if (before === undefined) delete process.env.SSL_CERT_FILE
      else process.env.SSL_CERT_FILE = before
    })
    expect((await ask(openClient(), server.fileUrl('/f'))).text).toBe('content')
  })

  it('refuses an unknown authority for good, and says how to name it', async () => {
    const { server } = await startSecure()
    const error = await failureOf(openClient(), server.fileUrl('/f'))
    expect(error).toMatchObject({ transient: false, message: expect.stringContaining('transfer_ca_file') })
  })

  it.each([
    ['DNS:other.example.org', undefined, /made for another name/],
    ['IP:127.0.0.1', -1, /expired/],
  ] as const)('refuses a certificate for good: %s, %s days', async (names, days, words) => {
    const { server, caFile } = await startSecure(names, days)
    const error = await failureOf(openClient({ caFile }), server.fileUrl('/f'))
    expect(error).toMatchObject({ transient: false, message: expect.stringMatching(words) })
  })

  it('is never left for http by a redirect', async () => {
    const { server, caFile } = await startSecure()
    const plain = await openHttpEnd()
    server.failNext({ kind: 'redirect', status: 302, to: plain.server.fileUrl('/f') })
    const error = await failureOf(openClient({ caFile }), server.fileUrl('/f'))
    expect(error).toMatchObject({ transient: false, message: expect.stringContaining('plain http') })
    expect(plain.server.log).toEqual([])
  })

  it('goes through the proxy of the environment, which sees the name and nothing else', async () => {
    const { server, caFile } = await startSecure('DNS:galaxy.example.org')
    const proxy = await startConnectProxy()
    const url = server.fileUrl('/f').replace('127.0.0.1', 'galaxy.example.org')
    const http = openClient({ caFile, maxSockets: 1, environment: { https_proxy: proxy.url } })
    expect((await ask(http, url)).text).toBe('content')
    expect((await ask(http, url, { method: 'POST', body: () => Buffer.from('x') })).status).toBe(400)
    const authorization = `Basic ${Buffer.from('user:pa ss').toString('base64')}`
    expect(proxy.asked).toEqual([{ target: new URL(url).host, authorization }])
  })

  it('does not take a proxy for this machine, for exceptions, or for plain http', async () => {
    const { server, caFile } = await startSecure('IP:127.0.0.1')
    const proxy = await startConnectProxy(403)
    const http = openClient({ caFile, environment: { HTTPS_PROXY: proxy.url, http_proxy: proxy.url } })
    expect((await ask(http, server.fileUrl('/f'))).text).toBe('content')
    const plain = await openHttpEnd()
    plain.server.serve('/f', 'content')
    expect((await ask(http, plain.server.fileUrl('/f'))).text).toBe('content')
    expect(proxy.asked).toEqual([])
  })

  it('says what the proxy said, without its password', async () => {
    const proxy = await startConnectProxy(407)
    const http = openClient({ environment: { https_proxy: proxy.url } })
    const error = await failureOf(http, 'https://galaxy.example.org/x')
    expect(error).toMatchObject({ transient: true, message: expect.stringContaining('proxy') })
    expect(`${error.message}${error.stack}`).not.toMatch(/pa( |%20)ss/)
  })
})

describe('creating a client', () => {
  it('fails with words when its options make no sense', async () => {
    const directory = await tempDirectory()
    const file = path.join(directory, 'ca.pem')
    await writeFile(file, 'no certificate')
    for (const options of [
      { caFile: path.join(directory, 'absent.pem') },
      { caFile: file },
      { allowedHosts: ['https://g.org/'] },
      { environment: { https_proxy: 'socks5://user:secret@h' } },
    ]) {
      const make = () => createHttpClient({ log: silentLogger, maxSockets: 1, ...options })
      expect(make).toThrow(MagnetarError)
      expect(make).not.toThrow(/secret/)
    }
  })
})
