import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import http from 'node:http'
import https from 'node:https'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { createNodeClient, NodeUnreachable } from '../../src/check/node-client.js'
import { localUrl } from '../../src/setup/verify/node-access.js'
import { needs } from '../helpers/needs.js'
import { tempDirectory } from '../helpers/temp-directory.js'

const signal = new AbortController().signal

async function listen(server: http.Server | https.Server): Promise<number> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  return (server.address() as AddressInfo).port
}

function opensslMissing(): string | undefined {
  try {
    execFileSync('openssl', ['version'], { stdio: 'ignore' })
    return undefined
  } catch {
    return 'openssl makes the certificates; install it'
  }
}

describe('the client of a node', () => {
  it('sends method, query, body and token, or no token', async () => {
    const seen: unknown[] = []
    const port = await listen(
      http.createServer(async (request, response) => {
        let body = ''
        for await (const chunk of request) body += chunk
        seen.push([request.method, request.url, request.headers.authorization, body])
        response.statusCode = 418
        response.end('an answer')
      }),
    )
    const client = createNodeClient({
      url: `http://127.0.0.1:${port}/`,
      token: 'foo',
      certificate: undefined,
    })
    const query = { name: 'a b&c', type: 'input' }
    expect(await client.call('POST', 'jobs/1/files', { query, body: 'ä', signal })).toMatchObject({
      status: 418,
      text: 'an answer',
    })
    await client.call('GET', 'healthz', { anonymous: true, signal })
    expect(seen).toEqual([
      ['POST', '/jobs/1/files?name=a+b%26c&type=input', 'Bearer foo', 'ä'],
      ['GET', '/healthz', undefined, ''],
    ])
  })

  it('tells an answer that does not come from one that was not waited for', async () => {
    const port = await listen(http.createServer(() => {}))
    const url = `http://127.0.0.1:${port}/`
    const client = createNodeClient({ url, token: undefined, certificate: undefined, timeoutMs: 50 })
    await expect(client.call('GET', 'healthz', { signal })).rejects.toBeInstanceOf(NodeUnreachable)
    const reason = new Error('Ctrl-C')
    const controller = new AbortController()
    const call = client.call('GET', 'healthz', { signal: controller.signal })
    controller.abort(reason)
    await expect(call).rejects.toBe(reason)
  })

  it.each([
    ['localhost', undefined, 'http://localhost:8913/'],
    ['0.0.0.0', undefined, 'http://127.0.0.1:8913/'],
    ['::', '/etc/host.pem', 'https://[::1]:8913/'],
    ['10.1.2.3', undefined, 'http://10.1.2.3:8913/'],
  ])('reaches a node that listens at %s', (host, sslPem, url) => {
    expect(localUrl({ host, port: 8913, sslPem })).toBe(url)
  })
})

describe('the client of a node with TLS', needs(opensslMissing()), () => {
  async function certificates() {
    const directory = await tempDirectory()
    const file = (name: string): string => join(directory, name)
    const openssl = (...args: string[]): void => {
      execFileSync('openssl', args, { stdio: 'ignore' })
    }
    const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes']
    const own = (name: string): void =>
      openssl(
        'req',
        '-x509',
        ...key,
        '-days',
        '2',
        '-subj',
        `/CN=${name}`,
        '-keyout',
        file(`${name}.key`),
        '-out',
        file(`${name}.crt`),
      )
    own('one')
    own('other')
    own('authority')
    openssl(
      'req',
      ...key,
      '-subj',
      '/CN=node.example.org',
      '-keyout',
      file('signed.key'),
      '-out',
      file('signed.csr'),
    )
    openssl(
      'x509',
      '-req',
      '-days',
      '2',
      '-in',
      file('signed.csr'),
      '-CA',
      file('authority.crt'),
      '-CAkey',
      file('authority.key'),
      '-CAcreateserial',
      '-out',
      file('signed.crt'),
    )
    writeFileSync(file('empty'), '')
    const read = (name: string): string => readFileSync(file(name), 'utf8')
    return { read }
  }

  async function ask(served: { cert: string; key: string }, pinned: string): Promise<number> {
    const port = await listen(https.createServer(served, (_request, response) => response.end('well')))
    const url = `https://127.0.0.1:${port}/`
    const client = createNodeClient({ url, token: undefined, certificate: pinned })
    return (await client.call('GET', 'healthz', { signal })).status
  }

  it('accepts the certificate of the node, whoever signed it and whatever name it has, and no other', async () => {
    const { read } = await certificates()
    const served = (name: string) => ({ cert: read(`${name}.crt`), key: read(`${name}.key`) })
    expect(await ask(served('one'), read('one.crt'))).toBe(200)
    expect(await ask(served('signed'), read('signed.crt'))).toBe(200)
    expect(await ask(served('signed'), read('signed.crt') + read('authority.crt'))).toBe(200)
    await expect(ask(served('other'), read('one.crt'))).rejects.toBeInstanceOf(NodeUnreachable)
    // Signed by somebody who is in the file, but not the node's own.
    await expect(ask(served('signed'), read('authority.crt'))).rejects.toThrow('not the one of ssl_pem')
  })
})
