import { readFileSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import type { Random } from '../peers/random.js'
import { createRandom } from '../peers/random.js'
import type { ChaosResult } from './chaos-result.js'

/**
 * Requests that nobody should send, over raw connections to a server that runs jobs: each is answered with what is HTTP, or its
 * connection is closed; none fails "unexpectedly", none gets at the file `outside`, and an honest request works after it.
 */

export interface Target {
  readonly port: number
  readonly pid: number
  readonly token: string
  /** Text that stands in files next to the job directories, and must never be answered. */
  readonly secret: string
  /** What the server has logged so far. */
  logs(): string
}

/** Longer than the server gives a client for its headers (20 s). */
const ANSWER_MS = 40_000
const AT_ONCE = 16
const MAX_RSS_BYTES = 1024 ** 3
const HONEST_EVERY = 100

export async function runHostileRequests(
  target: Target,
  seed: number,
  deadlineMs: number,
  signal: AbortSignal,
): Promise<ChaosResult> {
  const random = createRandom(seed)
  const violations: string[] = []
  const counts: Record<string, number> = { requests: 0, answers: 0, closed: 0, honest: 0, maxRssMiB: 0 }
  const count = (what: string, more = 1): void => {
    counts[what] = (counts[what] ?? 0) + more
  }
  const goOn = (): boolean => performance.now() < deadlineMs && !signal.aborted && violations.length === 0

  async function hammer(): Promise<void> {
    while (goOn()) {
      const attack = makeAttack(random, target.token)
      count('requests')
      count(attack.kind)
      const problem = await send(target.port, attack, count)
      const wrong = problem.wrong ?? judge(problem.said, target.secret)
      if (wrong !== undefined)
        violations.push(`seed ${seed}: ${attack.kind}: ${wrong}\n${show(attack)}\n${show2(problem.said)}`)
      if ((counts.requests ?? 0) % HONEST_EVERY === 0) {
        const honest = await askHonestly(target)
        count('honest')
        if (honest !== undefined)
          violations.push(`seed ${seed}: after ${attack.kind}: ${honest}\n${show(attack)}`)
        const rss = rssOf(target.pid)
        if (rss === undefined) {
          violations.push(
            `seed ${seed}: the server is gone after ${attack.kind}:\n${show(attack)}\n${target.logs().slice(-3000)}`,
          )
          return
        }
        counts.maxRssMiB = Math.max(counts.maxRssMiB ?? 0, Math.round(rss / 1024 ** 2))
        if (rss > MAX_RSS_BYTES) violations.push(`seed ${seed}: the server has ${rss} bytes`)
      }
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, hammer))
  const honest = await askHonestly(target)
  if (honest !== undefined) violations.push(`seed ${seed}: at the end: ${honest}`)
  const unexpected = /.*(unexpectedly|TypeError|RangeError|at file:).*/.exec(target.logs())
  if (unexpected) violations.push(`seed ${seed}: the log says ${unexpected[0].slice(0, 2000)}`)
  return { counts, violations }
}

function show({ pieces }: Attack): string {
  return JSON.stringify(Buffer.concat(pieces).subarray(0, 2000).toString('latin1'))
}

function show2(said: Buffer): string {
  return JSON.stringify(said.subarray(0, 1000).toString('latin1'))
}

/** What is wrong with all that came over a connection. */
function judge(said: Buffer, secret: string): string | undefined {
  if (said.includes(secret)) return 'the secret was told'
  const text = said.toString('latin1')
  if (text !== '' && !/^HTTP\/1\.1 \d{3} /.test(text)) return 'the answer is not HTTP'
  if (/"code":"INTERNAL"/.test(text)) return 'it failed unexpectedly'
  return undefined
}

function rssOf(pid: number): number | undefined {
  try {
    return Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) * 1024
  } catch {
    return undefined
  }
}

async function askHonestly({ port, token }: Target): Promise<string | undefined> {
  try {
    const answer = await fetch(`http://127.0.0.1:${port}/healthz?private_token=${token}`, {
      signal: AbortSignal.timeout(ANSWER_MS),
    })
    const text = await answer.text()
    return answer.status === 200 && text.includes('0.16.0') ? undefined : `${answer.status} ${text}`
  } catch (error) {
    return `no honest answer: ${String(error)}`
  }
}

