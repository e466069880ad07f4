import fs from 'node:fs'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { writeBody } from '../../../src/staging/http/write-body.js'
import { tempDirectory } from '../../helpers/temp-directory.js'

const MIB = 1024 * 1024
const TAKEN = 70 * MIB

afterEach(() => {
  vi.restoreAllMocks()
})

async function writeMuch(): Promise<unknown> {
  const fd = fs.openSync(join(await tempDirectory(), 'f'), 'w')
  const body = Readable.from(
    Array.from({ length: TAKEN / MIB }, () => Buffer.alloc(MIB)),
    { objectMode: false },
  )
  const options = { position: 0, maxBytes: TAKEN, progress: () => {} }
  return writeBody({ body }, fd, options).finally(() => fs.closeSync(fd))
}

describe('writeBody of a large body', () => {
  it('puts some of it on disk while the rest arrives, and does not end before that has', async () => {
    let open = 0
    const real = fs.fdatasync
    const sync = vi.spyOn(fs, 'fdatasync').mockImplementation((fd, done) => {
      open++
      real(fd, (error) => {
        open--
        done(error)
      })
    })
    expect(await writeMuch()).toEqual({ outcome: 'whole', bytes: TAKEN })
    expect(sync).toHaveBeenCalledOnce()
    expect(open).toBe(0)
  })

  it('relies on nothing that is in the file when the disk could not take it', async () => {
    const broken = Object.assign(new Error('EIO: i/o error, fdatasync'), { code: 'EIO' })
    vi.spyOn(fs, 'fdatasync').mockImplementation((_fd, done) => setImmediate(() => done(broken)))
    await expect(writeMuch()).rejects.toMatchObject({ ofDisk: true, cause: broken, writtenBytes: undefined })
  })
})
