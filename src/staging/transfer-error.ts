/** Why a transfer failed, for people; never with a key, a token or a query string in it. */
export class TransferError extends Error {
  /** Trying again may help: the network, a busy server, a full disk. */
  readonly transient: boolean
  /** HTTP status, when a server gave one. */
  readonly status: number | undefined
  /** The server's word on when to try again (Retry-After), milliseconds. */
  readonly retryAfterMs: number | undefined
  /** The file to be sent is not there. */
  readonly missingFile: boolean
  constructor(
    message: string,
    options: {
      readonly transient: boolean
      readonly status?: number
      readonly retryAfterMs?: number
      readonly missingFile?: boolean
      readonly cause?: unknown
    },
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.name = 'TransferError'
    this.transient = options.transient
    this.status = options.status
    this.retryAfterMs = options.retryAfterMs
    this.missingFile = options.missingFile ?? false
  }

  /** The same failure in other words. */
  reworded(message: string): TransferError {
    const { transient, status, retryAfterMs, missingFile } = this
    return new TransferError(message, {
      transient,
      missingFile,
      cause: this,
      ...(status === undefined ? {} : { status }),
      ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
    })
  }
}

/** The statuses that pass by themselves (pulsar/client/transport/transient.py). */
const TRANSIENT_STATUSES: ReadonlySet<number> = new Set([408, 425, 429, 500, 502, 503, 504])

export function isTransientStatus(status: number): boolean {
  return TRANSIENT_STATUSES.has(status)
}

/** A redirect may lead to an address of any length. */
const MAX_SHOWN = 300

/** A URL without its query, in which Galaxy puts the job's key, and without user and password: fit for logs and messages. */
export function publicUrl(url: string): string {
  try {
    const { protocol, host, pathname } = new URL(url)
    const text = `${protocol}//${host}${pathname}`
    return text.length > MAX_SHOWN ? `${text.slice(0, MAX_SHOWN)}…` : text
  } catch {
    return 'an address that is none'
  }
}