interface Attack {
  readonly kind: string
  readonly pieces: readonly Buffer[]
  /** What follows the last piece. */
  readonly end: 'half-close' | 'destroy'
}

interface Sent {
  readonly said: Buffer
  readonly wrong: string | undefined
}

function send(port: number, attack: Attack, count: (what: string) => void): Promise<Sent> {
  return new Promise((resolve) => {
    const said: Buffer[] = []
    let bytes = 0
    const socket: Socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true })
    const finish = (wrong?: string): void => {
      clearTimeout(timer)
      socket.destroy()
      count(bytes > 0 ? 'answers' : 'closed')
      resolve({ said: Buffer.concat(said), wrong })
    }
    const timer = setTimeout(() => finish('no answer and no end'), ANSWER_MS)
    socket.on('error', () => {})
    socket.on('data', (piece) => {
      bytes += piece.length
      if (bytes < 1024 * 1024) said.push(piece)
    })
    socket.on('end', () => finish())
    socket.on('close', () => finish())
    socket.on('connect', () => {
      for (const piece of attack.pieces) socket.write(piece)
      if (attack.end === 'half-close') socket.end()
      else setTimeout(() => socket.destroy(), 5)
    })
  })
}

const METHODS = [
  'GET',
  'POST',
  'PUT',
  'DELETE',
  'HEAD',
  'OPTIONS',
  'PATCH',
  'TRACE',
  'CONNECT',
  'PRI',
  'get',
  'SUBSCRIBE',
] as const

const NAMES = [
  '7',
  '..',
  '.',
  '',
  '../outside',
  '../../outside',
  '..%2f..%2foutside',
  '%2e%2e/%2e%2e/outside',
  '..%5coutside',
  '%00',
  '7%00',
  'a%0ab',
  'a%0d%0aX: y',
  '%c0%ae%c0%ae/outside',
  '%c0%af',
  '%ed%a0%80',
  '%ff%fe',
  '%f0%9f%92%a9',
  '/etc/passwd',
  '//etc/passwd',
  '~root',
  '$(id)',
  '`id`',
  "'; id; '",
  '%25s%25n',
  '__proto__',
  'constructor',
  'hasOwnProperty',
  '.magnetar',
  '.magnetar/trash',
  '.magnetar-job',
  '.magnetar-upload-x',
  'CON',
  'null',
  '-rf',
  '%E2%80%AE',
  'a'.repeat(256),
  'a'.repeat(100_000),
  'a/'.repeat(3000),
  '%2e%2e%2f'.repeat(50),
  'link/x',
] as const

const TYPES = [
  'input',
  'output',
  'output_workdir',
  'workdir',
  'config',
  'jobdir',
  'unstructured',
  'metadata',
  'tool',
  '__proto__',
  'toString',
  '',
  '..',
] as const

const JSONS = [
  '{}',
  '[]',
  'null',
  '1e999',
  '-0',
  '"\\ud800"',
  '{"__proto__": {"setup": true}}',
  '{"constructor": {"prototype": {"x": 1}}}',
  '{"a": 1, "a": 2}',
  '{"setup": "yes", "setup_params": 7}',
  '{"touch_outputs": ["../../outside", "\\u0000", "a/../../x", ""]}',
  '{"job_id": ".."}',
  '[{"path": "../../../etc/passwd", "type": "galaxy"}]',
  '{"action_mapper": {"default_action": "copy", "paths": [{"path": 7}]}, "client_outputs": {"__proto__": []}}',
  '{"setup": [{"name": "../../x", "type": "__proto__", "action": {"action_type": "copy", "path": "/etc/passwd"}}]}',
  '[{"name": "A B", "value": "\\n"}]',
  `${'['.repeat(20_000)}${']'.repeat(20_000)}`,
  `{"a":${'{"a":'.repeat(5000)}1${'}'.repeat(5001)}`,
  `"${'x'.repeat(100_000)}"`,
  '{',
  '\u00ff',
] as const

