import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import https from 'node:https'
import path from 'node:path'
import { describe, expect, it } from 'vitest'
import { needs } from '../helpers/needs.js'
import { tempDirectory } from '../helpers/temp-directory.js'
import { startServer } from './fake-node.js'

function opensslMissing(): string | undefined {
  try {
    execFileSync('openssl', ['version'], { stdio: 'ignore' })
    return undefined
  } catch {
    return 'openssl makes the certificate; install it'
  }
}

describe('https', () => {
  it('serves with certificate and key', needs(opensslMissing()), async () => {
    const directory = await tempDirectory()
    const file = (name: string): string => path.join(directory, name)
    const make = [
      'req',
      '-x509',
      '-newkey',
      'ec',
      '-pkeyopt',
      'ec_paramgen_curve:P-256',
      '-nodes',
      '-days',
      '2',
    ]
    execFileSync(
      'openssl',
      [...make, '-subj', '/CN=localhost', '-keyout', file('key'), '-out', file('cert')],
      { stdio: 'ignore' },
    )
    const [cert, key] = await Promise.all([readFile(file('cert'), 'utf8'), readFile(file('key'), 'utf8')])
    const { port, server } = await startServer({}, { tls: { cert, key } })
    const agent = new https.Agent({ keepAlive: true })
    for (let i = 0; i < 2; i++) {
      const request = https.get({
        port,
        host: '127.0.0.1',
        path: '/healthz',
        ca: cert,
        servername: 'localhost',
        agent,
      })
      const [response] = await once(request, 'response')
      let text = ''
      for await (const chunk of response) text += chunk
      expect(text).toBe('{"version":"0.16.0"}')
    }
    // The connection of the agent is idle and is closed, or this would last the whole grace.
    await server.close({ graceMs: 60_000 })
    agent.destroy()
  })
})
