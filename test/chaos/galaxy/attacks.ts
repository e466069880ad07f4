import { gzipSync } from 'node:zlib'
import type { Attack, Exchange } from './hostile-galaxy.js'

/** What a server may answer that is broken, mad or wants to do harm. */

type Play = Attack['play']

const STATUS_LINES = [
  'HTP/1.1 200 OK',
  'HTTP/9.9 200 OK',
  'HTTP/1.1 20 OK',
  'HTTP/1.1 2000 OK',
  'HTTP/1.1 abc',
  'HTTP/1.1 200',
  'HTTP/1.1  200 OK',
  'HTTP/1.1 -1 x',
  'HTTP/1.1 000 x',
  'HTTP/1.1 999 x',
  'HTTP/1.1 204 No Content',
  'HTTP/1.1 205 Reset Content',
  'HTTP/1.1 304 Not Modified',
  'HTTP/1.1 206 Partial Content',
  'HTTP/1.1 407 Proxy Authentication Required',
  'HTTP/1.1 416 Range Not Satisfiable',
  'HTTP/1.1 404 \u009b31m\u0007',
  'ICY 200 OK',
  'SSH-2.0-x',
  '\u0000\u0000\u0000',
  '',
  '<html>',
] as const

const WRONG_LENGTHS = [
  'Content-Length: -1',
  'Content-Length: +5',
  'Content-Length: 0x10',
  'Content-Length: 1e3',
  'Content-Length: 99999999999999999999999',
  'Content-Length: 9007199254740993',
  'Content-Length: 18446744073709551615',
  'Content-Length: 5, 5',
  'Content-Length: 5\r\nContent-Length: 6',
  'Content-Length: 5\r\nTransfer-Encoding: chunked',
  'Content-Length:',
  'Content-Length: \u00b2',
] as const

const CHUNKS = [
  'zz\r\n',
  '-1\r\nx\r\n0\r\n\r\n',
  'ffffffffffffffffff\r\nx',
  '7fffffffffffffff\r\nx',
  '5\nhello\n0\n\n',
  '5\r\nhelloXX0\r\n\r\n',
  '5\r\nhello\r\n',
  '\r\n',
  '0x5\r\nhello\r\n0\r\n\r\n',
  '5 ;\u0000\r\nhello\r\n0\r\n\r\n',
  '0\r\nContent-Length: 7\r\nX',
] as const

const ADDRESSES = [
  'file:///etc/passwd',
  'javascript:alert(1)',
  'ftp://127.0.0.1/x',
  'http://[::1',
  'http://',
  '//',
  'http://127.0.0.1:0/',
  'http://127.0.0.1:99999/',
  'http://127.0.0.1:1/',
  'http://\u009b31m/',
  `http://127.0.0.1:1/${'a'.repeat(12_000)}`,
  `http://${'a'.repeat(12_000)}/`,
  `${'a'.repeat(12_000)}:x`,
  `/${'../'.repeat(3000)}x`,
  '%zz',
  '/%',
  '\u00ff\u00fe',
  '',
] as const

const OFFSETS = [
  '-1',
  '+1',
  '1e3',
  '0x1',
  '99999999999999999999',
  'NaN',
  '',
  '0',
  '1',
  '\u00b2',
  '1, 1',
] as const

const KEEP_ALIVE = ['timeout=99999999999', 'timeout=0', 'timeout=-1', 'max=0', 'timeout=1e9', ','] as const

const say =
  (...lines: readonly string[]): Play =>
  ({ socket }) => {
    socket.write(`${lines.join('\r\n')}\r\n\r\n`, 'latin1')
  }
const sayAndClose =
  (...lines: readonly string[]): Play =>
  ({ socket }) => {
    socket.end(`${lines.join('\r\n')}\r\n\r\n`, 'latin1')
  }
/** One byte now and then: something moves, and it has no end. */
const drip = ({ socket }: Exchange, text: string): void => {
  let at = 0
  const timer = setInterval(() => socket.write(text[at++ % text.length] ?? ''), 100)
  socket.once('close', () => clearInterval(timer))
}

const OK = 'HTTP/1.1 200 OK'

