import nodeFs from 'node:fs'
import { lstat, mkdir, readdir, readFile, readlink, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import {
  type FileSystem,
  giveName,
  temporaryName,
  writeFileAtomically,
  writeTemporary,
} from '../../src/lib/atomic-file.js'
import { tempDirectory } from '../helpers/temp-directory.js'

describe('writeFileAtomically', () => {
  it('writes a file with its mode, whatever the umask is, and replaces one', async () => {
    const directory = await tempDirectory()
    const file = join(directory, 'app.yml')
    const umask = process.umask(0o077)
    try {
      await writeFileAtomically(file, 'one\n', { mode: 0o664 })
    } finally {
      process.umask(umask)
    }
    expect((await lstat(file)).mode & 0o777).toBe(0o664)
    await writeFileAtomically(file, Buffer.from([0, 255]), {
      mode: 0o600,
      uid: process.geteuid?.(),
      gid: undefined,
    })
    expect(await readFile(file)).toEqual(Buffer.from([0, 255]))
    expect((await lstat(file)).mode & 0o777).toBe(0o600)
    expect(await readdir(directory)).toEqual(['app.yml'])
  })

  it('replaces a link and leaves what it led to', async () => {
    const directory = await tempDirectory()
    const [file, target] = [join(directory, 'link'), join(directory, 'target')]
    await writeFile(target, 'theirs')
    await symlink(target, file)
    await writeFileAtomically(file, 'ours', { mode: 0o600 })
    expect(await readFile(target, 'utf8')).toBe('theirs')
    expect((await lstat(file)).isFile()).toBe(true)
  })

  it('never writes through a link that was put at its temporary name', async () => {
    const directory = await tempDirectory()
    const target = join(directory, 'target')
    await writeFile(target, 'theirs')
    await symlink(target, join(directory, temporaryName('app.yml')))
    await writeFileAtomically(join(directory, 'app.yml'), 'ours', { mode: 0o600 })
    expect(await readFile(target, 'utf8')).toBe('theirs')
    expect((await readdir(directory)).sort()).toEqual(['app.yml', 'target'])
  })

  it('leaves nothing when it fails, nor begins when it is aborted', async () => {
    const directory = await tempDirectory()
    await mkdir(join(directory, 'taken', 'x'), { recursive: true })
    await expect(writeFileAtomically(join(directory, 'taken'), 'x', { mode: 0o600 })).rejects.toMatchObject({
      code: 'EISDIR',
    })
    await expect(writeFileAtomically(join(directory, 'no', 'x'), 'x', { mode: 0o600 })).rejects.toMatchObject(
      {
        code: 'ENOENT',
      },
    )
    const signal = AbortSignal.abort(new Error('enough'))
    await expect(writeFileAtomically(join(directory, 'x'), 'x', { mode: 0o600, signal })).rejects.toThrow(
      'enough',
    )
    expect(await readdir(directory)).toEqual(['taken'])
  })

  it('does not give its name to the half-written file of another process', async () => {
    const directory = await tempDirectory()
    const first = writeTemporary(directory, 'app.yml', 'first', { mode: 0o600 })
    const second = writeTemporary(directory, 'app.yml', 'second', { mode: 0o600 })
    expect(() => giveName(first)).toThrow(expect.objectContaining({ code: 'SETUP_BUSY' }))
    giveName(second)
    expect(await readFile(join(directory, 'app.yml'), 'utf8')).toBe('second')
  })

  it('is readable for nobody else before it has its mode, and is on the disk before it has its name', async () => {
    const directory = await tempDirectory()
    const temporary = join(directory, temporaryName('secret'))
    const calls: string[] = []
    const modes = new Set<number>()
    const fs: FileSystem = new Proxy(nodeFs, {
      get(real, name: keyof FileSystem) {
        const call = real[name] as (...args: unknown[]) => unknown
        return (...args: unknown[]): unknown => {
          calls.push(name)
          const stats = real.lstatSync(temporary, { throwIfNoEntry: false })
          if (stats && name !== 'fsyncSync') modes.add(stats.mode & 0o777)
          return call.apply(real, args)
        }
      },
    })
    writeTemporary(directory, 'secret', 'x'.repeat(100_000), { mode: 0o640 }, fs)
    expect(calls.indexOf('fsyncSync')).toBeGreaterThan(calls.indexOf('fchmodSync'))
    expect(calls.indexOf('fchmodSync')).toBeGreaterThan(calls.lastIndexOf('writeSync'))
    expect([...modes].filter((mode) => mode !== 0o640)).toEqual([0o600])
    await expect(readlink(temporary)).rejects.toMatchObject({ code: 'EINVAL' })
  })
})
