import { constants, open } from 'node:fs/promises'
import { errnoOf } from './errors.js'
import { limitTime } from './time-limit.js'

/** More than a person writes. */
export const SMALL_FILE_BYTES = 1024 * 1024

const TIMEOUT_MS = 10_000

/**
 * The text of a file that a person named, as UTF-8. Never waits for whoever writes into a pipe.
 * @throws Error whose message says why, as the end of a sentence; the signal's reason when aborted
 */
export async function readSmallFile(file: string, signal: AbortSignal): Promise<string> {
  signal.throwIfAborted()
  const limit = limitTime(signal, TIMEOUT_MS)
  try {
    const handle = await open(file, constants.O_RDONLY | constants.O_NONBLOCK)
    try {
      const found = await handle.stat()
      if (found.isDirectory()) throw new Error('it is a directory')
      if (!found.isFile()) throw new Error('it is not a regular file')
      if (found.size > SMALL_FILE_BYTES) throw new Error(`it has more than ${SMALL_FILE_BYTES} bytes`)
      return await handle.readFile({ encoding: 'utf8', signal: limit.signal })
    } finally {
      await handle.close()
    }
  } catch (error) {
    signal.throwIfAborted()
    const reason = REASONS[errnoOf(error) ?? '']
    throw reason === undefined ? error : new Error(reason, { cause: error })
  } finally {
    limit.release()
  }
}

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: 'it does not exist',
  ENOTDIR: 'it does not exist',
  EACCES: 'this user may not read it',
}
