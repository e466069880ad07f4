import fs from 'node:fs/promises'
import { errnoOf } from './errors.js'

/** Makes a directory and its missing parents. */
export async function makeDirectories(directory: string, mode = 0o777): Promise<void> {
  await fs.mkdir(directory, { recursive: true, mode })
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
