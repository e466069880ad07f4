import { execFileSync } from 'node:child_process'
import { closeSync, existsSync, readdirSync, writeSync } from 'node:fs'
import { mkdir, open, readdir, readFile, rename, stat, symlink, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { beforeEach, describe, expect, it } from 'vitest'
import * as confined from '../../src/lib/confined-file.js'
import { tempDirectory } from '../helpers/temp-directory.js'

// As the disk threads offer them: failures are rejections.
const { UPLOAD_PREFIX } = confined
const openForRead = async (...args: Parameters<typeof confined.openForRead>): Promise<confined.OpenFile> =>
  confined.openForRead(...args)
const touchFile = async (...args: Parameters<typeof confined.touchFile>): Promise<void> =>
  confined.touchFile(...args)
const makeParents = async (...args: Parameters<typeof confined.makeParents>): Promise<void> =>
  confined.makeParents(...args)
const writeWhole = async (...args: Parameters<typeof confined.copyFile>): Promise<void> =>
  confined.copyFile(...args)
async function createForWrite(...args: Parameters<typeof confined.openNewFile>) {
  const file = confined.openNewFile(...args)
  return {
    fd: file.fd,
    commit: async (options: { sync?: boolean } = {}) => confined.commitNewFile(file, options.sync),
    discard: async () => confined.discardNewFile(file),
  }
}

let root: string
let base: string
let outside: string

beforeEach(async () => {
  root = await tempDirectory()
  base = path.join(root, 'job', 'inputs')
  outside = path.join(root, 'outside')
  await mkdir(base, { recursive: true })
  await mkdir(outside)
  await writeFile(path.join(outside, 'secret'), 'secret')
})

const code = (value: string): object => ({ code: value })

async function write(components: string[], text: string): Promise<void> {
  const file = await createForWrite(base, components)
  writeSync(file.fd, text)
  await file.commit()
}

function openDescriptors(): number {
  return readdirSync('/proc/self/fd').length
}

describe('openForRead', () => {
  it('opens a file and tells its size', async () => {
    await mkdir(path.join(base, 'a'))
    await writeFile(path.join(base, 'a', 'f'), 'hello')
    const { fd, size } = await openForRead(base, ['a', 'f'])
    closeSync(fd)
    expect(size).toBe(5)
  })

  it('reads through links inside, and below a staging directory that is itself reached through a link', async () => {
    await writeFile(path.join(base, 'f'), 'hello')
    await symlink(path.join(base, 'f'), path.join(base, 'absolute'))
    await symlink(path.join(root, 'job'), path.join(root, 'alias'))
    for (const directory of [base, path.join(root, 'alias', 'inputs')])
      for (const name of ['f', 'absolute']) closeSync((await openForRead(directory, [name])).fd)
  })

  it('refuses what is outside, whichever part is the link, and what only begins like the base', async () => {
    await symlink(outside, path.join(base, 'd'))
    await symlink(path.join(outside, 'secret'), path.join(base, 'f'))
    await mkdir(`${base}-evil`)
    await writeFile(`${base}-evil/f`, 'x')
    await symlink(`${base}-evil/f`, path.join(base, 'near'))
    const before = openDescriptors()
    for (const components of [['d', 'secret'], ['f'], ['near'], ['..', '..', 'outside', 'secret']])
      await expect(openForRead(base, components)).rejects.toMatchObject(code('FILE_OUTSIDE_JOB'))
    await rename(base, `${base}.old`)
    await symlink(outside, base)
    await expect(openForRead(base, ['secret'])).rejects.toMatchObject(code('FILE_OUTSIDE_JOB'))
    expect(openDescriptors()).toBe(before)
  })

  it('refuses everything that is no regular file without waiting for it', async () => {
    execFileSync('mkfifo', [path.join(base, 'pipe')])
    await mkdir(path.join(base, 'dir'))
    await expect(openForRead(base, ['pipe'])).rejects.toMatchObject(code('NOT_A_FILE'))
    await expect(openForRead(base, ['dir'])).rejects.toMatchObject(code('NOT_A_FILE'))
    await expect(openForRead(base, ['absent'])).rejects.toMatchObject(code('FILE_NOT_FOUND'))
    await expect(openForRead(path.join(root, 'nothing'), ['f'])).rejects.toMatchObject(code('FILE_NOT_FOUND'))
  })
})

describe('createForWrite', () => {
  it('shows the file only after commit, and leaks no descriptor', async () => {
    const before = openDescriptors()
    const file = await createForWrite(base, ['x', 'y', 'f'])
    const directory = path.join(base, 'x', 'y')
    expect((await readdir(directory)).every((name) => name.startsWith(UPLOAD_PREFIX))).toBe(true)
    writeSync(file.fd, 'text')
    await file.commit({ sync: true })
    expect(await readdir(directory)).toEqual(['f'])
    const other = await createForWrite(base, ['x', 'y', 'f'])
    await other.discard()
    expect(await readFile(path.join(directory, 'f'), 'utf8')).toBe('text')
    expect(await readdir(directory)).toEqual(['f'])
    expect(openDescriptors()).toBe(before)
  })

  it('makes the base, one level only', async () => {
    await (await createForWrite(path.join(root, 'job', 'new'), ['f'])).commit()
    expect(existsSync(path.join(root, 'job', 'new', 'f'))).toBe(true)
    await expect(createForWrite(path.join(root, 'nojob', 'new'), ['f'])).rejects.toMatchObject(
      code('FILE_NOT_FOUND'),
    )
  })

  it('replaces a link by the file instead of writing through it', async () => {
    await symlink(path.join(outside, 'secret'), path.join(base, 'f'))
    await write(['f'], 'mine')
    expect(await readFile(path.join(base, 'f'), 'utf8')).toBe('mine')
    expect(await readFile(path.join(outside, 'secret'), 'utf8')).toBe('secret')
  })

  it('goes through parent links that stay inside, and no others', async () => {
    await mkdir(path.join(base, 'real'))
    await symlink('real', path.join(base, 'good'))
    await symlink(outside, path.join(base, 'bad'))
    await symlink('nowhere', path.join(base, 'dangling'))
    await write(['good', 'f'], 'x')
    expect(await readdir(path.join(base, 'real'))).toEqual(['f'])
    const before = openDescriptors()
    await expect(createForWrite(base, ['bad', 'f'])).rejects.toMatchObject(code('FILE_OUTSIDE_JOB'))
    await expect(createForWrite(base, ['bad', 'sub', 'f'])).rejects.toMatchObject(code('FILE_OUTSIDE_JOB'))
    await expect(createForWrite(base, ['dangling', 'f'])).rejects.toMatchObject(code('FILE_NOT_FOUND'))
    await rename(base, `${base}.old`)
    await symlink(outside, base)
    await expect(createForWrite(base, ['f'])).rejects.toMatchObject(code('FILE_OUTSIDE_JOB'))
    expect(await readdir(outside)).toEqual(['secret'])
    expect(openDescriptors()).toBe(before)
  })

  it('commits where it began when the base is swapped for a link meanwhile', async () => {
    const file = await createForWrite(base, ['f'])
    await rename(base, `${base}.old`)
    await symlink(outside, base)
    await file.commit()
    expect(await readdir(`${base}.old`)).toEqual(['f'])
    expect(await readdir(outside)).toEqual(['secret'])
  })

  it('refuses a directory of that name and a file among the parents', async () => {
    await mkdir(path.join(base, 'dir'))
    await writeFile(path.join(base, 'file'), '')
    const file = await createForWrite(base, ['dir'])
    await expect(file.commit()).rejects.toMatchObject(code('NOT_A_FILE'))
    await expect(createForWrite(base, ['file', 'f'])).rejects.toMatchObject(code('NOT_A_FILE'))
    expect((await readdir(base)).sort()).toEqual(['dir', 'file'])
  })

  it('makes parents side by side', async () => {
    const names = Array.from({ length: 20 }, (_, i) => `f${i}`)
    await Promise.all(names.map((name) => write(['a', 'b', 'c', name], name)))
    expect((await readdir(path.join(base, 'a', 'b', 'c'))).sort()).toEqual(names.sort())
  })
})

describe('touchFile, makeParents and writeWhole', () => {
  it('creates an empty file and leaves one with content alone', async () => {
    await touchFile(base, ['a', 'f'])
    expect((await stat(path.join(base, 'a', 'f'))).size).toBe(0)
    await writeFile(path.join(base, 'a', 'f'), 'kept')
    await touchFile(base, ['a', 'f'])
    expect(await readFile(path.join(base, 'a', 'f'), 'utf8')).toBe('kept')
  })

  it('touches no link, pipe or directory', async () => {
    await symlink(path.join(outside, 'new'), path.join(base, 'link'))
    execFileSync('mkfifo', [path.join(base, 'pipe')])
    await mkdir(path.join(base, 'dir'))
    await expect(touchFile(base, ['link'])).rejects.toMatchObject(code('FILE_OUTSIDE_JOB'))
    await expect(touchFile(base, ['pipe'])).rejects.toMatchObject(code('NOT_A_FILE'))
    await expect(touchFile(base, ['dir'])).rejects.toMatchObject(code('NOT_A_FILE'))
    expect(await readdir(outside)).toEqual(['secret'])
  })

  it('makes parents only', async () => {
    await makeParents(base, ['a', 'b', 'c'])
    expect(await readdir(path.join(base, 'a'))).toEqual(['b'])
    expect(await readdir(path.join(base, 'a', 'b'))).toEqual([])
  })

  it('copies an open file, with the mode of a new one', async () => {
    const content = 'x'.repeat(300_000)
    await writeFile(path.join(outside, 'cached'), content, { mode: 0o600 })
    const source = await open(path.join(outside, 'cached'))
    await writeWhole(base, ['a', 'copy'], source.fd)
    await source.close()
    expect(await readFile(path.join(base, 'a', 'copy'), 'utf8')).toBe(content)
    expect((await stat(path.join(base, 'a', 'copy'))).mode & 0o777).toBe(0o666 & ~process.umask())
  })
})
