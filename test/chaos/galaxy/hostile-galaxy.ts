import { createHash } from 'node:crypto'
import net, { type AddressInfo, type Socket } from 'node:net'
import type { Random } from '../../peers/random.js'
import { FETCH_ATTACKS, POST_ATTACKS, TUS_ATTACKS } from './attacks.js'

/** One request that has come whole, or whose head has come to an attack that is early. */
export interface Exchange {
  readonly socket: Socket
  readonly random: Random
  readonly method: string
  readonly target: URL
  readonly headers: Readonly<Record<string, string>>
  readonly body: Buffer
  /** What the file has that is asked for. */
  readonly content: Buffer
  readonly etag: string
  readonly origin: string
  /** Answers as Galaxy would. */
  honest(): void
  /** Writes `piece` again and again until the node has had enough; that it never has is a violation. */
  flood(piece: string | Buffer): void
}

/** What is answered instead of the truth. */
export interface Attack {
  readonly name: string
  play(exchange: Exchange): void
  /** Before the body has come. */
  readonly early?: boolean
  /** What it says can be right for other bytes: nobody could tell. */
  readonly lies?: boolean
  /** To a file that was sent it says that it was taken, or is not wanted (403). */
  readonly settles?: boolean
  /** The node may wait for the end of it; the job is cancelled. */
  readonly endless?: boolean
}

export interface HostileFile {
  readonly content: Buffer
  /** Played one after the other, to one request each; then the truth. */
  readonly attacks: Attack[]
  /** The last attack is played for ever. */
  readonly forEver: boolean
  /** Of an output: what arrived of it, whole, with an answer that says so. */
  stored: Buffer | undefined
  /** Requests that were answered. */
  asked: number
  /** The last answer that was handed to its connection whole, and true. */
  lastAnswer?: HonestAnswer
  /** Told when an endless attack begins. */
  onEndless?: () => void
}

/** Times of performance.now(). */
export interface HonestAnswer {
  readonly atMs: number
  /** When the next request came on its connection, or that was closed. */
  overMs?: number
}

export interface HostileGalaxy {
  readonly origin: string
  readonly endpoint: string
  readonly key: string
  /** By path. */
  readonly files: Map<string, HostileFile>
  /** How often each attack was played. */
  readonly played: Record<string, number>
  readonly violations: string[]
  close(): Promise<void>
}

const FILES_PATH = '/api/jobs/f2db41e1fa331b3e/files'
const TUS_PATH = '/api/job_files/resumable_upload'
const KEY = 'KEY-that-nobody-may-see'
/** Far more than the node may read of what it cannot use. */
const MAX_FLOOD_BYTES = 256 * 1024 * 1024
const MAX_FLOOD_MS = 30_000
/** More requests for one file than an attempt and its repetitions may need. */
const MAX_ASKED = 2000

