import type { ErrorCode } from './error-table.js'

export class MagnetarError extends Error {
  readonly code: ErrorCode
  /** The command or line that fixes it, when one is known for this very case. */
  readonly fix: string | undefined
  constructor(code: ErrorCode, message: string, options: { fix?: string; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.name = 'MagnetarError'
    this.code = code
    this.fix = options.fix
  }
}

const DISK_FULL_CODES = new Set(['ENOSPC', 'EDQUOT'])
const DISK_FAILED_CODES = new Set(['EIO', 'EROFS', 'ESTALE', 'EUCLEAN', 'ENXIO'])
const TOO_MANY_FILES_CODES = new Set(['EMFILE', 'ENFILE'])

/** Whether the system may do the same thing later that it refuses now, so that nothing may be concluded from it. */
export function mayPass(error: unknown): boolean {
  const errno = errnoOf(error) ?? ''
  return (
    errno === 'ENOMEM' ||
    errno === 'EAGAIN' ||
    DISK_FAILED_CODES.has(errno) ||
    TOO_MANY_FILES_CODES.has(errno)
  )
}

/** The errno name ("ENOENT") of a system error, undefined for anything else. */
export function errnoOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined
}

/**
 * The MagnetarError that stands for `error`: itself, DISK_FULL, DISK_FAILED or TOO_MANY_FILES for what the system said, else INTERNAL with
 * it as cause. Never with the path, which clients need not know.
 */
export function toMagnetarError(error: unknown): MagnetarError {
  if (error instanceof MagnetarError) return error
  const errno = errnoOf(error)
  if (errno && DISK_FULL_CODES.has(errno)) {
    return new MagnetarError('DISK_FULL', 'no space left on the disk that holds the job directories', {
      cause: error,
    })
  }
  if (errno && DISK_FAILED_CODES.has(errno))
    return new MagnetarError('DISK_FAILED', `a file could not be read or written (${errno})`, {
      cause: error,
    })
  if (errno && TOO_MANY_FILES_CODES.has(errno))
    return new MagnetarError('TOO_MANY_FILES', `too many files are open (${errno})`, { cause: error })
  return new MagnetarError('INTERNAL', 'internal error', { cause: error })
}

/** The message of anything thrown, for log lines and job reasons. */
export function messageOf(error: unknown): string {
  // Of a host with several addresses: Node says nothing for them together.
  if (error instanceof AggregateError && error.message === '')
    return [...new Set(error.errors.map(messageOf))].join(', ')
  return error instanceof Error ? error.message : String(error)
}