/** What may be the answer to anything. */
const ANYTHING: readonly Attack[] = [
  {
    name: 'a status line that is none',
    play: ({ socket, random }) => {
      socket.write(`${random.pick(STATUS_LINES)}\r\nContent-Length: 0\r\n\r\n`, 'latin1')
      if (random.chance(0.5)) socket.end()
    },
    // 2xx without a body is a right answer to what was sent.
    lies: true,
  },
  {
    name: 'noise',
    play: ({ socket, random }) =>
      void socket.end(Buffer.from(Array.from({ length: random.below(3000) }, () => random.below(256)))),
  },
  {
    name: 'endless headers',
    play: (exchange) => {
      exchange.socket.write(`${OK}\r\n`)
      exchange.flood('X-Header: something\r\n')
    },
  },
  {
    name: 'a header without end',
    play: (exchange) => {
      exchange.socket.write(`${OK}\r\nX: `)
      exchange.flood('y'.repeat(1000))
    },
  },
  {
    name: 'endless 1xx',
    play: (exchange) => exchange.flood(`HTTP/1.1 ${exchange.random.pick([100, 102, 103, 199])} x\r\n\r\n`),
  },
  { name: 'endless 1xx, slowly', play: (exchange) => drip(exchange, 'HTTP/1.1 102 Processing\r\n\r\n') },
  { name: 'headers in drops', play: (exchange) => drip(exchange, `${OK}\r\nX: y\r\n`) },
  {
    name: 'a protocol of another kind',
    play: say('HTTP/1.1 101 Switching Protocols', 'Upgrade: x', 'Connection: Upgrade'),
  },
  {
    name: 'an endless page of an error',
    settles: true,
    play: (exchange) => {
      const status = exchange.random.pick(['500 x', '503 x', '404 x', '403 x', '302 x\r\nLocation: /'])
      exchange.socket.write(`HTTP/1.1 ${status}\r\nTransfer-Encoding: chunked\r\n\r\n`)
      exchange.flood(`400\r\n${'<b>\u001b[31m'.padEnd(1024, 'x')}\r\n`)
    },
  },
  {
    name: 'an error in drops',
    play: (exchange) => {
      exchange.socket.write('HTTP/1.1 500 x\r\n\r\n')
      drip(exchange, 'sorry')
    },
  },
  {
    name: 'an odd length',
    lies: true,
    play: ({ socket, random }) =>
      void socket.end(`${OK}\r\n${random.pick(WRONG_LENGTHS)}\r\n\r\nhello`, 'latin1'),
  },
  {
    name: 'broken chunks',
    lies: true,
    play: ({ socket, random }) =>
      void socket.end(
        `${random.pick([OK, 'HTTP/1.1 500 x'])}\r\nTransfer-Encoding: chunked\r\n\r\n${random.pick(CHUNKS)}`,
        'latin1',
      ),
  },
  {
    name: 'a chunk extension without end',
    settles: true,
    play: (exchange) => {
      exchange.socket.write(`${OK}\r\nTransfer-Encoding: chunked\r\n\r\n5;`)
      exchange.flood('x'.repeat(1000))
    },
  },
  {
    name: 'a redirect to itself',
    play: ({ socket, target, random }) =>
      void socket.write(
        `HTTP/1.1 ${random.pick([301, 302, 303, 307, 308])} x\r\nLocation: ${target.pathname}${target.search}\r\nContent-Length: 0\r\n\r\n`,
      ),
  },
  {
    name: 'a redirect to anywhere',
    play: ({ socket, random }) =>
      void socket.write(
        `HTTP/1.1 ${random.pick([301, 302, 303, 307, 308])} x\r\nLocation: ${random.pick(ADDRESSES)}\r\nContent-Length: 0\r\n\r\n`,
        'latin1',
      ),
  },
  { name: 'a redirect without an address', play: say('HTTP/1.1 307 x', 'Content-Length: 0') },
  { name: 'silence', play: () => {} },
  { name: 'an end', play: ({ socket }) => void socket.end() },
  { name: 'a reset', early: true, play: ({ socket }) => void socket.resetAndDestroy() },
  {
    name: 'an odd Retry-After',
    play: ({ socket, random }) =>
      void socket.write(
        `HTTP/1.1 503 x\r\nRetry-After: ${random.pick(['-5', 'abc', '0', 'Thu, 01 Jan 1970 00:00:00 GMT', '1e-9', ''])}\r\nContent-Length: 0\r\n\r\n`,
      ),
  },
  {
    name: 'a wrong error message',
    settles: true,
    play: ({ socket, random }) => {
      const page = random.pick([
        '{"err_msg": 7}',
        '{"err_msg": "\\u001b[2J\\u0000"}',
        `{"err_msg": "${'x'.repeat(5000)}"}`,
        'job_key=KEY-that-nobody-may-see',
        '[[[[',
        '\u009b',
      ])
      socket.write(`HTTP/1.1 403 x\r\nContent-Length: ${Buffer.byteLength(page)}\r\n\r\n${page}`)
    },
  },
]

