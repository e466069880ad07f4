import { execFileSync } from 'node:child_process'
import { truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { readSmallFile, SMALL_FILE_BYTES } from '../../src/lib/small-file.js'
import { tempDirectory } from '../helpers/temp-directory.js'

const signal = AbortSignal.timeout(20_000)

describe('a file that a person names', () => {
  it('is read up to its limit, and no further', async () => {
    const file = join(await tempDirectory(), 'file')
    writeFileSync(file, 'ä\n')
    expect(await readSmallFile(file, signal)).toBe('ä\n')
    truncateSync(file, SMALL_FILE_BYTES)
    expect(await readSmallFile(file, signal)).toHaveLength(SMALL_FILE_BYTES - 1)
    truncateSync(file, SMALL_FILE_BYTES + 1)
    await expect(readSmallFile(file, signal)).rejects.toThrow('it has more than 1048576 bytes')
  })

  it('is refused, never waited for, where it is no regular file', async () => {
    const directory = await tempDirectory()
    execFileSync('mkfifo', [join(directory, 'pipe')])
    await expect(readSmallFile(join(directory, 'pipe'), signal)).rejects.toThrow('it is not a regular file')
    await expect(readSmallFile(directory, signal)).rejects.toThrow('it is a directory')
    await expect(readSmallFile('/dev/zero', signal)).rejects.toThrow('it is not a regular file')
    await expect(readSmallFile(join(directory, 'none'), signal)).rejects.toThrow('it does not exist')
  })
})
