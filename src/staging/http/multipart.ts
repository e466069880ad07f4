import { randomBytes } from 'node:crypto'

/** What goes before and after the file in a form with one part named "file". */
export interface Form {
  readonly contentType: string
  readonly before: Buffer
  readonly after: Buffer
}

/** The form that curl makes of a file (pulsar/client/transport/curl.py: post_file). */
export function createForm(fileName: string): Form {
  const boundary = `------------------------${randomBytes(11).toString('hex')}`
  const before = `--${boundary}\r
Content-Disposition: form-data; name="file"; filename="${escapeName(fileName)}"\r
Content-Type: application/octet-stream\r
\r
`
  return {
    contentType: `multipart/form-data; boundary=${boundary}`,
    before: Buffer.from(before),
    after: Buffer.from(`\r\n--${boundary}--\r\n`),
  }
}

/** As browsers do it, and curl since 7.81: nothing else is escaped. */
function escapeName(name: string): string {
  return name.replaceAll('"', '%22').replaceAll('\r', '%0D').replaceAll('\n', '%0A')
}