const HEADERS = [
  'Content-Length: 5',
  'Content-Length: 5\r\nContent-Length: 6',
  'Content-Length: 5, 5',
  'Content-Length: -1',
  'Content-Length: +5',
  'Content-Length: 0x5',
  'Content-Length: 5e1',
  'Content-Length: 99999999999999999999',
  'Content-Length: 9007199254740993',
  'Content-Length:',
  'Transfer-Encoding: chunked',
  'Transfer-Encoding: chunked\r\nContent-Length: 5',
  'Transfer-Encoding: chunked, identity',
  'Transfer-Encoding: identity, chunked',
  'Transfer-Encoding: xchunked',
  'Transfer-Encoding : chunked',
  'Transfer-Encoding:\u000bchunked',
  'Transfer-Encoding: chunked\r\nTransfer-Encoding: identity',
  'Expect: 100-continue',
  'Expect: 200-ok',
  'Upgrade: websocket\r\nConnection: Upgrade',
  'Upgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA',
  'Connection: close',
  'Connection: keep-alive, close, x',
  'Host: a\r\nHost: b',
  'Host: [::1',
  'X: a\r\n b\r\n\tc',
  ' X: leading',
  ': nameless',
  'X',
  'X\u0000: y',
  'X: \u0000',
  'Range: bytes=0-,5-,-1',
  'Range: bytes=18446744073709551616-',
  `Range: bytes=${'0-,'.repeat(5000)}`,
  'If-Range: x\r\nRange: bytes=0-1',
  'Authorization: Bearer',
  `Authorization: Bearer ${'A'.repeat(50_000)}`,
  `Authorization: Bearer${' '.repeat(60_000)}x`,
  `X-Request-Id: ${'{"a":"'.repeat(100)}`,
  'X-Forwarded-For: ,,,,\u00ff',
  'Content-Type: multipart/form-data; boundary=',
  'Content-Type: application/x-www-form-urlencoded',
  'Content-Encoding: gzip',
  `${'X: y\r\n'.repeat(3000)}X: y`,
  `X: ${'y'.repeat(200_000)}`,
] as const

const BODIES = [
  '',
  'hello',
  'hello, and more than that',
  '5\r\nhello\r\n0\r\n\r\n',
  '5;ext=1\r\nhello\r\n0\r\nTrailer: x\r\n\r\n',
  'ffffffffffffffffff\r\nx',
  '-1\r\nx\r\n0\r\n\r\n',
  'zz\r\n',
  '5\nhello\n0\n\n',
  '5\r\nhelloXX0\r\n\r\n',
  `1;${'x'.repeat(70_000)}\r\na\r\n0\r\n\r\n`,
  '0\r\n\r\nGET /healthz HTTP/1.1\r\n\r\n',
  'private_token=x&command_line=id',
  '--x\r\nContent-Disposition: form-data; name="file"; filename="../../x"\r\n\r\n',
  `{"a":${'['.repeat(1000)}`,
  '\u0000\u0001\u00ff\u00fe',
] as const

