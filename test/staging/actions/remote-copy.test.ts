import { execFileSync } from 'node:child_process'
import { appendFileSync } from 'node:fs'
import { chmod, lstat, mkdir, readdir, readFile, stat, symlink, truncate, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { describe, expect, it } from 'vitest'
import type { LocalFile } from '../../../src/staging/action.js'
import { remoteCopy } from '../../../src/staging/actions/remote-copy.js'
import { copier } from '../../../src/staging/copy/copier.js'
import { openDestination } from '../../../src/staging/copy/destination.js'
import { partName } from '../../../src/staging/http/version.js'
import { TransferError } from '../../../src/staging/transfer-error.js'
import { describeStagingAction, type OtherEnd } from '../../conformance/staging-action.js'
import { generated } from '../../helpers/job-files/content.js'
import { tempDirectory } from '../../helpers/temp-directory.js'
import { createTransferTools, openBelow, type TestTools } from '../../helpers/transfer-tools.js'

/** A file system that Galaxy and the node share. */
async function sharedDisk(): Promise<OtherEnd> {
  const root = path.join(await tempDirectory(), 'galaxy')
  const spec = (name: string) => ({ action_type: 'remote_copy', path: path.join(root, 'files', name) })
  return {
    offer: async (name, content) => {
      await mkdir(path.join(root, 'files'), { recursive: true })
      await writeFile(spec(name).path, content)
      return spec(name)
    },
    offerNothing: async (name) => spec(name),
    expect: async (name) => spec(name),
    delivered: (name) => readFile(spec(name).path).catch(() => undefined),
  }
}

describeStagingAction({ action: remoteCopy, open: sharedDisk })

const MIB = 1024 * 1024

async function places(): Promise<{ root: string; galaxy: string; at(...names: string[]): LocalFile }> {
  const root = await tempDirectory()
  const galaxy = path.join(root, 'galaxy')
  await mkdir(galaxy)
  await mkdir(path.join(root, 'job'))
  return { root, galaxy, at: (...components) => ({ base: path.join(root, 'job'), components }) }
}

async function stageIn(from: string, to: LocalFile, tools: TestTools = createTransferTools()) {
  return remoteCopy.stageIn?.({ action_type: 'remote_copy', path: from }, to, tools)
}

async function stageOut(from: LocalFile, to: string, tools: TestTools = createTransferTools()) {
  return remoteCopy.stageOut?.({ action_type: 'remote_copy', path: to }, from, tools)
}

const caught = (error: unknown): unknown => error

describe('remote_copy into a job', () => {
  it('goes on with the bytes that an earlier process copied of the same file', async () => {
    const { root, galaxy, at } = await places()
    const content = generated(6 * MIB, 1).read(0, 6 * MIB)
    const from = path.join(galaxy, 'f')
    await writeFile(from, content)
    const source = await copier.openSource(from)
    await copier.closeFile(source.fd)
    const version = {
      etag: `"${source.identity}"`,
      modified: undefined,
      isDateStrong: false,
      bytes: source.size,
    }
    const name = partName('f', version)
    await writeFile(path.join(root, 'job', `.magnetar-upload-part-${name}`), content.subarray(0, 2 * MIB))
    const tools = createTransferTools()
    expect(await stageIn(from, at('f'), tools)).toEqual({ bytes: 6 * MIB, resumedFrom: 2 * MIB })
    expect(tools.moved()).toBe(4 * MIB)
    expect((await readFile(path.join(root, 'job', 'f'))).equals(content)).toBe(true)
    expect(await readdir(path.join(root, 'job'))).toEqual(['f'])
  })

  it('never mixes two versions of a file, and says that it was changed under its hands', async () => {
    const { root, galaxy, at } = await places()
    const from = path.join(galaxy, 'f')
    await writeFile(from, Buffer.alloc(6 * MIB, 'a'))
    const tools = createTransferTools()
    const progress = (bytes: number): void => {
      tools.progress(bytes)
      appendFileSync(from, 'more')
    }
    const failure = await stageIn(from, at('f'), { ...tools, progress }).catch(caught)
    expect(failure).toBeInstanceOf(TransferError)
    expect(failure).toMatchObject({ transient: true, message: `${from} was changed while it was copied` })
    expect((await readdir(path.join(root, 'job'))).filter((name) => !name.startsWith('.'))).toEqual([])

    const again = tools.again()
    const { size } = await stat(from)
    expect(await stageIn(from, at('f'), again)).toEqual({ bytes: size, resumedFrom: 0 })
    expect((await readFile(path.join(root, 'job', 'f'))).equals(await readFile(from))).toBe(true)
    expect(await readdir(path.join(root, 'job'))).toEqual(['f'])
  })

  it('stops at once when the job is cancelled', async () => {
    const { root, galaxy, at } = await places()
    const from = path.join(galaxy, 'f')
    await writeFile(from, '')
    await truncate(from, 200 * MIB)
    const tools = createTransferTools()
    const progress = (bytes: number): void => {
      tools.progress(bytes)
      tools.cancel()
    }
    await expect(stageIn(from, at('f'), { ...tools, progress })).rejects.toThrow('cancelled by the test')
    expect((await readdir(path.join(root, 'job'))).filter((name) => !name.startsWith('.'))).toEqual([])
    expect(openBelow(root)).toEqual([])
  })

  it('follows links to the file', async () => {
    const { root, galaxy, at } = await places()
    await writeFile(path.join(galaxy, 'real'), 'content')
    await symlink('real', path.join(galaxy, 'link'))
    await stageIn(path.join(galaxy, 'link'), at('f'))
    expect(await readFile(path.join(root, 'job', 'f'), 'utf8')).toBe('content')
    expect((await lstat(path.join(root, 'job', 'f'))).isFile()).toBe(true)
  })

  it.each([
    ['a directory', 'directory', /is not a regular file/],
    ['a pipe', 'pipe', /is not a regular file/],
    ['what is below a file', 'file/x', /is not there on this node/],
    ['what does not exist', 'absent', /is not there on this node.*mounted here/],
  ])('refuses %s for good, and leaves nothing', async (_what, name, words) => {
    const { root, galaxy, at } = await places()
    await mkdir(path.join(galaxy, 'directory'))
    await writeFile(path.join(galaxy, 'file'), '')
    execFileSync('mkfifo', [path.join(galaxy, 'pipe')])
    const failure = await stageIn(path.join(galaxy, name), at('f')).catch(caught)
    expect(failure).toBeInstanceOf(TransferError)
    expect(failure).toMatchObject({ transient: false, message: expect.stringMatching(words) })
    expect(await readdir(path.join(root, 'job'))).toEqual([])
    expect(openBelow(root)).toEqual([])
  })

  it.each(['', 'relative/f', '/', '/d/', '/d/..', '/d/.', '/a\0b'])('refuses the path %j', async (wanted) => {
    const { at } = await places()
    const failure = await stageIn(wanted, at('f')).catch(caught)
    expect(failure).toMatchObject({ name: 'TransferError', transient: false })
    await writeFile(path.join(at().base, 'f'), 'x')
    expect(await stageOut(at('f'), wanted).catch(caught)).toMatchObject({
      name: 'TransferError',
      transient: false,
    })
  })
})

describe('remote_copy out of a job', () => {
  it('keeps the mode of the file it replaces, and makes new ones as others do', async () => {
    const { root, galaxy, at } = await places()
    await writeFile(path.join(root, 'job', 'f'), 'new', { mode: 0o600 })
    await writeFile(path.join(galaxy, 'old'), 'old')
    await chmod(path.join(galaxy, 'old'), 0o664)
    for (const name of ['old', 'new']) await stageOut(at('f'), path.join(galaxy, name))
    expect((await stat(path.join(galaxy, 'old'))).mode & 0o777).toBe(0o664)
    expect((await stat(path.join(galaxy, 'new'))).mode & 0o777).toBe(0o666 & ~process.umask())
    expect(await readFile(path.join(galaxy, 'old'), 'utf8')).toBe('new')
  })

  it('makes the missing directories, and writes where a link leads', async () => {
    const { root, galaxy, at } = await places()
    await writeFile(path.join(root, 'job', 'f'), 'new')
    await mkdir(path.join(galaxy, 'a'))
    await writeFile(path.join(galaxy, 'a', 'real'), 'old')
    await symlink('a/real', path.join(galaxy, 'link'))
    await stageOut(at('f'), path.join(galaxy, 'link'))
    await stageOut(at('f'), path.join(galaxy, 'x', 'y', 'z'))
    expect(await readFile(path.join(galaxy, 'a', 'real'), 'utf8')).toBe('new')
    expect((await lstat(path.join(galaxy, 'link'))).isSymbolicLink()).toBe(true)
    expect(await readFile(path.join(galaxy, 'x', 'y', 'z'), 'utf8')).toBe('new')
  })

  it('replaces what a crash left, and leaves nothing beside the file', async () => {
    const { root, galaxy, at } = await places()
    await writeFile(path.join(root, 'job', 'f'), 'new')
    const target = path.join(galaxy, 'f')
    const crashed = openDestination(target)
    await copier.closeFile(crashed.fd)
    expect(await readdir(galaxy)).toEqual([path.basename(crashed.temporary)])
    await stageOut(at('f'), target)
    expect(await readdir(galaxy)).toEqual(['f'])
  })

  it('leaves the old file, and nothing else, when it is cancelled on the way', async () => {
    const { root, galaxy, at } = await places()
    await writeFile(path.join(root, 'job', 'f'), '')
    await truncate(path.join(root, 'job', 'f'), 200 * MIB)
    await writeFile(path.join(galaxy, 'f'), 'old')
    const tools = createTransferTools()
    const failure = await stageOut(at('f'), path.join(galaxy, 'f'), {
      ...tools,
      progress: () => tools.cancel(),
    }).catch(caught)
    expect(failure).toMatchObject({ message: 'cancelled by the test' })
    expect(await readFile(path.join(galaxy, 'f'), 'utf8')).toBe('old')
    expect(await readdir(galaxy)).toEqual(['f'])
    expect(openBelow(root)).toEqual([])
  })

  it('tries again later when the file changes while it is copied', async () => {
    const { root, galaxy, at } = await places()
    const from = path.join(root, 'job', 'f')
    await writeFile(from, Buffer.alloc(MIB))
    const failure = await stageOut(at('f'), path.join(galaxy, 'f'), {
      ...createTransferTools(),
      progress: () => appendFileSync(from, 'more'),
    }).catch(caught)
    expect(failure).toMatchObject({
      name: 'TransferError',
      transient: true,
      message: '"f" changed its size while it was sent',
    })
    expect(await readdir(galaxy)).toEqual([])
  })

  it.each([
    ['a directory', 'directory'],
    ['a pipe', 'pipe'],
    ['a file where a directory should be', 'file/f'],
  ])('refuses to replace %s, for good', async (_what, name) => {
    const { root, galaxy, at } = await places()
    await writeFile(path.join(root, 'job', 'f'), 'new')
    await mkdir(path.join(galaxy, 'directory'))
    await writeFile(path.join(galaxy, 'file'), 'old')
    execFileSync('mkfifo', [path.join(galaxy, 'pipe')])
    const failure = await stageOut(at('f'), path.join(galaxy, name)).catch(caught)
    expect(failure).toBeInstanceOf(TransferError)
    expect(failure).toMatchObject({ transient: false })
    expect((await readdir(galaxy)).sort()).toEqual(['directory', 'file', 'pipe'])
    expect(await readFile(path.join(galaxy, 'file'), 'utf8')).toBe('old')
    expect(openBelow(root)).toEqual([])
  })

  it('lets the last of several deliveries to one path be whole', async () => {
    const { root, galaxy, at } = await places()
    const sizes = [3 * MIB, MIB, 2 * MIB]
    for (const [index, bytes] of sizes.entries())
      await writeFile(path.join(root, 'job', `f${index}`), generated(bytes, index).read(0, bytes))
    await Promise.all(sizes.map((_bytes, index) => stageOut(at(`f${index}`), path.join(galaxy, 'f'))))
    const found = await readFile(path.join(galaxy, 'f'))
    expect(found.equals(await readFile(path.join(root, 'job', 'f2')))).toBe(true)
    expect(await readdir(galaxy)).toEqual(['f'])
  })
})
