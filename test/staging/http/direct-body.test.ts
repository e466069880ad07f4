import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { describe, expect, it, onTestFinished } from 'vitest'
import type { BodyControl, BodyTaker, HttpAnswer } from '../../../src/staging/http-client.js'
import { openClient } from '../http-fixture.js'

const BYTES = 3_000_000
const CONTENT = Buffer.from(Array.from({ length: BYTES }, (_, at) => (at * 7 + (at >> 8)) % 251))

interface End {
  /** The connection of each request, in order. */
  readonly connections: number[]
  ask(): Promise<HttpAnswer>
}

async function begin(respond: (response: http.ServerResponse) => void): Promise<End> {
  const connections: number[] = []
  const server = http.createServer((request, response) => {
    connections.push(request.socket.remotePort ?? 0)
    respond(response)
  })
  await new Promise<void>((done) => void server.listen(0, '127.0.0.1', done))
  const client = openClient({ maxSockets: 1 })
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/f`
  const { signal } = new AbortController()
  return {
    connections,
    ask: () => client.request({ method: 'GET', url, signal, takesDirect: [200] }),
  }
}

const withLength = (response: http.ServerResponse): void => {
  response.setHeader('content-length', BYTES)
  response.end(CONTENT)
}

/** All of a body, in pieces of which each has a place of its own; between two of them the body is held up. */
function take(answer: HttpAnswer, pieceBytes: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const whole = Buffer.alloc(BYTES)
    let have = 0
    let isFree = true
    let control: BodyControl | undefined
    const taker: BodyTaker = {
      room: () => (isFree ? whole.subarray(have, have + pieceBytes) : undefined),
      filled(bytes) {
        have += bytes
        isFree = false
        void nextTurn().then(() => {
          isFree = true
          control?.resume()
        })
      },
      end: (error) => (error ? reject(error) : resolve(whole.subarray(0, have))),
    }
    control = answer.direct?.take(taker)
  })
}

describe('a body of a known length', () => {
  it.each([10_007, 400_000, BYTES])('arrives where it is wanted, %i bytes at a time', async (pieceBytes) => {
    const { ask, connections } = await begin(withLength)
    for (let round = 0; round < 2; round++) {
      const answer = await ask()
      expect(answer.headers['content-length']).toBe(String(BYTES))
      expect(answer.direct?.bytes).toBe(BYTES)
      expect((await take(answer, pieceBytes)).equals(CONTENT)).toBe(true)
      expect(answer.direct?.hadSurplus).toBe(false)
    }
    expect(new Set(connections).size).toBe(1)
  })

  it('comes no further while whoever takes it is full', async () => {
    const { ask } = await begin(withLength)
    const answer = await ask()
    const whole = Buffer.alloc(BYTES)
    let have = 0
    let isFull = false
    let tooEarly = 0
    await new Promise<void>((resolve, reject) => {
      const control = answer.direct?.take({
        room: () => whole.subarray(have, have + 100_000),
        isFull: () => isFull,
        filled(bytes) {
          if (isFull) tooEarly++
          have += bytes
          isFull = true
          // Time in which more could come.
          void nextTurn()
            .then(() => nextTurn())
            .then(() => {
              isFull = false
              control?.resume()
            })
        },
        end: (error) => (error ? reject(error) : resolve()),
      })
    })
    expect(whole.equals(CONTENT)).toBe(true)
    expect(tooEarly).toBe(0)
  })

  it('keeps its connection to itself until it is taken', async () => {
    const { ask, connections } = await begin(withLength)
    const first = await ask()
    const second = ask()
    await nextTurn()
    expect(connections).toHaveLength(1)
    await take(first, BYTES)
    expect((await take(await second, BYTES)).equals(CONTENT)).toBe(true)
    expect(new Set(connections).size).toBe(1)
  })

  it('ends with its connection when nobody wants the rest', async () => {
    const { ask, connections } = await begin(withLength)
    const answer = await ask()
    let isTold = false
    const control = answer.direct?.take({
      room: () => Buffer.alloc(1000),
      filled: () => control?.stop(),
      end: () => {
        isTold = true
      },
    })
    const again = await ask()
    expect((await take(again, BYTES)).equals(CONTENT)).toBe(true)
    expect(isTold).toBe(false)
    expect(new Set(connections).size).toBe(2)
  })

  it('ends with its connection when its answer is read as a stream', async () => {
    const { ask, connections } = await begin(withLength)
    const answer = await ask()
    answer.body.resume()
    const again = await ask()
    expect((await take(again, BYTES)).equals(CONTENT)).toBe(true)
    expect(new Set(connections).size).toBe(2)
  })

  it('that is cut has what came before, and then an error', async () => {
    const { ask } = await begin((response) => {
      response.setHeader('content-length', BYTES)
      response.write(CONTENT.subarray(0, 500_000), () => response.destroy())
    })
    const answer = await ask()
    await expect(take(answer, 10_007)).rejects.toMatchObject({ code: 'ECONNRESET' })
  })
})

describe('any other body', () => {
  it('comes as a stream', async () => {
    const { ask } = await begin((response) => response.end(CONTENT))
    const chunked = await begin((response) => {
      response.write('a')
      response.end('b')
    })
    expect((await ask()).direct).toBeDefined()
    const answer = await chunked.ask()
    expect(answer.direct).toBeUndefined()
    let text = ''
    for await (const chunk of answer.body) text += chunk
    expect(text).toBe('ab')
  })
})