/** Answers to a request for a file. */
export const FETCH_ATTACKS: readonly Attack[] = [
  ...ANYTHING,
  {
    name: 'cut off',
    play: ({ socket, content, etag, random }) => {
      const whole = Buffer.concat([
        Buffer.from(`${OK}\r\nETag: ${etag}\r\nContent-Length: ${content.length}\r\n\r\n`),
        content,
      ])
      socket.end(whole.subarray(0, random.below(whole.length)))
    },
  },
  {
    name: 'longer than announced',
    play: ({ socket, content, etag, random }) => {
      const less = random.below(content.length)
      socket.write(
        Buffer.concat([Buffer.from(`${OK}\r\nETag: ${etag}\r\nContent-Length: ${less}\r\n\r\n`), content]),
      )
    },
  },
  {
    name: 'shorter than announced',
    play: ({ socket, content, random }) =>
      void socket.end(
        Buffer.concat([
          Buffer.from(`${OK}\r\nContent-Length: ${content.length + 1 + random.below(1000)}\r\n\r\n`),
          content,
        ]),
      ),
  },
  {
    name: 'without a length, cut',
    play: ({ socket, content, random }) =>
      void socket.end(
        Buffer.concat([
          Buffer.from(`${OK}\r\nConnection: close\r\n\r\n`),
          content.subarray(0, random.below(content.length)),
        ]),
      ),
  },
  {
    name: 'chunks, cut',
    play: ({ socket, content }) =>
      void socket.end(
        Buffer.concat([
          Buffer.from(`${OK}\r\nTransfer-Encoding: chunked\r\n\r\n${content.length.toString(16)}\r\n`),
          content,
        ]),
      ),
  },
  {
    name: 'trailers without end',
    play: (exchange) => {
      const { socket, content } = exchange
      socket.write(
        Buffer.concat([
          Buffer.from(`${OK}\r\nTransfer-Encoding: chunked\r\n\r\n${content.length.toString(16)}\r\n`),
          content,
          Buffer.from('\r\n0\r\n'),
        ]),
      )
      exchange.flood('X: y\r\n')
    },
  },
  {
    name: 'chunks that are not the last coding, cut',
    play: ({ socket, content, random }) =>
      void socket.end(
        Buffer.concat([
          Buffer.from(`${OK}\r\nTransfer-Encoding: chunked, identity\r\n\r\n`),
          content.subarray(0, random.below(content.length)),
        ]),
      ),
  },
  {
    name: 'packed',
    play: ({ socket, content, random }) => {
      const packed = gzipSync(content)
      const coding = random.pick([
        'gzip',
        'x-gzip',
        'GZIP',
        'br',
        'identity, gzip',
        '\u009b31m',
        'z'.repeat(9000),
      ])
      socket.write(
        Buffer.concat([
          Buffer.from(
            `${OK}\r\nContent-Encoding: ${coding}\r\nContent-Length: ${packed.length}\r\n\r\n`,
            'latin1',
          ),
          packed,
        ]),
      )
    },
  },
  {
    name: 'packed for the transfer',
    play: ({ socket, content }) => {
      const packed = gzipSync(content)
      const size = packed.length.toString(16)
      socket.write(
        Buffer.concat([
          Buffer.from(`${OK}\r\nTransfer-Encoding: gzip, chunked\r\n\r\n${size}\r\n`),
          packed,
          Buffer.from('\r\n0\r\n\r\n'),
        ]),
      )
    },
  },
  {
    name: 'an odd range',
    play: ({ socket, content, etag, random }) => {
      const range = random.pick([
        'bytes 0-99999999999999999999/1',
        'bytes 5-4/9',
        'bytes */9',
        'bytes 0-0/9007199254740993',
        'items 0-1/2',
        `bytes 0-${content.length - 1}/${content.length}`,
        `bytes 1-${content.length}/${content.length + 1}`,
        '',
      ])
      const status = random.pick(['206 x', '206 x', '416 x'])
      socket.write(
        Buffer.concat([
          Buffer.from(
            `HTTP/1.1 ${status}\r\nETag: ${etag}\r\nContent-Range: ${range}\r\nContent-Length: ${content.length}\r\n\r\n`,
          ),
          content,
        ]),
      )
    },
  },
  {
    name: 'two answers',
    play: ({ socket, content, etag }) => {
      const answer = Buffer.concat([
        Buffer.from(`${OK}\r\nETag: ${etag}\r\nContent-Length: ${content.length}\r\n\r\n`),
        content,
      ])
      // Later, it would be the right answer to the next request of the connection: nobody could tell.
      socket.write(Buffer.concat([answer, Buffer.from(`${OK}\r\nContent-Length: 5\r\n\r\nWRONG`)]))
    },
  },
  {
    name: 'odd limits of the connection',
    play: ({ socket, random, content }) => {
      socket.write(
        Buffer.concat([
          Buffer.from(
            `${OK}\r\nConnection: keep-alive\r\nKeep-Alive: ${random.pick(KEEP_ALIVE)}\r\nContent-Length: ${content.length}\r\n\r\n`,
          ),
          content,
        ]),
      )
    },
  },
  {
    name: 'a file without end',
    endless: true,
    lies: true,
    play: (exchange) => {
      exchange.socket.write(`${OK}\r\nTransfer-Encoding: chunked\r\n\r\n`)
      drip(exchange, '1\r\nx\r\n')
    },
  },
  {
    name: 'a file that stops',
    endless: true,
    play: ({ socket, content }) => {
      socket.write(
        Buffer.concat([Buffer.from(`${OK}\r\nContent-Length: ${content.length + 1}\r\n\r\n`), content]),
      )
    },
  },
]

