import fs from 'node:fs/promises'
import path from 'node:path'
import { syncDirectory } from './atomic-file.js'
import { errnoOf } from './errors.js'

/**
 * Makes a directory and its missing parents, all of them there after a power cut too. Not by mkdir's own `recursive`, which never ends where a parent exists and still
 * nothing can be made in it (/proc, some network file systems).
 * @throws the system error; EEXIST or ENOTDIR when a file is in the way
 */
export async function makeDirectories(directory: string, mode = 0o777): Promise<void> {
  try {
    await make(directory, mode)
    return
  } catch (error) {
    if (errnoOf(error) === 'EEXIST' && (await fs.stat(directory)).isDirectory()) return
    if (errnoOf(error) !== 'ENOENT' || path.dirname(directory) === directory) throw error
  }
  await makeDirectories(path.dirname(directory), mode)
  try {
    await make(directory, mode)
  } catch (error) {
    if (errnoOf(error) !== 'EEXIST' || !(await fs.stat(directory)).isDirectory()) throw error
  }
}

async function make(directory: string, mode: number): Promise<void> {
  await fs.mkdir(directory, { mode })
  syncDirectory(path.dirname(directory))
}

/** The names in a directory; none when it does not exist. */
export async function listDirectory(directory: string): Promise<string[]> {
  try {
    return await fs.readdir(directory)
  } catch (error) {
    const errno = errnoOf(error)
    if (errno === 'ENOENT' || errno === 'ENOTDIR') return []
    throw error
  }
}
