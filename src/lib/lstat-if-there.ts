import fs from 'node:fs'
import { errnoOf } from './errors.js'

/** What says that no file can be at a path; Node's throwIfNoEntry knows the first only. */
const NOT_THERE: ReadonlySet<string | undefined> = new Set(['ENOENT', 'ENOTDIR', 'ELOOP'])

/**
 * What is at this path; a symbolic link counts as itself. undefined: nothing, also because something else stands where a directory of the
 * path should be. @throws the system error when that cannot be told
 */
export function lstatIfThere(file: string): fs.Stats | undefined {
  try {
    return fs.lstatSync(file, { throwIfNoEntry: false })
  } catch (error) {
    if (NOT_THERE.has(errnoOf(error))) return undefined
    throw error
  }
}
