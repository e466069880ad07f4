import { describe, expect, it } from 'vitest'
import { userName } from '../../../src/lib/user-name.js'
import { diskError } from '../../../src/staging/http/disk.js'

const file = { base: '/srv/jobs/7/inputs', components: ['sub', 'a.dat'] }
const denied = Object.assign(
  new Error("EACCES: permission denied, open '/proc/self/fd/37/.magnetar-upload-1'"),
  { code: 'EACCES' },
)

describe('an error of the disk', () => {
  it.each([
    [{ read: file }, 'may not read "inputs/sub/a.dat" in the job directory (EACCES)'],
    [{ write: file }, 'may not write to the directory "inputs/sub" in the job directory (EACCES)'],
    [undefined, 'has no right to the file or its directory in the job directory (EACCES)'],
  ])('names the user and what he has no right to, and is for good', (which, words) => {
    expect(diskError(denied, which)).toMatchObject({
      message: `${userName()}, the user of this node, ${words}`,
      transient: false,
    })
  })

  it('has no path in it that leads nowhere by the time it is read', () => {
    const error = Object.assign(new Error("EIO: i/o error, open '/proc/self/fd/37/a.dat'"), { code: 'EIO' })
    expect(diskError(error)).toMatchObject({
      message: "the disk that holds the job directories failed: EIO: i/o error, open 'a.dat'",
      transient: true,
    })
  })
})
