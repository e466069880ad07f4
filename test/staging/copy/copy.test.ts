import { open, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { describe, expect, it } from 'vitest'
import { MagnetarError } from '../../../src/lib/errors.js'
import { unlessAborted } from '../../../src/staging/copy/abandon.js'
import { type CopyRequest, copyContent } from '../../../src/staging/copy/copier.js'
import { copyTasks } from '../../../src/staging/copy/copy-tasks.js'
import { pathError } from '../../../src/staging/copy/path-error.js'
import { TransferError } from '../../../src/staging/transfer-error.js'
import { tempDirectory } from '../../helpers/temp-directory.js'

const system = (code: string): Error => Object.assign(new Error(`${code}: words of the system`), { code })

describe('an error of a mounted path', () => {
  it.each([
    ['ENOENT', false, /\/galaxy\/f cannot be read: it is not there on this node.*mounted here/],
    ['EACCES', false, /\/galaxy\/f may not be read by the user that runs this node/],
    ['ELOOP', false, /\/galaxy\/f cannot be read: ELOOP/],
    ['EIO', true, /\/galaxy\/f cannot be read: EIO/],
    ['ESTALE', true, /file server or mount is away/],
    ['ENOTCONN', true, /file server or mount is away/],
    ['ENOSPC', true, /no space left for \/galaxy\/f \(ENOSPC\)/],
    ['EDQUOT', true, /no space left/],
    ['EMFILE', true, /EMFILE/],
  ])('%s: transient is %s', (code, transient, words) => {
    const error = pathError(system(code), '/galaxy/f', 'read')
    expect(error).toBeInstanceOf(TransferError)
    expect(error).toMatchObject({ transient, message: expect.stringMatching(words), missingFile: false })
  })

  it('tells writing from reading, and leaves what is none of a disk as it is', () => {
    expect(pathError(system('EROFS'), '/galaxy/f', 'write')).toMatchObject({
      transient: false,
      message: expect.stringContaining('mounted read-only'),
    })
    expect(pathError(new MagnetarError('NOT_A_FILE', 'no file'), '/f', 'write')).toMatchObject({
      transient: false,
      message: 'no file',
    })
    const other = new Error('cancelled')
    expect(pathError(other, '/f', 'write')).toBe(other)
  })
})

describe('a copy', () => {
  async function request(
    more: Partial<CopyRequest>,
  ): Promise<{ run: Promise<void>; from: number; close(): Promise<void> }> {
    const directory = await tempDirectory()
    await writeFile(path.join(directory, 'from'), 'x'.repeat(1000))
    const from = await open(path.join(directory, 'from'), 'r')
    const to = await open(path.join(directory, 'to'), 'w')
    const base: CopyRequest = {
      from: from.fd,
      to: to.fd,
      start: 0,
      size: 1000,
      freeBytes: 1e12,
      place: 'the disk',
      signal: new AbortController().signal,
      progress: () => {},
      readError: (error) => new Error('read', { cause: error }),
      writeError: (error) => (error instanceof TransferError ? error : new Error('write', { cause: error })),
    }
    return {
      run: copyContent({ ...base, ...more }),
      from: from.fd,
      close: async () => {
        await from.close()
        await to.close()
      },
    }
  }

  it('is not begun without room for it', async () => {
    const { run, close } = await request({ freeBytes: 1000 })
    await expect(run).rejects.toMatchObject({
      name: 'TransferError',
      transient: true,
      message: '1 MiB are to be written, and the disk has 1 MiB left',
    })
    await close()
  })

  it('says when its source has become shorter', async () => {
    const { run, close } = await request({ size: 2000 })
    await expect(run).rejects.toMatchObject({
      transient: true,
      message: expect.stringContaining('had 2000 bytes and now has 1000'),
    })
    await close()
  })

  it('tells whose error it was', async () => {
    const directory = await open(await tempDirectory(), 'r')
    const reading = await request({ from: directory.fd })
    await expect(reading.run).rejects.toMatchObject({ message: 'read', cause: { code: 'EISDIR' } })
    const full = await open('/dev/full', 'w')
    expect(copyTasks.copyPiece(reading.from, full.fd, 0, 1000)).toMatchObject({
      bytes: 0,
      writeError: { errno: 'ENOSPC' },
    })
    const readOnly = await open('/dev/null', 'r')
    const writing = await request({ to: readOnly.fd })
    await expect(writing.run).rejects.toMatchObject({ message: 'write', cause: { code: 'EINVAL' } })
    for (const each of [directory, reading, full, readOnly, writing]) await each.close()
  })
})

describe('work that a cancel cannot end', () => {
  it('is waited for when it ends by itself', async () => {
    const cancel = new AbortController()
    let end = (_value: string): void => {}
    const work = new Promise<string>((resolve) => {
      end = resolve
    })
    const result = unlessAborted(work, cancel.signal, 60_000)
    cancel.abort(new Error('cancelled'))
    end('done')
    expect(await result).toBe('done')
  })

  it('is left alone when it hangs', async () => {
    const cancel = new AbortController()
    const result = unlessAborted(new Promise<string>(() => {}), cancel.signal, 1)
    cancel.abort(new Error('cancelled'))
    await expect(result).rejects.toThrow('cancelled')
  })

  it('fails as it fails', async () => {
    const failing = Promise.reject(new Error('broken'))
    await expect(unlessAborted(failing, new AbortController().signal)).rejects.toThrow('broken')
  })
})
