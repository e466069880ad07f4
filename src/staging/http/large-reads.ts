import http from 'node:http'
import net from 'node:net'

/** More is no faster: the parser's copies are then memory that the system takes back each time, and clears again. */
const READ_BYTES = 256 * 1024

/** Of connections that were closed: a server that closes each would else cost a quarter of a MiB a file. */
const spare: Buffer[] = []
const MAX_SPARE = 8
/** Memory that is written over by the next read. */
const readBuffers = new WeakSet<ArrayBufferLike>()
let parserCopies = true

/**
 * Plain connections that read up to 256 KiB at a time, always into the same memory, instead of Node's 64 KiB, each of them an allocation of
 * its own: a download takes half the processor time (docs/decisions/0010).
 */
export class LargeReadsAgent extends http.Agent {
  override createConnection(options: http.ClientRequestArgs): net.Socket {
    const own = spare.pop() ?? allocate()
    const socket: net.Socket = net.connect({
      ...(options as net.TcpNetConnectOpts),
      onread: {
        buffer: () => (parserCopies ? own : allocate()),
        callback(bytes, memory) {
          // Whoever pauses the socket has stopped the reading by that.
          socket.emit('data', Buffer.from(memory.buffer, memory.byteOffset, bytes))
          return true
        },
      },
    })
    socket.once('close', () => {
      if (spare.length < MAX_SPARE) spare.push(own)
    })
    return socket
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
