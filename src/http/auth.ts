import { createHash, timingSafeEqual } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import type { Query } from './query.js'

const BEARER = /^Bearer +(\S+) *$/i

/**
 * A check of the private token: query parameter `private_token` (what Pulsar clients send) or `Authorization: Bearer`. Without a
 * token configured everything passes (pulsar/web/routes.py: PulsarController._check_access). Takes the same time
 * whatever is wrong with a token: digests of equal length are compared, with every token that counts.
 * @param tokens one, or those that count now: while a token is changed, the old one and the new one
 */
export function createTokenCheck(
  tokens: string | undefined | (() => readonly string[]),
): (request: IncomingMessage, query: Query) => boolean {
  const current = typeof tokens === 'function' ? tokens : listOf(tokens)
  let known: readonly string[] = []
  let digests: readonly Buffer[] = []
  const matches = (given: string | undefined): boolean => {
    if (given === undefined) return false
    const found = digest(given)
    return digests.map((each) => timingSafeEqual(found, each)).includes(true)
  }
  return (request, query) => {
    const now = current()
    if (now !== known) {
      known = now
      digests = now.map(digest)
    }
    if (digests.length === 0) return true
    return matches(tokenOf(query)) || matches(BEARER.exec(request.headers.authorization ?? '')?.[1])
  }
}

function listOf(token: string | undefined): () => readonly string[] {
  const list = token ? [token] : []
  return () => list
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
