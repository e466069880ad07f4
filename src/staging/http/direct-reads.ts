import http from 'node:http'
import net from 'node:net'
import type { DirectBody } from '../http-client.js'
import { OpenBody } from './open-body.js'
import { readPlainHead } from './plain-head.js'

/** More is no faster: the parser's copies are then memory that the system takes back each time, and clears again. */
const READ_BYTES = 256 * 1024
/** Of an answer whose body can be read to its place, so much at most goes through other memory. */
const HEAD_READ_BYTES = 64 * 1024

/** Of connections that were closed: a server that closes each would else cost a quarter of a MiB a file. */
const spare: Buffer[] = []
const MAX_SPARE = 8
/** Memory that is written over by the next read. */
const readBuffers = new WeakSet<ArrayBufferLike>()
let parserCopies = true

const readers = new WeakMap<net.Socket, SocketReader>()

/**
 * Plain connections. They read up to 256 KiB at a time, always into the same memory, instead of Node's 64 KiB, each of them an allocation of
 * its own. A body whose length is announced can be read straight to where it is wanted: Node's parser, which would copy each piece of it
 * into memory that V8 has to collect, is told that there is none (docs/decisions/0010).
 */
export class DirectReadsAgent extends http.Agent {
  override createConnection(options: http.ClientRequestArgs): net.Socket {
    const reader = new SocketReader()
    const socket: net.Socket = net.connect({
      ...(options as net.TcpNetConnectOpts),
      onread: {
        buffer: () => reader.room(),
        callback: (bytes, memory) => reader.read(socket, bytes, memory),
      },
    })
    readers.set(socket, reader)
    socket.once('close', () => reader.closed(socket))
    return socket
  }
}

/**
 * Tells before the answer to a request, which is about to be sent on `socket`, whether its body can be read directly: then whoever gets the
 * answer must not read it as a stream, but take or destroy it. `found` returns what is to be done when the body is over.
 */
export function expectDirectBody(
  socket: net.Socket,
  statuses: readonly number[],
  found: (body: DirectBody) => () => void,
): void {
  readers.get(socket)?.expect({ statuses, found })
}

/** Whether `socket` has stopped reading because nobody takes what has arrived. */
export function isHeldUp(socket: net.Socket): boolean {
  return readers.get(socket)?.isHeldUp() ?? false
}

interface Expected {
  readonly statuses: readonly number[]
  readonly found: (body: DirectBody) => () => void
}

class SocketReader {
  readonly #own = spare.pop() ?? allocate()
  #expected: Expected | undefined
  #body: OpenBody | undefined
  /** What comes goes to the parser: the more at once, the better. */
  #isStream = false

  /** Where the next read goes. */
  room(): Uint8Array {
    const room = this.#body?.room()
    if (room) return room
    if (this.#isStream) return parserCopies ? this.#own : allocate()
    return this.#own.subarray(0, HEAD_READ_BYTES)
  }

  expect(expected: Expected): void {
    this.#expected = expected
    this.#isStream = false
  }

  isHeldUp(): boolean {
    return this.#body !== undefined && !this.#body.isReady()
  }

  /** @returns whether to go on reading */
  read(socket: net.Socket, bytes: number, memory: Uint8Array): boolean {
    const expected = this.#expected
    this.#expected = undefined
    if (this.#body) return this.#body.arrived(memory, bytes)
    const piece = Buffer.from(memory.buffer, memory.byteOffset, bytes)
    const plain = expected && readPlainHead(piece, expected.statuses)
    if (!plain) {
      this.#isStream = true
      // Whoever pauses the socket has stopped the reading by that.
      socket.emit('data', piece)
      return true
    }
    const body = new OpenBody(socket, plain.bodyBytes, () => {
      this.#body = undefined
      onOver()
    })
    this.#body = body
    const onOver = expected.found(body)
    socket.emit('data', plain.bodiless)
    return body.arrived(piece.subarray(plain.bodyAt), bytes - plain.bodyAt)
  }

  closed(socket: net.Socket): void {
    const body = this.#body
    body?.closed(socket.errored ?? Object.assign(new Error('aborted'), { code: 'ECONNRESET' }))
    // A body may hold some of it.
    if (!body && spare.length < MAX_SPARE) spare.push(this.#own)
  }
}

function allocate(): Buffer {
  const memory = Buffer.allocUnsafeSlow(READ_BYTES)
  readBuffers.add(memory.buffer)
  return memory
}

/**
 * Whether a piece of a body may be written over while it is held. Node's HTTP parser hands on copies, which no documentation promises; were
 * one to stop that, the first piece tells, and from then on every read gets memory of its own.
 */
export function isOverwritten(piece: Uint8Array): boolean {
  if (!parserCopies || !readBuffers.has(piece.buffer)) return false
  parserCopies = false
  return true
}
