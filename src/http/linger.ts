import type { IncomingMessage, ServerResponse } from 'node:http'

/** A body this small may still be under way when its request is answered: Node reads it and keeps the connection. */
const SMALL_BODY_BYTES = 64 * 1024
/** How much of an unwanted body is read and thrown away, and for how long, so that its sender gets to see the answer. */
const LINGER_BYTES = 256 * 1024 * 1024
const LINGER_MS = 30_000
/** A client that waits for 100 Continue and gets a final answer most likely sends no body. */
const LINGER_EXPECTING_MS = 1000

/**
 * Ends a response whose Content-Length is set, also when the body of the request has not been read. Closing then would make the
 * kernel reset the connection and the client lose the answer: Python's http.client and the like send everything
 * before they read. So the whole answer is written, the rest of the body thrown away within bounds, then the connection closed.
 */
export function endResponse(request: IncomingMessage, response: ServerResponse, body: string): void {
  if (isRead(request)) {
    // What arrived of a body that was given up half-way must not stay in the way of the next request.
    if (request.readableFlowing !== null) {
      request.removeAllListeners('data')
      request.resume()
    }
    response.end(body)
    return
  }
  response.setHeader('Connection', 'close')
  response.write(body)
  let left = LINGER_BYTES
  const finish = (): void => {
    clearTimeout(timer)
    request.removeAllListeners('data')
    request.off('close', finish)
    request.off('end', finish)
    if (!response.writableEnded) response.end()
  }
  const timer = setTimeout(finish, request.headers.expect === undefined ? LINGER_MS : LINGER_EXPECTING_MS)
  timer.unref()
  request.removeAllListeners('data')
  request.on('error', () => {})
  request.on('end', finish)
  request.on('close', finish)
  request.on('data', (chunk: Buffer) => {
    left -= chunk.length
    if (left < 0) finish()
  })
  request.resume()
}

function isRead(request: IncomingMessage): boolean {
  if (request.complete || request.destroyed) return true
  if (request.headers['transfer-encoding'] !== undefined) return false
  const length = request.headers['content-length']
  if (length === undefined || length === '0') return true
  // A body somebody has begun to read is not read on by Node; one that is waited for (100-continue) may never come.
  return (
    request.readableFlowing === null &&
    request.headers.expect === undefined &&
    Number(length) <= SMALL_BODY_BYTES
  )
}
