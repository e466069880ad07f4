import { randomBytes } from 'node:crypto'
import type { IncomingMessage } from 'node:http'

/** What proxies and clients make: UUIDs, hex, base64. Anything else would only be a way into the log. */
const GIVEN = /^[\w.:+/=-]{1,128}$/

const instance = randomBytes(3).toString('hex')
let serial = 0

/** The name of a request in logs and answers: X-Request-Id as it came, or a new one. */
export function requestIdOf(request: IncomingMessage): string {
  const given = request.headers['x-request-id']
  return typeof given === 'string' && GIVEN.test(given) ? given : `${instance}-${(serial++).toString(36)}`
}
