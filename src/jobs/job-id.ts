import { MagnetarError } from '../lib/errors.js'

/** Below a staging directory: our own files, so no job can have this name. */
export const RESERVED_DIRECTORY = '.magnetar'

const MAX_NAME_BYTES = 255

/**
 * Checks that a job id is a plain file name, so that its directory is a child of the staging directory.
 * (The Python server accepts "", "." and "..": reference/rest §2.2.)
 * @throws MagnetarError JOB_ID_INVALID
 */
export function checkJobId(jobId: string): string {
  const wrong = wrongNameReason(jobId) ?? (jobId === RESERVED_DIRECTORY ? 'is reserved' : undefined)
  if (wrong) throw new MagnetarError('JOB_ID_INVALID', `job id ${wrong}`)
  return jobId
}

/** Why `name` is no plain file name; undefined when it is one. */
export function wrongNameReason(name: string): string | undefined {
  if (name === '') return 'is empty'
  if (name === '.' || name === '..') return 'is "." or ".."'
  if (name.includes('\0')) return 'contains a NUL character'
  if (name.includes('/') || name.includes('\\')) return 'contains a path separator'
  if (Buffer.byteLength(name) > MAX_NAME_BYTES) return `is longer than ${MAX_NAME_BYTES} bytes`
  return undefined
}
