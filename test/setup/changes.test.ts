import {
  chmodSync,
  lchownSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import type { ChangeTools, Undo } from '../../src/setup/apply/changes/change-kind.js'
import { applyChange } from '../../src/setup/apply/changes/index.js'
import { mountsIn } from '../../src/setup/apply/changes/mounts.js'
import { createTools } from '../../src/setup/apply/changes/tools.js'
import type {
  Change,
  DirectoryChange,
  FileChange,
  LinkChange,
  RemoveChange,
  TreeChange,
} from '../../src/setup/types.js'
import { needs } from '../helpers/needs.js'
import { tempDirectory } from '../helpers/temp-directory.js'
import { snapshot } from './tree-snapshot.js'
import { watchedFs } from './watched-fs.js'

const isRoot = process.geteuid?.() === 0
const SOMEBODY = 12345

async function makePrefix(): Promise<string> {
  const prefix = join(await tempDirectory(), 'node')
  for (const path of ['', 'etc', 'lib', 'lib/releases', 'lib/releases/1.0']) mkdirSync(join(prefix, path))
  return prefix
}

function make(prefix: string, change: Change, more: Partial<ChangeTools> = {}): Promise<Undo | undefined> {
  const tools = createTools(prefix, new AbortController().signal)
  return applyChange(change, { ...tools, progress: () => {}, ...more })
}

const base = { step: 'test', title: 'do it', counts: 'other', owner: undefined } as const

const aFile = (path: string, more: Partial<FileChange> = {}): FileChange => ({
  ...base,
  kind: 'file',
  path,
  mode: 0o644,
  before: undefined,
  after: 'new\n',
  secretKeys: [],
  backup: false,
  ...more,
})
const aDirectory = (path: string, mode = 0o755): DirectoryChange => ({
  ...base,
  kind: 'directory',
  path,
  mode,
})
const aLink = (path: string, target: string): LinkChange => ({ ...base, kind: 'link', path, target })
const aRemoval = (path: string): RemoveChange => ({ ...base, kind: 'remove', path })
const aTree = (path: string, build: TreeChange['build']): TreeChange => ({
  ...base,
  kind: 'tree',
  path,
  build,
})

describe('a file', () => {
  it('that is no longer as it was planned is left alone', async () => {
    const prefix = await makePrefix()
    const path = join(prefix, 'etc', 'app.yml')
    writeFileSync(path, 'edited\n')
    for (const before of ['old\n', undefined]) {
      await expect(make(prefix, aFile(path, { before }))).rejects.toMatchObject({
        code: 'SETUP_CONFLICT',
        message: `${path} was changed by somebody else meanwhile`,
      })
    }
    await expect(make(prefix, aFile(`${path}2`, { before: 'old\n' }))).rejects.toMatchObject({
      code: 'SETUP_CONFLICT',
    })
    expect(readFileSync(path, 'utf8')).toBe('edited\n')
  })

  it('that is no UTF-8 is not damaged', async () => {
    const prefix = await makePrefix()
    const path = join(prefix, 'etc', 'server.ini')
    const latin1 = Buffer.from('; caf\xe9\n', 'latin1')
    writeFileSync(path, latin1)
    const before = latin1.toString('utf8')
    await expect(make(prefix, aFile(path, { before, after: `${before}x = 1\n` }))).rejects.toMatchObject({
      code: 'SETUP_CONFLICT',
      message: expect.stringContaining('not UTF-8'),
      fix: expect.stringContaining('iconv'),
    })
    expect(readFileSync(path)).toEqual(latin1)
  })

  it.each([
    ['a link', (path: string) => symlinkSync('/dev/null', path), 'symbolic link to /dev/null'],
    ['a link to nothing', (path: string) => symlinkSync('nowhere', path), 'symbolic link to nowhere'],
    ['a directory', (path: string) => mkdirSync(path), 'no regular file'],
  ])('is not written where %s is', async (_what, put, message) => {
    const prefix = await makePrefix()
    const path = join(prefix, 'etc', 'app.yml')
    put(path)
    const before = snapshot(prefix)
    await expect(make(prefix, aFile(path))).rejects.toMatchObject({
      code: 'SETUP_CONFLICT',
      message: expect.stringContaining(message),
    })
    expect(snapshot(prefix)).toEqual(before)
  })

  it('is kept as .bak, or the next free number, once for the same content', async () => {
    const prefix = await makePrefix()
    const path = join(prefix, 'etc', 'app.yml')
    const write = async (before: string, after: string): Promise<void> => {
      writeFileSync(path, before)
      chmodSync(path, 0o640)
      const undo = await make(prefix, aFile(path, { before, after, backup: true }))
      await undo?.discard?.(1000)
    }
    await write('one\n', 'two\n')
    await write('three\n', 'four\n')
    await write('one\n', 'five\n')
    const { './etc': _, ...kept } = snapshot(prefix)
    const backups = Object.entries(kept).filter(([name]) => name.includes('.bak'))
    const owner = `${process.geteuid?.()}:${process.getegid?.()}`
    expect(backups).toEqual([
      ['./etc/app.yml.bak', `file 640 ${owner} "one\\n"`],
      ['./etc/app.yml.bak.1', `file 640 ${owner} "three\\n"`],
    ])
    expect(kept['./etc/app.yml']).toBe(`file 644 ${owner} "five\\n"`)
  })

  it('that somebody else owns is not taken over without root', async () => {
    const prefix = await makePrefix()
    const path = join(prefix, 'etc', 'app.yml')
    writeFileSync(path, 'old\n')
    await expect(make(prefix, aFile(path, { before: 'old\n' }), { uid: SOMEBODY })).rejects.toMatchObject({
      code: 'NOT_PERMITTED',
    })
    expect(readFileSync(path, 'utf8')).toBe('old\n')
  })

  it(
    'that is replaced keeps its owner, unless one is wanted',
    needs(isRoot ? undefined : 'not root: gives files away'),
    async () => {
      const prefix = await makePrefix()
      const path = join(prefix, 'etc', 'app.yml')
      writeFileSync(path, 'old\n')
      lchownSync(path, SOMEBODY, SOMEBODY)
      await make(prefix, aFile(path, { before: 'old\n' }))
      expect(lstatSync(path)).toMatchObject({ uid: SOMEBODY, gid: SOMEBODY })
      await make(
        prefix,
        aFile(path, { before: 'new\n', after: 'newer\n', owner: { user: 'root', group: 'root' } }),
      )
      expect(lstatSync(path)).toMatchObject({ uid: 0, gid: 0 })
    },
  )
})

describe('the way to a change', () => {
  const kinds: [string, (path: string) => Change][] = [
    ['file', aFile],
    ['directory', aDirectory],
    ['link', (path) => aLink(path, 'x')],
    ['removal', aRemoval],
    ['tree', (path) => aTree(path, async (target) => writeFileSync(target, 'x'))],
  ]

  it.each(kinds)(
    'of a %s leads through no link that root has not put there',
    needs(isRoot ? undefined : 'not root: links of others are what it is about'),
    async (_kind, change) => {
      const prefix = await makePrefix()
      const outside = await tempDirectory()
      writeFileSync(join(outside, 'there'), 'theirs\n')
      symlinkSync(outside, join(prefix, 'var'))
      const before = [snapshot(prefix), snapshot(outside)]
      for (const name of ['var/there', 'var/new']) {
        await expect(make(prefix, change(join(prefix, name)))).rejects.toMatchObject({
          code: 'SETUP_CONFLICT',
          message: expect.stringContaining(`${join(prefix, 'var')} is a symbolic link to ${outside}`),
          fix: expect.stringContaining('mount --bind'),
        })
      }
      expect([snapshot(prefix), snapshot(outside)]).toEqual(before)
    },
  )

  it(
    'is not a prefix that is a link itself, but may lead to it through one',
    needs(isRoot ? undefined : 'not root'),
    async () => {
      const prefix = await makePrefix()
      const around = await tempDirectory()
      symlinkSync(prefix, join(around, 'link'))
      symlinkSync(join(prefix, '..'), join(around, 'srv'))
      const link = join(around, 'link')
      await expect(make(link, aFile(join(link, 'etc', 'app.yml')))).rejects.toMatchObject({
        code: 'SETUP_CONFLICT',
      })
      const through = join(around, 'srv', 'node')
      await make(through, aFile(join(through, 'etc', 'app.yml')))
      expect(readFileSync(join(prefix, 'etc', 'app.yml'), 'utf8')).toBe('new\n')
    },
  )

  it('may lead through lib/current, which is our own, to a release and nowhere else', async () => {
    const prefix = await makePrefix()
    const current = join(prefix, 'lib', 'current')
    symlinkSync('releases/1.0', current)
    await make(prefix, aFile(join(current, 'note')))
    expect(readFileSync(join(prefix, 'lib', 'releases', '1.0', 'note'), 'utf8')).toBe('new\n')
    for (const target of ['releases/..', '../etc', '/etc', 'releases/1.0/..']) {
      const other = await makePrefix()
      symlinkSync(target, join(other, 'lib', 'current'))
      lchownSync(join(other, 'lib', 'current'), process.geteuid?.() ?? 0, process.getegid?.() ?? 0)
      const made = make(other, aFile(join(other, 'lib', 'current', 'note')), { uid: 0 })
      await expect(made).rejects.toMatchObject({ code: 'SETUP_CONFLICT' })
    }
  })

  it("may lead through links of one's own without root, who may go there anyway", async () => {
    const prefix = await makePrefix()
    const scratch = await tempDirectory()
    const uid = process.geteuid?.() === 0 ? SOMEBODY : (process.geteuid?.() ?? -1)
    symlinkSync(scratch, join(prefix, 'var'))
    if (isRoot) lchownSync(join(prefix, 'var'), uid, uid)
    await make(prefix, aDirectory(join(prefix, 'var', 'jobs')), { uid })
    expect(lstatSync(join(scratch, 'jobs')).isDirectory()).toBe(true)
    const mode = lstatSync(scratch).mode
    await expect(
      make(prefix, aDirectory(join(prefix, 'var'), mode & 0o7777), { uid }),
    ).resolves.toBeUndefined()
  })

  it('says what is in the way, or missing', async () => {
    const prefix = await makePrefix()
    writeFileSync(join(prefix, 'var'), '')
    await expect(make(prefix, aFile(join(prefix, 'var', 'x')))).rejects.toMatchObject({
      code: 'SETUP_CONFLICT',
      message: `${join(prefix, 'var')} is in the way: it is no directory`,
    })
    await expect(make(prefix, aFile(join(prefix, 'none', 'x')))).rejects.toMatchObject({ code: 'ENOENT' })
  })
})

describe('a directory', () => {
  it('gets its mode whatever the umask is', async () => {
    const prefix = await makePrefix()
    const umask = process.umask(0o077)
    try {
      await make(prefix, aDirectory(join(prefix, 'var'), 0o2775))
    } finally {
      process.umask(umask)
    }
    expect(lstatSync(join(prefix, 'var')).mode & 0o7777).toBe(0o2775)
  })

  it('that this run has made is undone with what came into it, above the prefix only when it is empty', async () => {
    const prefix = await makePrefix()
    const inside = await make(prefix, aDirectory(join(prefix, 'var')))
    writeFileSync(join(prefix, 'var', 'server.log'), 'started\n')
    await inside?.restore()
    expect(lstatSync(join(prefix, 'var'), { throwIfNoEntry: false })).toBeUndefined()

    const other = join(prefix, '..', 'other')
    const above = await make(prefix, aDirectory(join(prefix, '..', 'other')))
    writeFileSync(join(other, 'somebody'), '')
    await expect(above?.restore()).rejects.toMatchObject({ code: 'ENOTEMPTY' })
  })

  it('that somebody else owns is not given a mode without root', async () => {
    const prefix = await makePrefix()
    const path = join(prefix, 'etc')
    chmodSync(path, 0o700)
    const change = { ...aDirectory(path, 0o755), owner: { user: 'root', group: 'root' } }
    const ids = { findIds: async () => ({ uid: SOMEBODY, gid: SOMEBODY }), uid: SOMEBODY + 1 }
    await expect(make(prefix, change, ids)).rejects.toMatchObject({ code: 'NOT_PERMITTED' })
    expect(lstatSync(path).mode & 0o777).toBe(0o700)
  })
})

describe('a link', () => {
  it('does not replace a file or a directory', async () => {
    const prefix = await makePrefix()
    writeFileSync(join(prefix, 'file'), 'x')
    for (const name of ['file', 'etc'])
      await expect(make(prefix, aLink(join(prefix, name), 'x'))).rejects.toMatchObject({
        code: 'SETUP_CONFLICT',
      })
    expect(readFileSync(join(prefix, 'file'), 'utf8')).toBe('x')
  })

  it('is always there while it is pointed elsewhere', async () => {
    const prefix = await makePrefix()
    const path = join(prefix, 'lib', 'current')
    symlinkSync('releases/0.9', path)
    const seen = new Set<string>()
    const fs = watchedFs(() => seen.add(snapshot(join(prefix, 'lib'))['./current'] ?? 'missing'))
    await make(prefix, aLink(path, 'releases/1.0'), { fs })
    expect([...seen].map((what) => what.replace(/.* -> /, ''))).toEqual(['releases/0.9', 'releases/1.0'])
  })
})

describe('a tree', () => {
  it('does not replace what is there', async () => {
    const prefix = await makePrefix()
    const made = make(
      prefix,
      aTree(join(prefix, 'etc'), async () => {}),
    )
    await expect(made).rejects.toMatchObject({ code: 'SETUP_CONFLICT' })
  })

  it('with a file that has a second name is not given away', async () => {
    const prefix = await makePrefix()
    const theirs = join(prefix, '..', 'theirs')
    writeFileSync(theirs, 'secret')
    const change = aTree(join(prefix, 'lib', 'node'), async (target) => {
      mkdirSync(target)
      linkSync(theirs, join(target, 'node'))
    })
    const findIds = async () => ({ uid: process.geteuid?.() ?? 0, gid: process.getegid?.() ?? 0 })
    await expect(make(prefix, change, { findIds })).rejects.toMatchObject({
      code: 'SETUP_CONFLICT',
      message: expect.stringContaining('hard link'),
    })
    expect(lstatSync(join(prefix, 'lib', 'node'), { throwIfNoEntry: false })).toBeUndefined()
  })
})

describe('a removal', () => {
  it('that is undone does not mix what it was with what is there now', async () => {
    const prefix = await makePrefix()
    const path = join(prefix, 'etc')
    writeFileSync(join(path, 'old'), '')
    const undo = await make(prefix, aRemoval(path))
    mkdirSync(path)
    await expect(undo?.restore()).rejects.toMatchObject({
      message: expect.stringContaining('.etc.magnetar-old'),
    })
    expect(Object.keys(snapshot(path))).toEqual(['.'])
  })

  it('of what is not there is done', async () => {
    const prefix = await makePrefix()
    expect(await make(prefix, aRemoval(join(prefix, 'none')))).toBeUndefined()
  })
})

describe('mountsIn', () => {
  const info = [
    '22 1 8:1 / / rw - ext4 /dev/sda1 rw',
    '30 22 8:2 / /srv/node/var rw - ext4 /dev/sdb1 rw',
    '31 22 8:3 / /srv/node\\040two rw - ext4 /dev/sdc1 rw',
  ].join('\n')

  it('finds what is mounted at a path and below it, and not beside it', () => {
    expect(mountsIn('/srv/node', info)).toEqual(['/srv/node/var'])
    expect(mountsIn('/srv/node/var', info)).toEqual(['/srv/node/var'])
    expect(mountsIn('/srv/node two', info)).toEqual(['/srv/node two'])
    expect(mountsIn('/srv/node/va', info)).toEqual([])
    expect(mountsIn('/proc')).toContain('/proc')
  })
})
