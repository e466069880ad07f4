import { errnoOf, messageOf } from '../../lib/errors.js'
import { TransferError } from '../transfer-error.js'
import { CA_OPTION } from './option-names.js'

/** What happened, for people; the host stands before it. */
const WORDS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'refused the connection',
  ECONNRESET: 'cut the connection',
  EPIPE: 'cut the connection',
  ECONNABORTED: 'cut the connection',
  ENOTFOUND: 'is a name that DNS does not know',
  EAI_AGAIN: 'is a name that could not be looked up just now',
  EHOSTUNREACH: 'cannot be reached from here (no route)',
  ENETUNREACH: 'cannot be reached from here (no network)',
  ETIMEDOUT: 'did not answer in time',
}

/** What OpenSSL and Node say of a certificate that cannot be trusted; names from OpenSSL's X509_verify_cert_error_string. */
const CERTIFICATE =
  /^(CERT_|ERR_TLS_CERT|UNABLE_TO_|DEPTH_ZERO_|SELF_SIGNED|HOSTNAME_MISMATCH|INVALID_CA|INVALID_PURPOSE|PATH_LENGTH)/

/**
 * The TransferError for a request or a body that failed on its way. What the caller's own signal ended stays that signal's reason.
 */
export function networkError(error: unknown, url: string | URL, signal: AbortSignal): unknown {
  if (signal.aborted) return signal.reason
  if (error instanceof TransferError) return error
  const { host } = new URL(url)
  const code = codeOf(error)
  if (code !== undefined && CERTIFICATE.test(code))
    return new TransferError(certificateWords(host, code), { transient: false, cause: error })
  const words = code === undefined ? undefined : WORDS[code]
  if (words) return new TransferError(`${host} ${words} (${code})`, { transient: true, cause: error })
  if (code === 'EPROTO' || code?.startsWith('ERR_SSL_'))
    return new TransferError(`${host} does not speak https there (${code})`, {
      transient: true,
      cause: error,
    })
  if (code?.startsWith('HPE_'))
    return new TransferError(`what ${host} sent is not HTTP (${code})`, { transient: true, cause: error })
  return new TransferError(`the connection to ${host} failed: ${messageOf(error)}`, {
    transient: true,
    cause: error,
  })
}

function certificateWords(host: string, code: string): string {
  const start = `the certificate of ${host} cannot be trusted (${code})`
  if (code === 'CERT_HAS_EXPIRED')
    return `${start}: it or one of its issuers has expired; renew it, or correct this machine's clock`
  if (code === 'CERT_NOT_YET_VALID') return `${start}: it is not valid yet; correct this machine's clock`
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID' || code === 'HOSTNAME_MISMATCH')
    return `${start}: it was made for another name; use the name it was made for, or have it made for ${host}`
  return `${start}: its issuer is unknown here; name a PEM file with the issuer's certificate in ${CA_OPTION}`
}

/** The code of the error or of what it stands for (an attempt at several addresses). */
function codeOf(error: unknown): string | undefined {
  const own = errnoOf(error)
  if (own !== undefined) return own
  if (error instanceof AggregateError) return codeOf(error.errors[0])
  return error instanceof Error && error.cause !== undefined ? codeOf(error.cause) : undefined
}
