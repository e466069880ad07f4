import type { IncomingMessage, ServerResponse } from 'node:http'
import { MagnetarError } from '../lib/errors.js'
import type { Logger } from '../lib/log.js'
import { clientAddress } from './cache.js'

/** Seconds; what is under way mostly ends sooner. */
const RETRY_AFTER = 1
/** One client that asks too much is one line of the log, not thousands. */
const TELL_EVERY_MS = 60_000
const MAX_ADDRESS_LENGTH = 64

/** Counts the requests of each address that are being answered, so that one cannot take the place of all others. */
export interface Clients {
  /** Notes a request until its answer is over; the error to answer it with when its client has too many. */
  begin(request: IncomingMessage, response: ServerResponse): MagnetarError | undefined
}

/** @param limit requests of one address at once; Infinity: none */
export function createClients(limit: number, log: Logger): Clients {
  const inFlight = new Map<string, number>()
  let toldMs = Number.NEGATIVE_INFINITY
  if (limit === Number.POSITIVE_INFINITY) return { begin: () => undefined }
  return {
    begin(request, response) {
      const address = addressOf(request)
      const now = (inFlight.get(address) ?? 0) + 1
      inFlight.set(address, now)
      const { socket } = request
      // A pipelined answer whose turn never came has no 'close' of its own.
      let over = false
      const release = (): void => {
        if (over) return
        over = true
        socket.off('close', release)
        const left = (inFlight.get(address) ?? 1) - 1
        if (left > 0) inFlight.set(address, left)
        else inFlight.delete(address)
      }
      if (socket.getMaxListeners() < 200) socket.setMaxListeners(200)
      response.once('close', release)
      socket.once('close', release)
      if (socket.destroyed) release()
      if (now <= limit) return undefined
      response.setHeader('Retry-After', RETRY_AFTER)
      if (performance.now() - toldMs > TELL_EVERY_MS) {
        toldMs = performance.now()
        log.warn(
          `${address} has more than ${limit} requests under way: the rest is answered 429 (requests_per_client in app.yml)`,
        )
      }
      return new MagnetarError('TOO_MANY_REQUESTS', `this address has more than ${limit} requests under way`)
    },
  }
}

/** The peer; of a proxy on this machine, whose word can be believed, its client. */
function addressOf(request: IncomingMessage): string {
  const peer = clientAddress(undefined, request.socket.remoteAddress)
  const forwarded = request.headers['x-forwarded-for']
  if (forwarded === undefined || !(peer === '::1' || peer.startsWith('127.'))) return peer
  return clientAddress(forwarded, peer).slice(0, MAX_ADDRESS_LENGTH)
}
