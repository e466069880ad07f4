import { errnoOf, MagnetarError, messageOf } from '../../lib/errors.js'
import { TransferError } from '../transfer-error.js'

/** What may pass: a full disk, a file server that is away, too many open files. */
const TRANSIENT_ERRNOS: ReadonlySet<string> = new Set([
  'EAGAIN',
  'EBUSY',
  'ECONNREFUSED',
  'ECONNRESET',
  'EDQUOT',
  'EHOSTDOWN',
  'EHOSTUNREACH',
  'EIO',
  'EMFILE',
  'ENFILE',
  'ENOMEM',
  'ENOSPC',
  'ENOTCONN',
  'EREMOTEIO',
  'ESTALE',
  'ETIMEDOUT',
  'ETXTBSY',
])

/**
 * The TransferError for a failed operation on a path of Galaxy's, mounted here; what is no error of a file system stays as it is.
 * @param doing what was to be done with the path
 */
export function pathError(error: unknown, path: string, doing: 'read' | 'write'): unknown {
  if (error instanceof TransferError) return error
  const errno = errnoOf(error)
  if (error instanceof MagnetarError) {
    const full = error.code === 'DISK_FULL'
    const message = full ? words('ENOSPC', path, doing, error) : error.message
    return new TransferError(message, { transient: full, cause: error })
  }
  if (errno === undefined) return error
  const transient = TRANSIENT_ERRNOS.has(errno)
  return new TransferError(words(errno, path, doing, error), { transient, cause: error })
}

function words(errno: string, path: string, doing: 'read' | 'write', error: unknown): string {
  switch (errno) {
    case 'ENOENT':
    case 'ENOTDIR':
      return `${path} cannot be ${doing === 'read' ? 'read' : 'written'}: it is not there on this node. remote_copy needs what Galaxy has there mounted here, at the same place (${errno})`
    case 'EACCES':
    case 'EPERM':
      return `${path} may not be ${doing === 'read' ? 'read' : 'written'} by the user that runs this node (${errno})`
    case 'EROFS':
      return `${path} cannot be written: it is mounted read-only here (${errno})`
    case 'ENOSPC':
    case 'EDQUOT':
      return `no space left for ${path} (${errno})`
    case 'ESTALE':
    case 'ENOTCONN':
      return `${path} cannot be reached: its file server or mount is away (${errno})`
    default:
      return `${path} cannot be ${doing === 'read' ? 'read' : 'written'}: ${messageOf(error)}`
  }
}
