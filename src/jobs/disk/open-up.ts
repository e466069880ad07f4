import fs from 'node:fs'
import path from 'node:path'
import { FILE_DIRECTORIES, WORK_DIRECTORIES } from '../directory.js'

const OWNER_MAY_ALL = 0o700
const MODE_BITS = 0o7777
/** Above the others: closed, it hides them. */
const NAMES = ['.', ...FILE_DIRECTORIES, ...WORK_DIRECTORIES]

/**
 * A tool may have closed its job directory, or one that we made there, also to us who own them: it is opened again. What belongs to
 * somebody else, a link, and what is not there stays as it is.
 */
export function openUp(directory: string): void {
  const user = process.geteuid?.()
  for (const name of NAMES) {
    const at = path.join(directory, name)
    try {
      const found = fs.lstatSync(at, { throwIfNoEntry: false })
      if (found === undefined || !found.isDirectory() || found.uid !== user) continue
      if ((found.mode & OWNER_MAY_ALL) !== OWNER_MAY_ALL)
        fs.chmodSync(at, (found.mode & MODE_BITS) | OWNER_MAY_ALL)
    } catch {
      // Whoever needs it says what is wrong with it.
    }
  }
}
