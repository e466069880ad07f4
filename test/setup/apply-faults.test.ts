import { lstatSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import type { FileSystem } from '../../src/lib/atomic-file.js'
import { removeTree } from '../../src/lib/remove-tree.js'
import { ApplyError } from '../../src/setup/apply/apply-error.js'
import { tempDirectory } from '../helpers/temp-directory.js'
import { snapshot } from './tree-snapshot.js'
import { apply, failingAfter, makeBefore, plan } from './varied-plan.js'
import { type Call, isWriting, watchedFs } from './watched-fs.js'

const flushTree = async (): Promise<void> => {}

/** Calls after which a disk can be found broken, full or closed; a descriptor can always be closed. */
const mayFail = (call: Call, args: readonly unknown[]): boolean =>
  isWriting(call, args) || call === 'fsyncSync'

/** A file system of which the call with that number fails, and no other. */
function failingAt(number: number): FileSystem {
  let seen = 0
  return watchedFs((call, args) => {
    if (mayFail(call, args) && seen++ === number)
      throw Object.assign(new Error(`EIO: ${call}`), { code: 'EIO' })
  })
}

function directoriesBelow(root: string): string[] {
  return readdirSync(root, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => join(entry.parentPath, entry.name))
}

/** Which directory it is; a new one may get the number of an old one. */
function identityOf(path: string | Buffer): string | undefined {
  const stats = lstatSync(path, { throwIfNoEntry: false, bigint: true })
  return stats && `${stats.ino} ${stats.birthtimeNs}`
}

describe('a disk that fails', { timeout: 120_000 }, () => {
  it('at any call leaves the tree as it was', async () => {
    const root = await tempDirectory()
    await makeBefore(root)
    const before = snapshot(root)
    let number = 0
    for (; ; number++) {
      const tools = { fs: failingAt(number), flushTree }
      const error = await apply(root, await plan(root), { tools }).then(
        () => undefined,
        (thrown: unknown) => thrown,
      )
      if (error === undefined) break
      expect(error, `${number}: ${String(error)}`).toBeInstanceOf(ApplyError)
      expect((error as ApplyError).details.notUndone).toEqual([])
      expect((error as ApplyError).message).toContain('the disk reports an error (EIO)')
      expect(snapshot(root), `${number}: ${String(error)}`).toEqual(before)
    }
    expect(number).toBeGreaterThan(100)
    expect((await plan(root)).changes).toEqual([])
  })

  it('when all is done but tidying up is a warning, and the next run tidies up', async () => {
    const root = await tempDirectory()
    await makeBefore(root)
    const removing = async (tree: string): Promise<boolean> => {
      if (tree.endsWith('/.1.0.magnetar-old') && lstatSync(tree, { throwIfNoEntry: false }))
        throw Object.assign(new Error('EPERM: operation not permitted'), { code: 'EPERM' })
      return removeTree(tree)
    }
    const result = await apply(root, await plan(root), { tools: { removeTree: removing, flushTree } })
    const warning = expect.stringMatching(/^cannot remove all of what was there \(remove .*EPERM/)
    expect(result).toMatchObject({ interrupted: false, manifestWritten: true, warnings: [warning] })
    const next = await plan(root)
    expect(next.changes).toMatchObject([{ kind: 'remove', step: 'leftovers' }])
    await apply(root, next)
    expect(Object.keys(snapshot(root)).filter((name) => name.includes('magnetar'))).toEqual([])
    expect((await plan(root)).changes).toEqual([])
  })

  it('undoes as well where there are no hard links', async () => {
    const root = await tempDirectory()
    await makeBefore(root)
    const before = snapshot(root)
    const fs = watchedFs((call) => {
      if (call === 'linkSync') throw Object.assign(new Error('EOPNOTSUPP: link'), { code: 'EOPNOTSUPP' })
    })
    const total = (await plan(root)).changes.length
    for (let position = 0; position <= total; position++) {
      const failed = apply(root, failingAfter(await plan(root), position), { tools: { fs, flushTree } })
      await expect(failed).rejects.toMatchObject({ details: { notUndone: [] } })
      expect(snapshot(root)).toEqual(before)
    }
    const linked = await tempDirectory()
    await makeBefore(linked)
    await apply(linked, await plan(linked))
    await apply(root, await plan(root), { tools: { fs } })
    const trees = [root, linked].map((each) => JSON.stringify(snapshot(each)).replaceAll(each, ''))
    expect(trees[0]).toEqual(trees[1])
  })

  it('of a full disk undoes without writing anything', async () => {
    const root = await tempDirectory()
    await makeBefore(root)
    const before = snapshot(root)
    let isFull = false
    const fs = watchedFs((call, args) => {
      const needsRoom = ['writeSync', 'mkdirSync', 'symlinkSync', 'linkSync'].includes(call)
      if (isFull && (needsRoom || (call === 'openSync' && isWriting(call, args))))
        throw Object.assign(new Error('ENOSPC: no space left on device'), { code: 'ENOSPC' })
    })
    const wanted = await plan(root)
    const failed = apply(root, failingAfter(wanted, wanted.changes.length), {
      tools: { fs, flushTree },
      onEvent: ({ type }) => {
        isFull ||= type === 'failed'
      },
    })
    await expect(failed).rejects.toMatchObject({ details: { notUndone: [] } })
    expect(snapshot(root)).toEqual(before)
  })

  it('that cannot be moved in one (an overlay over an image) is moved entry by entry, and back', async () => {
    const root = await tempDirectory()
    await makeBefore(root)
    const before = snapshot(root)
    // As overlayfs answers for directories of a lower layer: until they are made anew.
    const lower = new Set(directoriesBelow(root).map(identityOf))
    const fs = watchedFs((call, [from]) => {
      if (call === 'renameSync' && lower.has(identityOf(from as Buffer)))
        throw Object.assign(new Error('EXDEV: cross-device link not permitted'), { code: 'EXDEV' })
    })
    const wanted = await plan(root)
    const failed = apply(root, failingAfter(wanted, wanted.changes.length), { tools: { fs, flushTree } })
    await expect(failed).rejects.toMatchObject({ details: { notUndone: [] } })
    expect(snapshot(root)).toEqual(before)
    await apply(root, await plan(root), { tools: { fs, flushTree } })
    expect((await plan(root)).changes).toEqual([])
  })
})
