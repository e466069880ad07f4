import { lstat } from 'node:fs/promises'
import path from 'node:path'
import { listDirectory } from '../../lib/fs.js'
import { createLimit } from '../../lib/limit.js'
import { MARKER } from '../directory.js'

const LOOKS_AT_ONCE = 8

/**
 * How many directories below these a server of ours made for jobs: what a Python Pulsar left has no mark. None are told of a staging
 * directory that is not there. @throws the system error
 */
export async function countJobDirectories(stagingDirectories: readonly string[]): Promise<number> {
  const limit = createLimit(LOOKS_AT_ONCE)
  let count = 0
  for (const staging of new Set(stagingDirectories)) {
    const names = await listDirectory(staging)
    const marks = names.map((name) =>
      limit(() =>
        lstat(path.join(staging, name, MARKER)).then(
          () => true,
          () => false,
        ),
      ),
    )
    count += (await Promise.all(marks)).filter(Boolean).length
  }
  return count
}
