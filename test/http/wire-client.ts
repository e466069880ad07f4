import { once } from 'node:events'
import { connect, type Socket } from 'node:net'

export interface WireReply {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: Buffer
  readonly text: string
}

/** Sends bytes as they are and returns all that came until the server closed. Add `Connection: close` to the request. */
export async function exchangeBytes(port: number, ...parts: (string | Buffer)[]): Promise<Buffer> {
  const socket = await open(port)
  const chunks: Buffer[] = []
  socket.on('data', (chunk) => chunks.push(chunk))
  for (const part of parts) socket.write(part)
  await once(socket, 'close')
  return Buffer.concat(chunks)
}

/** One request on its own connection; the target is sent as it is. */
export async function send(
  port: number,
  method: string,
  target: string,
  options: { headers?: Record<string, string>; body?: string | Buffer; version?: string } = {},
): Promise<WireReply> {
  const { headers = {}, body, version = '1.1' } = options
  const length: Record<string, string> =
    body === undefined ? {} : { 'Content-Length': String(Buffer.byteLength(body)) }
  const all: Record<string, string> = { Host: 'node', Connection: 'close', ...length, ...headers }
  const head = Object.entries(all)
    .map(([name, value]) => `${name}: ${value}\r\n`)
    .join('')
  const bytes = await exchangeBytes(
    port,
    Buffer.from(`${method} ${target} HTTP/${version}\r\n${head}\r\n`, 'latin1'),
    body ?? '',
  )
  return parseReplies(bytes, method)[0] ?? fail('no reply')
}

/** Connects, and reads on unless paused; errors of the socket end in its 'close'. */
export async function open(port: number): Promise<Socket> {
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true })
  socket.on('error', () => {})
  socket.on('end', () => socket.end())
  socket.resume()
  await once(socket, 'connect')
  return socket
}

/** Splits what came over a connection into replies; only Content-Length framing, the only one this server uses. */
export function parseReplies(bytes: Buffer, method = 'GET'): WireReply[] {
  const replies: WireReply[] = []
  for (let at = 0; at < bytes.length; ) {
    const end = bytes.indexOf('\r\n\r\n', at)
    if (end < 0) fail(`not a reply: ${bytes.subarray(at, at + 200).toString('latin1')}`)
    const [first = '', ...lines] = bytes.subarray(at, end).toString('latin1').split('\r\n')
    const headers = Object.fromEntries(
      lines.map((line) => [line.split(':')[0]?.toLowerCase(), line.replace(/^[^:]*: */, '')]),
    )
    const status = Number(first.split(' ')[1])
    const length = method === 'HEAD' || status < 200 ? 0 : Number(headers['content-length'] ?? 0)
    const body = bytes.subarray(end + 4, end + 4 + length)
    if (body.length < length) fail(`body cut: ${body.length} of ${length} bytes`)
    replies.push({ status, headers, body, text: body.toString() })
    at = end + 4 + length
  }
  return replies
}

/** The code of an error reply, after checking its form. */
export function codeOf(reply: WireReply): string {
  const parsed: unknown = JSON.parse(reply.text)
  if (typeof parsed !== 'object' || parsed === null || !('code' in parsed) || !('error' in parsed))
    fail(reply.text)
  if (reply.text.trimEnd().includes('\n')) fail('more than one line')
  return `${reply.status} ${String(parsed.code)}`
}

function fail(why: string): never {
  throw new Error(why)
}
