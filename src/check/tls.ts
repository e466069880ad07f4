import tls, { type ConnectionOptions, type PeerCertificate, type TLSSocket } from 'node:tls'
import { messageOf } from '../lib/errors.js'
import { limitTime } from '../lib/time-limit.js'
import { explainCertificate, TLS_WHY } from './explain-certificate.js'
import { codeOf, explainNetwork } from './explain-network.js'
import { describePlace, type Target } from './target.js'
import { CheckProblem, type Finding } from './types.js'

export interface TlsOptions {
  /** Whom to trust (trustOptions). */
  readonly trust: ConnectionOptions
  readonly signal: AbortSignal
  readonly timeoutMs: number
}

/** A certificate that ends sooner is worth a word: renewals that work happen earlier. */
const SOON_DAYS = 14
const DAY_MS = 86_400_000

/** What OpenSSL says when the other side does not answer in TLS. */
const NOT_TLS = /WRONG_VERSION_NUMBER|PACKET_LENGTH_TOO_LONG|HTTP_REQUEST|UNKNOWN_PROTOCOL|RECORD_LAYER/

/**
 * Shakes hands and looks at the certificate, as a client does that verifies it.
 * @throws CheckProblem of kind tls or reach; the signal's reason when aborted
 */
export async function checkTls(target: Target, options: TlsOptions): Promise<Finding<void>> {
  let socket: TLSSocket
  try {
    socket = await shakeHands(target, options)
  } catch (error) {
    options.signal.throwIfAborted()
    throw explainHandshake(target, error)
  }
  const certificate = socket.getPeerCertificate()
  const { authorized, authorizationError } = socket
  const version = socket.getProtocol() ?? 'TLS'
  socket.destroy()
  if (!authorized) throw explainCertificate(target, String(authorizationError ?? ''), certificate)
  const ends = new Date(certificate.valid_to)
  const date = ends.toISOString().slice(0, 10)
  const message = `certificate of ${nameOf(certificate)}, until ${date}, ${version}`
  if (ends.getTime() - Date.now() > SOON_DAYS * DAY_MS) return { value: undefined, message }
  const days = Math.floor((ends.getTime() - Date.now()) / DAY_MS)
  return {
    value: undefined,
    message,
    warning: {
      why: `It ends in ${days === 1 ? 'one day' : `${days} days`}; from then on Galaxy refuses the node.`,
      fix: 'Renew it (the file is ssl_pem of server.ini, or that of the proxy), then restart the server.',
    },
  }
}

/** Whether the port answers in TLS, with whatever certificate. */
export async function speaksTls(target: Target, options: Omit<TlsOptions, 'trust'>): Promise<boolean> {
  try {
    const socket = await shakeHands(target, { ...options, trust: {} })
    socket.destroy()
    return true
  } catch {
    return false
  }
}

function shakeHands({ host, port }: Target, { trust, signal, timeoutMs }: TlsOptions): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    // Looked at even when it is not to be trusted; nothing is sent over this connection.
    const socket = tls.connect({ ...trust, host, port, ...serverName(host), rejectUnauthorized: false })
    const limit = limitTime(signal, timeoutMs)
    const giveUp = (): void =>
      void socket.destroy(Object.assign(new Error(`${timeoutMs / 1000} s are up`), { code: 'ETIMEDOUT' }))
    limit.signal.addEventListener('abort', giveUp, { once: true })
    socket.once('close', () => {
      limit.signal.removeEventListener('abort', giveUp)
      limit.release()
    })
    socket.on('error', reject)
    socket.once('secureConnect', () => resolve(socket))
  })
}

function serverName(host: string): { servername?: string } {
  return /^[\d.]+$|:/.test(host) ? {} : { servername: host }
}

function nameOf({ subject, subjectaltname }: PeerCertificate): string {
  const names = subjectaltname?.replace(/DNS:|IP Address:/g, '') ?? ''
  return names || [subject?.CN].flat().join(', ') || 'nobody'
}

function explainHandshake(target: Target, error: unknown): CheckProblem {
  const place = describePlace(target)
  const code = codeOf(error) ?? ''
  if (
    NOT_TLS.test(code) ||
    (code === 'EPROTO' && NOT_TLS.test(messageOf(error).replaceAll(' ', '_').toUpperCase()))
  )
    return new CheckProblem('tls', {
      message: `${place} speaks plain HTTP, not HTTPS`,
      why: TLS_WHY,
      fix: `Use http://${place}/, or give the node a certificate: ssl_pem in server.ini.`,
    })
  if (code === 'ECONNRESET')
    return new CheckProblem('tls', {
      message: `${place} cut the connection when it was asked for TLS`,
      why: TLS_WHY,
      fix: `If it serves plain HTTP, use http://${place}/; else see its log: the file of ssl_pem may be wrong.`,
    })
  if (code.startsWith('ERR_SSL') || code === 'EPROTO')
    return new CheckProblem('tls', {
      message: `${place} and this program do not agree on TLS: ${messageOf(error)}`,
      why: TLS_WHY,
      fix: 'Let the server, or the proxy before it, offer TLS 1.2 or 1.3 with usual ciphers.',
    })
  return explainNetwork(target, error)
}
