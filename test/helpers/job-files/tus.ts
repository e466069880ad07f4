import { randomBytes } from 'node:crypto'
import { addTo, createHeap, type Heap, receiveBody } from './receive.js'
import { type Exchange, reply } from './send.js'

export const TUS_PATH = '/api/job_files/resumable_upload'

/** An upload in pieces. */
export interface TusSession {
  readonly length: number
  readonly heap: Heap
}

const VERSION = { 'tus-resumable': '1.0.0' }

/** Requests to the endpoint of resumable uploads (https://tus.io/protocols/resumable-upload), strict about the client's part. */
export async function handleTus(
  exchange: Exchange,
  url: URL,
  sessions: Map<string, TusSession>,
): Promise<void> {
  const { request, fault } = exchange
  if (request.headers['tus-resumable'] !== '1.0.0') return reply(exchange, 412, VERSION)
  const id = url.pathname.slice(TUS_PATH.length + 1)
  if (id === '') {
    const length = Number(request.headers['upload-length'] ?? 'NaN')
    if (request.method !== 'POST' || !Number.isSafeInteger(length)) return reply(exchange, 400, VERSION)
    const session = randomBytes(8).toString('hex')
    sessions.set(session, { length, heap: createHeap() })
    return reply(exchange, 201, { ...VERSION, location: `${TUS_PATH}/${session}${url.search}` })
  }
  const session = sessions.get(id)
  if (!session) return reply(exchange, 404, VERSION)
  const { heap, length } = session
  const offset = (): Record<string, string> => ({ ...VERSION, 'upload-offset': String(heap.bytes) })
  if (request.method === 'HEAD')
    return reply(exchange, 200, { ...offset(), 'upload-length': String(length), 'cache-control': 'no-store' })
  if (request.method !== 'PATCH') return reply(exchange, 405, VERSION)
  if (request.headers['content-type'] !== 'application/offset+octet-stream')
    return reply(exchange, 415, VERSION)
  if (request.headers['upload-offset'] !== String(heap.bytes)) return reply(exchange, 409, offset())
  // What has arrived stays, also when the rest does not.
  const whole = await receiveBody(exchange, (piece) => addTo(heap, piece))
  if (!whole) return
  if (heap.bytes > length) return reply(exchange, 413, VERSION)
  if (fault?.kind === 'swallow answer') return void request.socket.destroy()
  reply(exchange, 204, offset())
}
