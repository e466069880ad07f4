import type { IncomingMessage } from 'node:http'

/** For the lines around the file. */
const ENVELOPE_BYTES = 16 * 1024

/**
 * The content of the one file in a multipart/form-data body, as Pulsar delivers it (staging: upload requests). undefined: it is none,
 * or longer than `maxBytes`.
 */
export async function readUpload(request: IncomingMessage, maxBytes: number): Promise<Buffer | undefined> {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length
    if (bytes > maxBytes + ENVELOPE_BYTES) return undefined
    chunks.push(chunk)
  }
  const boundary = /boundary="?([^";]+)"?/i.exec(request.headers['content-type'] ?? '')?.[1]
  return boundary === undefined ? undefined : firstPart(Buffer.concat(chunks), boundary)
}

/** What is between the first part's empty line and the next boundary. */
function firstPart(body: Buffer, boundary: string): Buffer | undefined {
  const headers = body.indexOf(`--${boundary}`)
  const start = body.indexOf('\r\n\r\n', headers)
  const end = body.indexOf(`\r\n--${boundary}`, start)
  return headers === -1 || start === -1 || end < start + 4 ? undefined : body.subarray(start + 4, end)
}
