import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { onTestFinished } from 'vitest'
import { createNodeClient, type NodeClient } from '../../src/check/node-client.js'

/** "POST /jobs" → what is answered; a function is asked each time. `{job}` stands for the id of the job. */
export type Script = Readonly<Record<string, Answer | (() => Answer)>>

export interface Answer {
  readonly status?: number
  readonly text: string
}

export interface ScriptedNode {
  readonly url: string
  readonly client: NodeClient
  /** Method and path of each call so far. */
  readonly calls: readonly string[]
}

export const json = (value: unknown): Answer => ({ text: JSON.stringify(value) })

/** A node that says what a test wants. What the script does not have is answered as a good node would for a job that is complete. */
export async function startScriptedNode(script: Script = {}, token = 'foo'): Promise<ScriptedNode> {
  const calls: string[] = []
  let job = ''
  const good: Script = {
    'GET /healthz': json({ version: '0.16.0' }),
    'POST /jobs': () => json({ job_id: job, inputs_directory: '/i n', outputs_directory: '/o' }),
    'POST /jobs/{job}/files': { text: '{}' },
    'POST /jobs/{job}/submit': { text: 'OK' },
    'GET /jobs/{job}/status': json({ status: 'complete', complete: 'true', returncode: 0 }),
    'GET /jobs/{job}/files': { text: 'Hello from Galaxy\nnode7\n2\n' },
    'PUT /jobs/{job}/cancel': { text: 'OK' },
    'DELETE /jobs/{job}': { text: 'OK' },
  }
  const server = createServer((request, response) => {
    const { pathname, searchParams } = new URL(request.url ?? '', 'http://node/')
    job = searchParams.get('job_id') ?? job
    const call = `${request.method} ${pathname.replace(job || '{job}', '{job}')}`
    calls.push(call)
    const found = script[call] ?? good[call] ?? { status: 404, text: 'no such route' }
    const isKnown = request.headers.authorization === `Bearer ${token}`
    const answer: Answer = isKnown
      ? typeof found === 'function'
        ? found()
        : found
      : { status: 401, ...json({ error: 'the private token is missing or wrong' }) }
    request.resume()
    response.statusCode = answer.status ?? 200
    response.end(answer.text)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
  return { url, calls, client: createNodeClient({ url, token: 'foo', certificate: undefined }) }
}
