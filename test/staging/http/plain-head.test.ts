import { describe, expect, it } from 'vitest'
import { readPlainHead } from '../../../src/staging/http/plain-head.js'

const head = (...lines: string[]): string => `${['HTTP/1.1 200 OK', ...lines].join('\r\n')}\r\n\r\n`
const read = (text: string) => readPlainHead(Buffer.from(text, 'latin1'), [200])

describe('the head of an answer', () => {
  it('that announces a length is told from its body, and says then that there is none', () => {
    const text = head('Date: now', 'content-LENGTH:  0012 ', 'ETag: "content"')
    expect(read(`${text}0123456`)).toEqual({
      bodiless: Buffer.from(head('Date: now', 'Content-Length: 0', 'ETag: "content"')),
      bodyAt: text.length,
      bodyBytes: 12,
    })
  })

  it.each([
    ['is not whole', head('Content-Length: 5').slice(0, -1)],
    ['is longer than any should be', head(`X: ${'x'.repeat(20_000)}`, 'Content-Length: 5')],
    ['has another status', head('Content-Length: 5').replace('200', '404')],
    ['comes before the final one', `HTTP/1.1 100 Continue\r\n\r\n${head('Content-Length: 5')}`],
    ['is of an older HTTP', head('Content-Length: 5').replace('1.1', '1.0')],
    ['says nothing of a length', head('Date: now')],
    ['announces nothing', head('Content-Length: 0')],
    ['announces two lengths', head('Content-Length: 5', 'Content-Length: 6')],
    ['announces the same length twice', head('Content-Length: 5', 'content-length: 5')],
    ['announces a list', head('Content-Length: 5, 5')],
    ['announces a negative length', head('Content-Length: -5')],
    ['announces a length that is no number', head('Content-Length: 5e3')],
    ['announces more than a number can say', head('Content-Length: 12345678901234567890')],
    ['has spaces before the colon', head('Content-Length : 5')],
    ['comes in chunks', head('Content-Length: 5', 'Transfer-Encoding: chunked')],
    ['changes the protocol', head('Content-Length: 5', 'Upgrade: h2c')],
    ['folds its lines', head('Content-Length: 5', 'X: a', ' Transfer-Encoding: chunked')],
    [
      'hides a line from one who counts carriage returns',
      head('Content-Length: 5\nTransfer-Encoding: chunked'),
    ],
    ['hides a line from one who does not', head('Content-Length: 5\rX: y')],
    ['has a zero byte', head('Content-Length: 5', 'X: \0')],
    ['is none', 'garbage\r\n\r\n'],
  ])('that %s is left to the parser', (_what, text) => {
    expect(read(`${text}01234`)).toBeUndefined()
  })

  it('is plain for the statuses that were asked for', () => {
    const partial = Buffer.from(head('Content-Length: 5').replace('200 OK', '206 Partial Content'))
    expect(readPlainHead(partial, [200])).toBeUndefined()
    expect(readPlainHead(partial, [200, 206])).toMatchObject({ bodyBytes: 5 })
  })
})
