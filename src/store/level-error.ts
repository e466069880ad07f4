import { MagnetarError, messageOf } from '../lib/errors.js'
import { isLocked } from './careful-open.js'

/** LevelDB has nothing but the words of the C library. */
const WORDS: Readonly<Record<string, string>> = {
  'No space left on device': 'ENOSPC',
  'Disk quota exceeded': 'EDQUOT',
  'Input/output error': 'EIO',
  'Read-only file system': 'EROFS',
  'Stale file handle': 'ESTALE',
  'Too many open files in system': 'ENFILE',
  'Too many open files': 'EMFILE',
}

/** The same error with the errno that LevelDB's words stand for, where they stand for one. */
export function withErrno(error: unknown): unknown {
  for (let each: unknown = error; each instanceof Error; each = each.cause) {
    const message = messageOf(each)
    for (const [words, code] of Object.entries(WORDS)) {
      if (message.includes(words))
        return Object.assign(new Error(`the job records: ${message}`, { cause: error }), { code })
    }
  }
  return error
}

/** Where a store is, and what people call it: a copy that is read stands for the store that it was made of. */
export interface StorePlace {
  readonly location: string
  readonly name: string
}

/** What a read failed by: the system's errno, else STORE_BROKEN. */
export function readError(place: StorePlace, error: unknown): unknown {
  const named = withErrno(error)
  return named === error ? brokenError(place, 'read', error) : named
}

/** Why a store cannot be opened: STORE_LOCKED or STORE_BROKEN. */
export function openError(place: StorePlace, error: unknown): MagnetarError {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error
  if (isLocked(error)) {
    return new MagnetarError('STORE_LOCKED', `another server already uses ${place.name}`, {
      fix: 'Stop the other server first, or give this one its own persistence_directory.',
      cause,
    })
  }
  return brokenError(place, 'open', cause)
}

/** What is damaged stays as it is: whether anything of it is to be given up is for a person to say. */
function brokenError(
  { location, name: directory }: StorePlace,
  doing: 'open' | 'read',
  error: unknown,
): MagnetarError {
  const reason = messageOf(error).replaceAll(location, directory)
  const message = `cannot ${doing} the job records in ${directory}: ${reason}`
  const code = error instanceof Error && 'code' in error ? String(error.code) : ''
  const isDamaged = /corrupt|decode|no meta-|CURRENT|checksum|truncated|No such file/i.test(
    `${code} ${messageOf(error)}`,
  )
  if (!isDamaged) return new MagnetarError('STORE_BROKEN', message, { cause: error })
  return new MagnetarError('STORE_BROKEN', message, {
    fix: `The disk may be at fault: look at its log first. Put ${directory} back from a backup; or set it aside (mv ${directory} ${directory}.broken) and start with none: the directories of all jobs stay, but jobs that were under way are not known any more.`,
    cause: error,
  })
}
