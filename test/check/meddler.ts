import { once } from 'node:events'
import http, { type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import https from 'node:https'
import type { AddressInfo } from 'node:net'
import { onTestFinished } from 'vitest'

/** What happens to a call: an answer of the test's own, no answer, a cut connection, or a change of the node's answer. */
export type Meddling =
  | { readonly status: number; readonly headers?: Readonly<Record<string, string>>; readonly text?: string }
  | 'hang'
  | 'reset'
  | Change

type Change = (
  body: Buffer,
  headers: http.OutgoingHttpHeaders,
  query: URLSearchParams,
) => Buffer | string | { readonly status: number; readonly text: string }

/** "POST /jobs" → what happens to it; `{job}` stands for any job's id. */
export type Meddlings = Readonly<Record<string, Meddling>>

export interface Meddler {
  readonly url: string
  readonly port: number
  /** Method and path of each call so far, with `{job}`. */
  readonly calls: readonly string[]
}

/**
 * Stands before a node as a proxy would, and spoils some of the calls; without a node what is not spoiled is 404.
 */
export async function startMeddler(
  meddlings: Meddlings,
  options: { readonly node?: string; readonly tls?: { readonly key: string; readonly cert: string } } = {},
): Promise<Meddler> {
  const calls: string[] = []
  const handle = (request: IncomingMessage, response: ServerResponse): void => {
    const path = (request.url ?? '').replace(/\?.*/s, '').replace(/\/jobs\/[^/]+/, '/jobs/{job}')
    const call = `${request.method} ${path}`
    calls.push(call)
    // A status of the test's own would keep a job that is removed alive.
    const isPast = call === 'GET /jobs/{job}/status' && calls.includes('DELETE /jobs/{job}')
    const meddling = isPast ? undefined : meddlings[call]
    if (meddling === 'hang') return
    if (meddling === 'reset') return void request.socket.resetAndDestroy()
    if (typeof meddling === 'object' || (meddling === undefined && options.node === undefined)) {
      const { status = 404, headers = {}, text = '' } = meddling ?? {}
      request.resume()
      response.writeHead(status, headers).end(text)
      return
    }
    forward(request, response, options.node ?? '', meddling)
  }
  const server: Server = options.tls ? https.createServer(options.tls, handle) : http.createServer(handle)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  const { port } = server.address() as AddressInfo
  return { url: `${options.tls ? 'https' : 'http'}://127.0.0.1:${port}/`, port, calls }
}

function forward(
  request: IncomingMessage,
  response: ServerResponse,
  node: string,
  change: Change | undefined,
): void {
  const { method, headers } = request
  const passed = http.request(new URL(request.url ?? '', node), { method, headers, agent: false })
  passed.on('error', () => response.destroy())
  passed.on('response', async (answer) => {
    const chunks: Buffer[] = []
    for await (const chunk of answer) chunks.push(chunk as Buffer)
    const whole = Buffer.concat(chunks)
    const { 'transfer-encoding': _, 'content-length': __, ...rest } = answer.headers
    const kept: http.OutgoingHttpHeaders = { ...rest }
    const { searchParams } = new URL(request.url ?? '', node)
    const changed = change?.(whole, kept, searchParams) ?? whole
    const isAnswer = typeof changed === 'object' && 'status' in changed
    response.writeHead(isAnswer ? changed.status : (answer.statusCode ?? 500), kept)
    response.end(isAnswer ? changed.text : changed)
  })
  request.pipe(passed)
}
