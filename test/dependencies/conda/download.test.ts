import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { readdir, readFile } from 'node:fs/promises'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer, globalAgent } from 'node:https'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, onTestFinished } from 'vitest'
import { openDownload, readSmallText } from '../../../src/dependencies/conda/download.js'
import { fetchInstaller } from '../../../src/dependencies/conda/installer.js'
import { readSettings } from '../../../src/dependencies/conda/settings.js'
import { silentLogger } from '../../../src/lib/log.js'
import { createAuthority, opensslMissing } from '../../helpers/certificates.js'
import { startConnectProxy } from '../../helpers/connect-proxy.js'
import { needs } from '../../helpers/needs.js'
import { tempDirectory } from '../../helpers/temp-directory.js'

const { signal } = new AbortController()
const PROXIES = ['https_proxy', 'HTTPS_PROXY', 'all_proxy', 'ALL_PROXY', 'no_proxy', 'NO_PROXY']

describe('fetching the installer', needs(opensslMissing()), () => {
  const before = { ...process.env }
  beforeEach(() => {
    for (const name of PROXIES) delete process.env[name]
  })
  afterEach(() => {
    for (const name of PROXIES) delete process.env[name]
    Object.assign(process.env, before)
  })

  async function serve(
    answer: (request: IncomingMessage, response: ServerResponse) => void,
  ): Promise<string> {
    const authority = createAuthority(await tempDirectory())
    const server = createServer(authority.issue('DNS:localhost'), answer)
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const { ca } = globalAgent.options
    globalAgent.options.ca = readFileSync(authority.file)
    onTestFinished(() => {
      globalAgent.options.ca = ca
      globalAgent.destroy()
      server.closeAllConnections()
      return new Promise((resolve) => server.close(() => resolve()))
    })
    return `https://localhost:${(server.address() as AddressInfo).port}`
  }

  function settings(options: Record<string, string>) {
    const context = { baseDirectory: '/srv/deps', nodeOption: () => undefined, cwd: '/', env: {} }
    return readSettings({ type: 'conda', options }, context)
  }

  const TEXT = 'echo an installer\n'.repeat(10_000)
  const SUM = createHash('sha256').update(TEXT).digest('hex')

  it('follows redirections, and keeps a file only when its checksum is right', async () => {
    const url = await serve((request, response) => {
      if (request.url === '/latest') response.writeHead(302, { location: '/file' }).end()
      else response.end(TEXT)
    })
    const directory = await tempDirectory()
    const file = join(directory, 'installer')
    const fetchIt = (sum: string) =>
      fetchInstaller(
        settings({ installer: `${url}/latest`, installer_sha256: sum }),
        file,
        silentLogger,
        signal,
      )
    await expect(fetchIt('0'.repeat(64))).rejects.toMatchObject({ code: 'CONDA_UNAVAILABLE' })
    expect(await readdir(directory)).toEqual([])
    const installer = await fetchIt(SUM)
    expect(await readFile(installer.file, 'utf8')).toBe(TEXT)
    await installer.dispose()
    expect(await readdir(directory)).toEqual([])
  })

  it.each([
    [
      'leads away from https',
      (response: ServerResponse) => response.writeHead(302, { location: 'http://localhost/' }).end(),
      'not safe',
    ],
    [
      'leads nowhere',
      (response: ServerResponse) => response.writeHead(302, { location: '/again' }).end(),
      'without end',
    ],
    ['is not there', (response: ServerResponse) => response.writeHead(404).end(), 'HTTP 404'],
    [
      'breaks off',
      (response: ServerResponse) => {
        response.writeHead(200, { 'content-length': 1000 })
        response.write('half', () => response.destroy())
      },
      'failed after',
    ],
  ])('fails when the address %s', async (_what, answer, why) => {
    const url = await serve((_request, response) => answer(response))
    await expect(readSmallText(`${url}/x`, signal)).rejects.toThrow(why)
  })

  it('takes no more than it may', async () => {
    const url = await serve((_request, response) => response.end(TEXT))
    const read = async (): Promise<void> => {
      for await (const _chunk of (await openDownload(url, signal, 1000)).body);
    }
    await expect(read()).rejects.toThrow('more than 1000 bytes')
  })

  it('goes through the proxy of the environment', async () => {
    const url = await serve((_request, response) => response.end('through'))
    const proxy = await startConnectProxy()
    process.env.https_proxy = proxy.url
    expect(await readSmallText(`${url}/x`, signal)).toBe('through')
    expect(proxy.asked).toEqual([
      { target: new URL(url).host, authorization: `Basic ${Buffer.from('user:pa ss').toString('base64')}` },
    ])
  })

  it('ends when it is no longer wanted', async () => {
    const controller = new AbortController()
    const url = await serve(() => controller.abort(new Error('enough')))
    await expect(readSmallText(url, controller.signal)).rejects.toThrow('enough')
  })
})
