import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { directoriesStep } from '../../src/setup/steps/directories.js'
import { tempDirectory } from '../helpers/temp-directory.js'
import { contextFor } from './context-fixture.js'

const planOf = (prefix: string, force = false) =>
  directoriesStep.plan(contextFor({ prefix, root: false, force }), [])

describe('a prefix that cannot be', () => {
  it.each([false, true])('is one below a file, and nothing is applied then (force: %s)', async (force) => {
    const file = join(await tempDirectory(), 'file')
    await writeFile(file, '')
    const { conflicts } = await planOf(join(file, 'x'), force)
    expect(conflicts).toMatchObject([{ path: file, blocking: true }])
  })

  it("is one among the kernel's own files", async () => {
    const { changes, conflicts } = await planOf('/proc/magnetar/node')
    expect(changes).toEqual([])
    expect(conflicts).toMatchObject([
      {
        path: '/proc/magnetar/node',
        blocking: true,
        message: expect.stringContaining('/proc is the kernel'),
      },
    ])
  })

  it('is none where directories can be made', async () => {
    expect((await planOf(join(await tempDirectory(), 'a', 'node'))).conflicts).toEqual([])
  })
})
