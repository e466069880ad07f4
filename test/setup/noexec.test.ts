import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { demandExec } from '../../src/setup/runtime/noexec.js'
import { tempDirectory } from '../helpers/temp-directory.js'

describe('a file system that starts no programs', () => {
  it('is named with its mount option, also for what is not there yet', async () => {
    const directory = await tempDirectory()
    const line = (mount: string, options: string) => `36 25 8:1 / ${mount} ${options} - ext4 /dev/x rw\n`
    const root = line('/', 'rw')
    const check = (info: string) => () => demandExec(join(directory, 'a/b'), 'name another --prefix', info)
    expect(check(root + line(directory, 'rw,noexec'))).toThrow(
      `${directory} is mounted with the option noexec`,
    )
    expect(check(root + line(directory, 'rw'))).not.toThrow()
    expect(check(root + line(`${directory}x`, 'noexec'))).not.toThrow()
    expect(check(root + line(directory, 'noexec') + line(directory, 'rw'))).not.toThrow()
    expect(check('')).not.toThrow()
  })
})
