import nodeFs from 'node:fs'
import {
  chmod,
  chown,
  lstat,
  mkdir,
  readdir,
  readFile,
  readlink,
  stat,
  symlink,
  writeFile,
} from 'node:fs/promises'
import { basename, join } from 'node:path'
import { describe, expect, it } from 'vitest'
import type { ClassicFile } from '../../src/setup/classic/classic-config.js'
import { writeClassicFiles } from '../../src/setup/classic/classic-write.js'
import { needs } from '../helpers/needs.js'
import { tempDirectory } from '../helpers/temp-directory.js'

const files: readonly ClassicFile[] = [
  { name: 'app.yml', text: 'new app\n', secret: true },
  { name: 'server.ini', text: 'new server\n', secret: false },
  { name: 'local_env.sh', text: 'new env\n', secret: false },
]
const names = ['app.yml', 'dependencies', 'local_env.sh', 'server.ini']
const isRoot = process.geteuid?.() === 0
const asRoot = needs(isRoot ? undefined : 'only root can give files away; run the tests as root')

/** Types, modes, owners, link targets and contents of everything below a directory. */
async function snapshot(directory: string): Promise<Record<string, unknown>> {
  const found: Record<string, unknown> = {}
  for (const name of await readdir(directory, { recursive: true })) {
    const path = join(directory, name)
    const { mode, uid, gid } = await lstat(path)
    const content =
      (mode & 0o170000) === 0o120000 ? await readlink(path) : await readFile(path, 'utf8').catch(() => '')
    found[name] = { mode, uid, gid, content }
  }
  return found
}

function write(directory: string, force = false): Promise<void> {
  return writeClassicFiles(directory, files, { force })
}

async function modeOf(path: string): Promise<number> {
  return (await stat(path)).mode & 0o777
}

/** Does something with the rights of another user than root. */
async function unprivileged<T>(work: () => Promise<T>): Promise<T> {
  if (!isRoot) return work()
  process.seteuid?.(65534)
  try {
    return await work()
  } finally {
    process.seteuid?.(0)
  }
}

describe('a directory without the files', () => {
  it('is made with its parents, and gets the files and an empty dependencies', async () => {
    const directory = join(await tempDirectory(), 'a', 'b')
    await write(directory)
    expect((await readdir(directory)).sort()).toEqual(names)
    expect(await readdir(join(directory, 'dependencies'))).toEqual([])
    expect(await readFile(join(directory, 'server.ini'), 'utf8')).toBe('new server\n')
  })

  it('keeps what else is in it', async () => {
    const directory = await tempDirectory()
    await mkdir(join(directory, 'dependencies', 'conda'), { recursive: true })
    await writeFile(join(directory, 'notes'), 'mine')
    await write(directory)
    expect((await readdir(directory)).sort()).toEqual([...names, 'notes'].sort())
    expect(await readdir(join(directory, 'dependencies'))).toEqual(['conda'])
  })

  it('gets modes by the umask, but a secret is for its owner only', async () => {
    const directory = join(await tempDirectory(), 'etc')
    const before = process.umask(0o027)
    try {
      await write(directory)
    } finally {
      process.umask(before)
    }
    const modes = await Promise.all(['', ...names].map((name) => modeOf(join(directory, name))))
    expect(modes).toEqual([0o750, 0o600, 0o750, 0o640, 0o640])
  })

  it('follows a link to a file that is not there yet', async () => {
    const home = await tempDirectory()
    const directory = join(home, 'etc')
    await mkdir(directory)
    await mkdir(join(home, 'shared'))
    await symlink('../shared/app.yml', join(directory, 'app.yml'))
    await write(directory)
    expect(await readlink(join(directory, 'app.yml'))).toBe('../shared/app.yml')
    expect(await readFile(join(home, 'shared', 'app.yml'), 'utf8')).toBe('new app\n')
    expect(await readdir(join(home, 'shared'))).toEqual(['app.yml'])
  })
})

describe('a file that is there', () => {
  it.each(['app.yml', 'server.ini', 'local_env.sh'])('%s stops all, without --force', async (name) => {
    const directory = await tempDirectory()
    await writeFile(join(directory, name), 'old')
    const before = await snapshot(directory)
    await expect(write(directory)).rejects.toMatchObject({
      code: 'SETUP_CONFLICT',
      message: `File ${join(directory, name)} exists, exiting. Run with --force to replace configuration.`,
    })
    expect(await snapshot(directory)).toEqual(before)
  })

  it('is named as the first in the order of writing', async () => {
    const directory = await tempDirectory()
    for (const { name } of files) await writeFile(join(directory, name), 'old')
    await expect(write(directory)).rejects.toThrow(`File ${join(directory, 'app.yml')} exists`)
  })

  it('counts also behind a link', async () => {
    const directory = await tempDirectory()
    await writeFile(join(directory, 'real.yml'), 'old')
    await symlink('real.yml', join(directory, 'app.yml'))
    await expect(write(directory)).rejects.toThrow(`File ${join(directory, 'app.yml')} exists`)
  })

  it('is replaced with --force, through a link, and nothing else is left behind', async () => {
    const directory = await tempDirectory()
    await writeFile(join(directory, 'real.yml'), 'old')
    await symlink('real.yml', join(directory, 'app.yml'))
    await writeFile(join(directory, 'local_env.sh'), 'old', { mode: 0o755 })
    await write(directory, true)
    expect(await readlink(join(directory, 'app.yml'))).toBe('real.yml')
    expect(await readFile(join(directory, 'real.yml'), 'utf8')).toBe('new app\n')
    expect(await modeOf(join(directory, 'local_env.sh'))).toBe(0o755)
    expect((await readdir(directory)).sort()).toEqual([...names, 'real.yml'].sort())
  })

  it.each([
    [0o644, 0o600],
    [0o666, 0o600],
    [0o640, 0o640],
    [0o400, 0o400],
  ])('of mode %o that gets a secret has mode %o', async (before, after) => {
    const directory = await tempDirectory()
    await writeFile(join(directory, 'app.yml'), 'old')
    await chmod(join(directory, 'app.yml'), before)
    // Without root a read-only file may not be replaced at all.
    if (before === 0o400 && !isRoot) await expect(write(directory, true)).rejects.toThrow('EACCES')
    else await write(directory, true)
    expect(await modeOf(join(directory, 'app.yml'))).toBe(after)
  })

  it('stays with its owner when root replaces it', asRoot, async () => {
    const directory = await tempDirectory()
    await writeFile(join(directory, 'app.yml'), 'old')
    await chown(join(directory, 'app.yml'), 65534, 65533)
    await write(directory, true)
    expect(await stat(join(directory, 'app.yml'))).toMatchObject({ uid: 65534, gid: 65533 })
  })

  it('left by a run that was killed is no obstacle', async () => {
    const directory = await tempDirectory()
    await writeFile(join(directory, '.app.yml.magnetar-new'), 'half')
    await write(directory)
    expect((await readdir(directory)).sort()).toEqual(names)
  })
})