/** Answers to a file. */
export const POST_ATTACKS: readonly Attack[] = [
  ...ANYTHING,
  {
    name: 'all well before the file has come',
    settles: true,
    early: true,
    play: sayAndClose(OK, 'Content-Length: 0'),
  },
  { name: 'too large', early: true, play: sayAndClose('HTTP/1.1 413 x', 'Content-Length: 0') },
  {
    name: 'all well, without end',
    lies: true,
    play: (exchange) => {
      exchange.socket.write(`${OK}\r\nTransfer-Encoding: chunked\r\n\r\n`)
      exchange.flood(`400\r\n${'x'.repeat(1024)}\r\n`)
    },
  },
  {
    name: 'floods while the file comes',
    early: true,
    play: (exchange) => exchange.flood('HTTP/1.1 100 Continue\r\n\r\n'),
  },
]

/** Answers to a resumable upload. */
export const TUS_ATTACKS: readonly Attack[] = [
  {
    name: 'an upload that begins anywhere',
    play: ({ socket, random, method, honest }) => {
      if (method !== 'POST') return honest()
      socket.write(
        `HTTP/1.1 201 x\r\nLocation: ${random.pick(ADDRESSES)}\r\nContent-Length: 0\r\n\r\n`,
        'latin1',
      )
    },
  },
  {
    name: 'an upload that begins nowhere',
    play: ({ method, honest, socket }) =>
      method === 'POST' ? void socket.write('HTTP/1.1 201 x\r\nContent-Length: 0\r\n\r\n') : honest(),
  },
  {
    name: 'an odd offset',
    lies: true,
    play: ({ socket, random, headers, body }) => {
      const right = Number(headers['upload-offset'] ?? 0) + body.length
      const offset = random.pick([...OFFSETS, String(right + 1), String(right - 1)])
      const length = random.chance(0.2) ? `Upload-Length: ${random.pick(OFFSETS)}\r\n` : ''
      socket.write(
        `HTTP/1.1 ${random.pick(['200', '204'])} x\r\nUpload-Offset: ${offset}\r\n${length}\r\n`,
        'latin1',
      )
      if (random.chance(0.3)) socket.end()
    },
  },
  {
    name: 'an offset that goes to and fro',
    lies: true,
    play: ({ socket, method, headers, honest, random }) => {
      if (method === 'POST') return honest()
      const start = Number(headers['upload-offset'] ?? 0)
      if (method === 'HEAD') socket.write('HTTP/1.1 200 x\r\nUpload-Offset: 0\r\nContent-Length: 0\r\n\r\n')
      else if (start > 0 && random.chance(0.5)) socket.write('HTTP/1.1 409 x\r\nContent-Length: 0\r\n\r\n')
      else socket.write(`HTTP/1.1 204 x\r\nUpload-Offset: ${start + 1}\r\n\r\n`)
    },
  },
  {
    name: 'never the same offset',
    play: ({ socket, random }) =>
      void socket.write(
        `HTTP/1.1 ${random.pick(['409', '460', '404', '410'])} x\r\nContent-Length: 0\r\n\r\n`,
      ),
  },
]
