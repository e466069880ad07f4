import { readFile, stat } from 'node:fs/promises'
import { errnoOf, messageOf } from '../lib/errors.js'
import { limitTime } from '../lib/time-limit.js'
import { ConfigError, type Place } from './problems.js'

const MAX_BYTES = 1024 * 1024
const TIMEOUT_MS = 10_000

/** How a file came to be read, for the message when it cannot be. */
export interface FileReference {
  readonly path: string
  /** Where the path is written; the file itself when nobody wrote it. */
  readonly namedAt?: Place | undefined
  readonly key?: string
}

/**
 * The text of a configuration file; undefined when there is none.
 * @throws ConfigError when it is not a regular file of at most 1 MiB of UTF-8, or cannot be read within 10 s.
 */
export async function readConfigFile(
  reference: FileReference,
  signal?: AbortSignal,
): Promise<string | undefined> {
  const { path } = reference
  const limit = limitTime(signal, TIMEOUT_MS)
  try {
    const found = await stat(path)
    if (!found.isFile()) throw unreadable(reference, `${path} is not a regular file`)
    if (found.size > MAX_BYTES) throw unreadable(reference, `${path} has more than ${MAX_BYTES} bytes`)
    const bytes = await readFile(path, { signal: limit.signal })
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch (error) {
    if (error instanceof ConfigError || signal?.aborted) throw error
    const errno = errnoOf(error)
    if (errno === 'ENOENT' || errno === 'ENOTDIR') return undefined
    if (errno === 'EACCES') {
      throw unreadable(
        reference,
        `${path} cannot be read: permission denied`,
        'make it readable for the user of the server',
      )
    }
    if (error instanceof TypeError)
      throw unreadable(reference, `${path} is not UTF-8 text`, 'save it as UTF-8')
    throw unreadable(reference, `${path} cannot be read: ${messageOf(error)}`)
  } finally {
    limit.release()
  }
}

/** The same for a file that must be there. @throws ConfigError */
export async function readRequiredFile(reference: FileReference, signal?: AbortSignal): Promise<string> {
  const content = await readConfigFile(reference, signal)
  if (content !== undefined) return content
  throw unreadable(reference, `${reference.path} does not exist`, 'create it or correct the path')
}

function unreadable({ path, namedAt, key }: FileReference, message: string, fix?: string): ConfigError {
  const place = namedAt ?? { file: path }
  return new ConfigError(
    [{ file: place.file, line: place.line, key: key ?? '', message, fix }],
    'CONFIG_UNREADABLE',
  )
}