describe('a failure', () => {
  it('leaves no directory behind', async () => {
    const home = await tempDirectory()
    const directory = join(home, 'a', 'b')
    await chmod(home, 0o555)
    await unprivileged(() => expect(write(directory)).rejects.toMatchObject({ code: 'NOT_PERMITTED' }))
    expect(await readdir(home)).toEqual([])
  })

  it('in a directory that may not be written to leaves it as it was', async () => {
    const directory = await tempDirectory()
    await chmod(directory, 0o555)
    const failure = await unprivileged(() => write(directory).catch((error: unknown) => error))
    expect(failure).toMatchObject({
      code: 'NOT_PERMITTED',
      message: expect.stringContaining('Nothing was written'),
    })
    expect(await readdir(directory)).toEqual([])
  })

  it('to stage a later file leaves those before it as they were, and the directory it made is gone', async () => {
    const home = await tempDirectory()
    const directory = join(home, 'etc')
    await mkdir(directory)
    await writeFile(join(directory, 'app.yml'), 'old', { mode: 0o640 })
    await symlink('../not/there', join(directory, 'local_env.sh'))
    const before = await snapshot(home)
    await expect(write(directory, true)).rejects.toMatchObject({
      code: 'DIRECTORY_UNUSABLE',
      message: expect.stringMatching(/ENOENT.*Nothing was written\.$/),
    })
    expect(await snapshot(home)).toEqual(before)
  })

  it('to put a later file in its place puts back those before it, with mode and owner', async () => {
    const directory = await tempDirectory()
    await writeFile(join(directory, 'app.yml'), 'old', { mode: 0o640 })
    if (isRoot) await chown(join(directory, 'app.yml'), 65534, 65533)
    const before = await snapshot(directory)
    const renamed: string[] = []
    const failing = {
      ...nodeFs,
      renameSync(from: nodeFs.PathLike, to: nodeFs.PathLike) {
        renamed.push(basename(String(to)))
        if (renamed.length === 3) throw Object.assign(new Error('EBUSY: resource busy'), { code: 'EBUSY' })
        nodeFs.renameSync(from, to)
      },
    }
    await expect(writeClassicFiles(directory, files, { force: true, fs: failing })).rejects.toThrow(
      /EBUSY: resource busy\. Nothing was written\.$/,
    )
    expect(renamed).toEqual(['app.yml', 'server.ini', 'local_env.sh', 'app.yml'])
    expect(await snapshot(directory)).toEqual(before)
  })

  it('to put back says what could not be', async () => {
    const directory = await tempDirectory()
    await writeFile(join(directory, 'app.yml'), 'old')
    let renames = 0
    const failing = {
      ...nodeFs,
      renameSync(from: nodeFs.PathLike, to: nodeFs.PathLike) {
        if (++renames > 1) throw Object.assign(new Error('EIO: i/o error'), { code: 'EIO' })
        nodeFs.renameSync(from, to)
      },
    }
    await expect(writeClassicFiles(directory, files, { force: true, fs: failing })).rejects.toThrow(
      `It could not be put back: ${join(directory, 'app.yml')}.`,
    )
  })

  it('is two names for one file', async () => {
    const directory = await tempDirectory()
    await symlink('server.ini', join(directory, 'local_env.sh'))
    await expect(write(directory)).rejects.toThrow(/server\.ini and local_env\.sh .* the same file/)
    expect(await readdir(directory)).toEqual(['local_env.sh'])
  })

  it.each([
    ['a file', async (path: string) => writeFile(path, '')],
    ['below a file', async (path: string) => writeFile(join(path, '..'), '')],
  ])('tells of a directory that is %s', async (_what, make) => {
    const home = await tempDirectory()
    const directory = join(home, 'x', 'etc')
    if (_what === 'a file') await mkdir(join(home, 'x'))
    await make(directory)
    await expect(write(directory)).rejects.toMatchObject({ code: 'DIRECTORY_UNUSABLE' })
  })

  it('tells of links that lead in a circle, and of a directory in the place of a file', async () => {
    const directory = await tempDirectory()
    await symlink('app.yml', join(directory, 'app.yml'))
    await expect(write(directory, true)).rejects.toMatchObject({ code: 'DIRECTORY_UNUSABLE' })
    const other = await tempDirectory()
    await mkdir(join(other, 'server.ini'))
    await expect(write(other, true)).rejects.toThrow(`${join(other, 'server.ini')} is not a plain file`)
    expect(await readdir(other)).toEqual(['server.ini'])
  })
})
