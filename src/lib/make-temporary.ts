import { mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { errnoOf } from './errors.js'

/** Where TMPDIR names no directory. */
export const TEMPORARY_FALLBACKS: readonly string[] = ['/var/tmp', '/tmp']

/**
 * Makes a directory that only this user can look into: in the one that TMPDIR names or, where there is none of that name (of a login or a
 * scheduler's job that is over, or hidden by a service's own /tmp), in /var/tmp or /tmp.
 * @throws the system's error, of the one that TMPDIR names
 */
export async function makeTemporary(prefix: string, fallbacks = TEMPORARY_FALLBACKS): Promise<string> {
  try {
    return await mkdtemp(join(tmpdir(), prefix))
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT' && errnoOf(error) !== 'ENOTDIR') throw error
    for (const directory of fallbacks) {
      const made = await mkdtemp(join(directory, prefix)).catch(() => undefined)
      if (made !== undefined) return made
    }
    throw error
  }
}
