import type { HttpRequest } from '../http-client.js'
import { TransferError } from '../transfer-error.js'

export const MAX_REDIRECTS = 5

/** RFC 1035 §2.3.4; nobody has to read a longer one. */
export const MAX_HOST = 255

const REDIRECTS: ReadonlySet<number> = new Set([301, 302, 303, 307, 308])

/**
 * Where an answer leads; undefined: nowhere, it is the answer itself. Only 307 and 308 promise that a request with a body may be
 * repeated elsewhere as it is; what the others would make of it is a GET without the file.
 * @throws TransferError when it must not be followed
 */
export function nextHop(
  method: HttpRequest['method'],
  from: URL,
  status: number,
  location: string | undefined,
): URL | undefined {
  if (!REDIRECTS.has(status)) return undefined
  const what = `${from.host} answered ${method} with a redirect (${status})`
  if (location === undefined) throw refusal(`${what} that does not say where to`, status)
  const to = URL.canParse(location, from.href) ? new URL(location, from) : undefined
  if (to === undefined || to.hostname.length > MAX_HOST)
    throw refusal(`${what} to something that is no address`, status)
  if (to.protocol !== 'http:' && to.protocol !== 'https:')
    throw refusal(`${what} to the protocol ${JSON.stringify(to.protocol.slice(0, -1).slice(0, 40))}`, status)
  if (from.protocol === 'https:' && to.protocol === 'http:')
    throw refusal(`${what} from https to plain http at ${to.host}, which would let others read along`, status)
  const hasBody = method !== 'GET' && method !== 'HEAD'
  if (hasBody && status !== 307 && status !== 308) {
    const fix = 'let the address of the job files in Galaxy be the final one (galaxy_infrastructure_url)'
    throw refusal(`${what} to ${to.host}, where a file cannot be sent after it; ${fix}`, status)
  }
  return to
}

function refusal(message: string, status: number): TransferError {
  return new TransferError(message, { transient: false, status })
}