/** How an honest server would take the attacks' place. */
export async function startHostileGalaxy(random: Random): Promise<HostileGalaxy> {
  const sockets = new Set<Socket>()
  const files = new Map<string, HostileFile>()
  const sessions = new Map<string, { bytes: Buffer; length: number; path: string | undefined }>()
  const played: Record<string, number> = {}
  const violations: string[] = []
  let lastSession = 0

  const server = net.createServer({ allowHalfOpen: false }, (socket) => {
    sockets.add(socket)
    socket.setNoDelay(true)
    socket.on('error', () => {}).on('close', () => sockets.delete(socket))
    serve(socket)
  })

  function serve(socket: Socket): void {
    let have = Buffer.alloc(0)
    let isOver = false
    let answer: HonestAnswer | undefined
    const endAnswer = (): void => {
      if (answer) answer.overMs ??= performance.now()
    }
    socket.on('close', endAnswer)
    socket.on('data', (piece: Buffer) => {
      if (isOver) return
      endAnswer()
      have = Buffer.concat([have, piece])
      for (;;) {
        const end = have.indexOf('\r\n\r\n')
        if (end < 0) return
        const [first = '', ...lines] = have.toString('latin1', 0, end).split('\r\n')
        const [method = '', target = '/'] = first.split(' ')
        const headers = Object.fromEntries(
          lines.map((line) => [line.split(':')[0]?.toLowerCase(), line.slice(line.indexOf(':') + 1).trim()]),
        ) as Record<string, string>
        const url = new URL(target, 'http://galaxy')
        const file = fileOf(url)
        const attack = file && nextAttack(file, method, url)
        const bytes = Number(headers['content-length'] ?? 0)
        const isWhole = have.length >= end + 4 + bytes
        if (!isWhole && !attack?.early) return
        const body = have.subarray(end + 4, end + 4 + bytes)
        have = have.subarray(end + 4 + bytes)
        if (file) {
          file.asked++
          if (file.asked === MAX_ASKED)
            violations.push(
              `one file was asked for ${MAX_ASKED} times: ${file.attacks.map(({ name }) => name)}`,
            )
        }
        const exchange = makeExchange(socket, method, url, headers, body, file)
        if (!file || !attack) {
          exchange.honest()
          answer = { atMs: performance.now() }
          if (file) file.lastAnswer = answer
          continue
        }
        played[attack.name] = (played[attack.name] ?? 0) + 1
        if (file.attacks.length > 1 || !file.forEver) file.attacks.shift()
        if (attack.endless) file.onEndless?.()
        attack.play(exchange)
        if (!isWhole) {
          isOver = true
          socket.resume()
          return
        }
      }
    })
  }

  /** Which file a request is about; of a resumable upload the one that is uploaded at the moment under that address. */
  function fileOf(url: URL): HostileFile | undefined {
    const named = url.searchParams.get('path')
    if (named !== null) return files.get(named)
    const session = sessions.get(url.pathname)
    return session?.path === undefined ? undefined : files.get(session.path)
  }

  /** An attack that fits; one of another kind waits for its turn. */
  function nextAttack(file: HostileFile, method: string, url: URL): Attack | undefined {
    const [attack] = file.attacks
    if (!attack) return undefined
    const isTus = url.pathname.startsWith(TUS_PATH)
    const fits =
      method === 'GET' || (method === 'HEAD' && !isTus)
        ? FETCH_ATTACKS.includes(attack)
        : POST_ATTACKS.includes(attack) || (isTus && TUS_ATTACKS.includes(attack))
    return fits ? attack : undefined
  }

  function makeExchange(
    socket: Socket,
    method: string,
    target: URL,
    headers: Readonly<Record<string, string>>,
    body: Buffer,
    file: HostileFile | undefined,
  ): Exchange {
    const content = file?.content ?? Buffer.alloc(0)
    const etag = `"${createHash('sha256').update(content).digest('hex').slice(0, 16)}"`
    const exchange: Exchange = {
      socket,
      random,
      method,
      target,
      headers,
      body,
      content,
      etag,
      origin: galaxy.origin,
      honest: () => answerHonestly(exchange, file),
      flood: (piece) => flood(socket, Buffer.from(piece), file?.attacks[0]?.name ?? ''),
    }
    return exchange
  }

  function answerHonestly(exchange: Exchange, file: HostileFile | undefined): void {
    const { socket, method, target, headers, body, content, etag } = exchange
    const say = (status: string, more: readonly string[] = [], answer: Buffer | string = ''): void => {
      const lines = [`HTTP/1.1 ${status}`, `Content-Length: ${answer.length}`, ...more]
      socket.write(`${lines.join('\r\n')}\r\n\r\n`)
      socket.write(answer)
    }
    if (target.pathname.startsWith(TUS_PATH)) return void answerTus(exchange, say)
    if (!file) return void say('404 Not Found')
    if (method === 'POST') {
      const form = body.toString('latin1')
      const session = sessions.get(`${TUS_PATH}/${new URLSearchParams(form).get('session_id')}`)
      if (session) {
        if (session.bytes.length !== session.length) return void say('400 Bad Request')
        file.stored = session.bytes
      } else {
        const start = body.indexOf('\r\n\r\n') + 4
        file.stored = Buffer.from(body.subarray(start, body.lastIndexOf('\r\n--')))
      }
      return void say('200 OK', ['Content-Type: application/json'], '{"message": "ok"}')
    }
    const range = /^bytes=(\d+)-$/.exec(headers.range ?? '')
    const start = range && [etag, undefined].includes(headers['if-range']) ? Number(range[1]) : 0
    if (range && start > 0 && start < content.length)
      return void say(
        '206 Partial Content',
        [`ETag: ${etag}`, `Content-Range: bytes ${start}-${content.length - 1}/${content.length}`],
        content.subarray(start),
      )
    if (method !== 'HEAD') return void say('200 OK', [`ETag: ${etag}`], content)
    socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${content.length}\r\n\r\n`)
  }

  function answerTus(
    { method, target, headers, body }: Exchange,
    say: (status: string, more?: readonly string[]) => void,
  ): void {
    if (method === 'POST') {
      const name = `${TUS_PATH}/${++lastSession}`
      sessions.set(name, {
        bytes: Buffer.alloc(0),
        length: Number(headers['upload-length']),
        path: target.searchParams.get('path') ?? undefined,
      })
      return void say('201 Created', [`Location: ${name}`])
    }
    const session = sessions.get(target.pathname)
    if (!session) return void say('404 Not Found')
    if (method === 'HEAD')
      return void say('200 OK', [
        `Upload-Offset: ${session.bytes.length}`,
        `Upload-Length: ${session.length}`,
      ])
    if (Number(headers['upload-offset']) !== session.bytes.length) return void say('409 Conflict')
    session.bytes = Buffer.concat([session.bytes, body])
    say('204 No Content', [`Upload-Offset: ${session.bytes.length}`])
  }

  function flood(socket: Socket, piece: Buffer, what: string): void {
    const many = Buffer.concat(
      Array.from({ length: Math.max(1, Math.ceil(65_536 / piece.length)) }, () => piece),
    )
    const begunMs = performance.now()
    let bytes = 0
    const more = (): void => {
      while (!socket.destroyed) {
        bytes += many.length
        if (bytes > MAX_FLOOD_BYTES || performance.now() - begunMs > MAX_FLOOD_MS) {
          violations.push(`the node went on reading a flood: ${what}, ${bytes} bytes`)
          socket.destroy()
          return
        }
        if (!socket.write(many)) {
          socket.once('drain', more)
          return
        }
      }
    }
    more()
  }

  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const origin = `http://127.0.0.1:${port}`
  const galaxy: HostileGalaxy = {
    origin,
    endpoint: `${origin}${FILES_PATH}?job_key=${KEY}`,
    key: KEY,
    files,
    played,
    violations,
    async close() {
      for (const socket of sockets) socket.destroy()
      await new Promise((resolve) => server.close(resolve))
    },
  }
  return galaxy
}