function makeTarget(random: Random, token: string): string {
  const name = (): string => random.pick(NAMES)
  const manager = random.chance(0.2) ? `/managers/${random.chance(0.5) ? '_default_' : name()}` : ''
  const credentials = random.chance(0.9) ? `private_token=${token}` : `private_token=${name()}`
  const query = `${credentials}&name=${name()}&type=${random.pick(TYPES)}`
  const job = random.chance(0.6) ? '7' : name()
  switch (random.below(10)) {
    case 0:
      return `${manager}/jobs?${credentials}&job_id=${name()}&tool_id=${name()}&tool_version=${name()}`
    case 1:
      return `${manager}/jobs/${job}/submit?${credentials}&command_line=true&params=${json(random)}&submit_extras=${json(random)}`
    case 2:
      return `${manager}/jobs/${job}/submit?${credentials}&command_line=true&setup_params=${json(random)}&remote_staging=${json(random)}&env=${json(random)}&dynamic_file_sources=${json(random)}&dependencies_description=${json(random)}`
    case 3:
      return `${manager}/jobs/${job}/${random.pick(['status', 'cancel', 'files', 'files/path', name()])}?${query}`
    case 4:
      return `/cache${random.pick(['', '/status'])}?${credentials}&path=${name()}`
    case 5:
      return `${manager}/jobs/${job}/files?${query}&cache_token=${name()}`
    case 6:
      return `http://${random.pick(['x', '[::1', 'a@b', ''])}/jobs/${job}/files?${query}`
    case 7:
      return random.pick([
        '*',
        '',
        '?',
        '//',
        '/%',
        '/..%00',
        'ftp://x/',
        '/jobs//status',
        `/${'a'.repeat(300_000)}`,
        `/?${'a&'.repeat(50_000)}`,
        `/healthz?${credentials}&${'%'.repeat(10_000)}`,
      ])
    default:
      return `${manager}/jobs/${job}/files${random.chance(0.3) ? '/path' : ''}?${query}`
  }
}

function json(random: Random): string {
  const text = random.pick(JSONS)
  return random.chance(0.8) ? encodeURIComponent(text) : text.replaceAll(' ', '+')
}

function makeRequest(random: Random, token: string): string {
  const method = random.chance(0.8)
    ? random.pick(['GET', 'POST', 'PUT', 'DELETE'] as const)
    : random.pick(METHODS)
  const version = random.chance(0.95)
    ? 'HTTP/1.1'
    : random.pick(['HTTP/1.0', 'HTTP/2.0', 'HTTP/0.9', 'HTTP/1.10', 'http/1.1', 'RTSP/1.0', ''])
  const headers = random.some(HEADERS, 3)
  const lines = [`${method} ${makeTarget(random, token)} ${version}`, 'Host: x', ...headers]
  const newline = random.chance(0.95) ? '\r\n' : '\n'
  return `${lines.join(newline)}${newline}${newline}${random.pick(BODIES)}`
}

/** A request that stores a file, whole and right. */
function goodRequest(token: string): string {
  return `POST /jobs/7/files?private_token=${token}&type=input&name=good HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\ngood`
}

function makeAttack(random: Random, token: string): Attack {
  const end = random.chance(0.9) ? 'half-close' : 'destroy'
  const whole = (kind: string, text: string): Attack => ({ kind, end, pieces: [Buffer.from(text, 'latin1')] })
  switch (random.below(8)) {
    case 0: {
      const noise = Array.from({ length: random.below(2000) }, () => random.below(256))
      return { kind: 'noise', end, pieces: [Buffer.from(noise)] }
    }
    case 1:
      return { kind: 'changed bytes', end, pieces: [mutate(random, Buffer.from(goodRequest(token)))] }
    case 2: {
      const text = makeRequest(random, token)
      return whole('cut off', text.slice(0, random.below(text.length)))
    }
    case 3:
      return whole(
        'pipelined',
        Array.from({ length: 2 + random.below(80) }, () =>
          random.chance(0.7) ? goodRequest(token) : makeRequest(random, token),
        ).join(''),
      )
    case 4: {
      const bytes = Buffer.from(makeRequest(random, token).slice(0, 4000), 'latin1')
      const size = 1 + random.below(40)
      const pieces: Buffer[] = []
      for (let at = 0; at < bytes.length; at += size) pieces.push(bytes.subarray(at, at + size))
      return { kind: 'in pieces', end, pieces }
    }
    default:
      return whole('odd request', makeRequest(random, token))
  }
}

/** Never of a submit: what it changed could be a command. */
function mutate(random: Random, bytes: Buffer): Buffer {
  let changed = bytes
  for (let times = 1 + random.below(4); times > 0; times--) {
    const at = random.below(changed.length)
    const rest = changed.subarray(at + random.below(3))
    const middle = Buffer.from(Array.from({ length: random.below(4) }, () => random.below(256)))
    changed = Buffer.concat([changed.subarray(0, at), middle, rest])
  }
  return changed
}
