import { createHash, timingSafeEqual } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import type { Query } from './query.js'

const BEARER = /^Bearer +(\S+) *$/i

/**
 * A check of the private token: query parameter `private_token` (what Pulsar clients send) or `Authorization: Bearer`. Without a
 * token configured everything passes (pulsar/web/routes.py: PulsarController._check_access). Takes the same time
 * whatever is wrong with a token: digests of equal length are compared.
 */
export function createTokenCheck(
  token: string | undefined,
): (request: IncomingMessage, query: Query) => boolean {
  if (!token) return () => true
  const wanted = digest(token)
  const matches = (given: string | undefined): boolean =>
    given !== undefined && timingSafeEqual(digest(given), wanted)
  return (request, query) =>
    matches(tokenOf(query)) || matches(BEARER.exec(request.headers.authorization ?? '')?.[1])
}

function tokenOf(query: Query): string | undefined {
  try {
    return query.get('private_token')
  } catch {
    // Not UTF-8, so not the token.
    return undefined
  }
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest()
}
