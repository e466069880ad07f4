import { execFileSync } from 'node:child_process'
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { beforeEach, describe, expect, it } from 'vitest'
import { findLoaded, placePackages, readPackageManifest } from '../../src/setup/release/closure.js'
import { digestFiles, listInstalledFiles, listReleaseFiles } from '../../src/setup/release/contents.js'
import type { InstallContext } from '../../src/setup/release/install.js'
import { readReleases } from '../../src/setup/release/installed.js'
import { inspectRelease, planRelease } from '../../src/setup/release/plan-release.js'
import { tempDirectory } from '../helpers/temp-directory.js'
import {
  applyChanges,
  contextFor,
  install,
  writeFiles,
  writePackage,
  writeRuntime,
} from './install-fixture.js'

let root: string
let prefix: string
let context: InstallContext

beforeEach(async () => {
  const directory = await tempDirectory()
  root = join(directory, 'checkout')
  prefix = join(directory, 'prefix')
  writePackage(root)
  context = contextFor(prefix, root, { node: 'download' })
  writeRuntime(context.paths, '20.1')
  // What runs so far decides about the runtime, and none does: a first choice without copying.
  context = {
    ...context,
    pinned: { name: 'x', version: process.versions.node, integrity: 'sha512-20.1', bytes: 1 },
  }
})

async function filesOf(directory: string): Promise<string[]> {
  return (await listReleaseFiles(directory, await readPackageManifest(directory))).map(({ path }) => path)
}

function runtimeOf(name: string): string {
  return readlinkSync(join(prefix, 'lib', 'releases', name, 'node'))
}

function current(): string {
  return readlinkSync(join(prefix, 'lib', 'current'))
}

/** A second build: the same version with other content, or another version. */
async function installBuild(version: string, mark = ''): Promise<void> {
  writePackage(root, version, { 'dist/bundle/later.js': `export const later = '${version} ${mark}'\n` })
  await install(context)
}

describe('the files of a release', () => {
  it('are what the commands load, from file to file, with the pages and templates', async () => {
    expect(await filesOf(root)).toEqual([
      'CHANGELOG.md',
      'bin/magnetar.js',
      'bin/pulsar-config.js',
      'bin/pulsar-main.js',
      'bin/pulsar-serve.js',
      'bin/pulsar.js',
      'dist/bundle/chunk-new.js',
      'dist/bundle/later.js',
      'dist/bundle/main.js',
      'dist/bundle/worker.js',
      'docs/README.md',
      'docs/decisions/0001.md',
      'node_modules/deeper/index.js',
      'node_modules/deeper/package.json',
      'node_modules/needed/index.js',
      'node_modules/needed/package.json',
      'package.json',
      'templates/bin/activate',
      'templates/bin/launcher',
      'templates/job.sh',
    ])
  })

  it('leave out of a package what running it here does not need', async () => {
    const here = `${process.platform}-${process.arch}`
    writeFiles(join(root, 'node_modules', 'needed'), {
      [`prebuilds/${here}/addon.node`]: '',
      [`prebuilds/${process.platform}-mips+${process.arch}/addon.node`]: '',
      'prebuilds/win32-mips/addon.node': '',
      'binding.gyp': '{}',
      'binding.cc': '',
      'deps/leveldb/db.cc': '',
      'src/addon.h': '',
      'lib/types.d.ts': '',
      'lib/index.js.map': '{}',
      'lib/index.js': '',
      'test/all.js': '',
      'README.md': '',
      'LICENSE.md': '',
      'node_modules/.bin/needed': '',
    })
    const found = (await filesOf(root)).filter((path) => path.startsWith('node_modules/needed/'))
    expect(found.map((path) => path.slice('node_modules/needed/'.length)).sort()).toEqual([
      'LICENSE.md',
      'index.js',
      'lib/index.js',
      'package.json',
      `prebuilds/${process.platform}-mips+${process.arch}/addon.node`,
      `prebuilds/${here}/addon.node`,
    ])
  })

  it.each([
    ['leave out a build for browsers', { node: './index.js', default: './browser/index.js' }, false],
    ['keep it where the package gives it to Node', { import: './browser/index.js' }, true],
    ['keep it where the package lets everybody load any file', undefined, true],
  ])('%s', async (_what, exports, kept) => {
    writeFiles(join(root, 'node_modules', 'needed'), {
      'package.json': JSON.stringify({
        name: 'needed',
        version: '1.0.0',
        main: './index.js',
        browser: { './index.js': './browser/index.js' },
        dependencies: { deeper: '1' },
        ...(exports ? { exports: { '.': exports } } : {}),
      }),
      'browser/index.js': '',
    })
    expect((await filesOf(root)).includes('node_modules/needed/browser/index.js')).toBe(kept)
  })

  it('finds packages in every way to load one, and none in plain text', async () => {
    writeFiles(root, {
      'a.js': `import a from 'a'; import "b"; const c = require('c/deep.js'); await import("d")
const e = createRequire(import.meta.url)("@s/e"); const f = 'f'; say("g:x"); isSet("h"); require$1("i"); __require ( 'j/k.js')`,
    })
    const names = ['a', 'b', 'c', 'd', '@s/e', 'f', 'g', 'h', 'i', 'j']
    const wanted = ['@s/e', 'a', 'b', 'c', 'd', 'i', 'j']
    expect((await findLoaded(root, ['a.js'], names)).packages).toEqual(wanted)
  })

  it('keeps a second version of a package within the one that needs it', async () => {
    writeFiles(join(root, 'node_modules'), {
      'needed/node_modules/deeper/package.json': '{"name":"deeper","version":"2.0.0"}',
      'unused/package.json':
        '{"name":"unused","dependencies":{"deeper":"1"},"optionalDependencies":{"absent":"1"}}',
    })
    const placed = await placePackages(root, ['needed', 'unused'])
    expect(placed).toEqual([
      { directory: join(root, 'node_modules/needed'), place: 'node_modules/needed' },
      { directory: join(root, 'node_modules/unused'), place: 'node_modules/unused' },
      { directory: join(root, 'node_modules/needed/node_modules/deeper'), place: 'node_modules/deeper' },
      { directory: join(root, 'node_modules/deeper'), place: 'node_modules/unused/node_modules/deeper' },
    ])
  })

  it('takes packages that npm put beside, as in a global installation', async () => {
    const outside = join(root, '..', 'global', 'node_modules')
    mkdirSync(outside, { recursive: true })
    cpSync(root, join(outside, 'magnetar'), { recursive: true })
    cpSync(join(root, 'node_modules'), outside, { recursive: true })
    rmSync(join(outside, 'magnetar', 'node_modules'), { recursive: true })
    expect(await filesOf(join(outside, 'magnetar'))).toEqual(await filesOf(root))
  })

  it.each([
    ['is no Magnetar', () => rmSync(join(root, 'package.json'))],
    ['is no Magnetar', () => writeFileSync(join(root, 'package.json'), '{"name":"other","version":"1"}')],
    ['not compiled', () => rmSync(join(root, 'dist'), { recursive: true })],
    ['deeper is not installed', () => rmSync(join(root, 'node_modules/deeper'), { recursive: true })],
  ])('cannot be found when the package is wrong: %s', async (message, spoil) => {
    spoil()
    await expect(filesOf(root)).rejects.toMatchObject({
      code: 'RELEASE_UNKNOWN',
      message: expect.stringContaining(message),
    })
  })
})

describe('a release', () => {
  it('is installed complete: it runs on its own when the checkout is gone', async () => {
    chmodSync(join(root, 'templates', 'job.sh'), 0o600)
    const umask = process.umask(0o077)
    await install(context).finally(() => process.umask(umask))
    expect(current()).toBe('releases/1.0.0')
    expect(runtimeOf('1.0.0')).toBe('../../node/20.1/bin/node')
    const release = join(prefix, 'lib', 'releases', '1.0.0')
    expect(statSync(release).mode & 0o777).toBe(0o755)
    expect(statSync(join(release, 'templates', 'job.sh')).mode & 0o777).toBe(0o644)
    expect(statSync(join(release, 'bin', 'pulsar.js')).mode & 0o777).toBe(0o755)
    rmSync(root, { recursive: true })
    const said = execFileSync(join(prefix, 'lib/current/node'), [join(prefix, 'lib/current/bin/pulsar.js')])
    expect(JSON.parse(said.toString())).toMatchObject({ later: 'loaded later', needed: 'needed with deeper' })
  })

  it('is as wanted the second time, also when it is installed from itself or from a copy of itself', async () => {
    await install(context)
    expect(await install(context)).toEqual([])
    const release = join(prefix, 'lib', 'releases', '1.0.0')
    expect(await install({ ...context, source: { root: release, version: '1.0.0' } })).toEqual([])
    const copy = join(root, '..', 'copy')
    cpSync(release, copy, { recursive: true, verbatimSymlinks: true })
    expect(await install({ ...context, source: { root: copy, version: '1.0.0' } })).toEqual([])
  })

  it('stands beside the one before, which stays as it is', async () => {
    await install(context)
    await installBuild('1.1.0')
    expect(current()).toBe('releases/1.1.0')
    expect(readlinkSync(join(prefix, 'lib', 'previous'))).toBe('releases/1.0.0')
    expect(readFileSync(join(prefix, 'lib/releases/1.0.0/dist/bundle/later.js'), 'utf8')).toContain(
      'loaded later',
    )
  })

  it('of the same version with other content gets a directory of its own', async () => {
    await install(context)
    await installBuild('1.0.0', 'changed')
    const { current: name = '', all } = await readReleases(context.paths)
    expect(name).toMatch(/^1\.0\.0\+[0-9a-f]{8}$/)
    expect(all.map((release) => release.name).sort()).toEqual(['1.0.0', name])
    // And back again to what is there already.
    writePackage(root)
    expect((await install(context)).map(({ kind }) => kind)).toEqual(['link', 'link'])
    expect(current()).toBe('releases/1.0.0')
  })

  it('is made anew when its files were changed or are missing', async () => {
    await install(context)
    const file = join(prefix, 'lib/releases/1.0.0/dist/bundle/later.js')
    const before = readFileSync(file, 'utf8')
    for (const spoil of [() => writeFileSync(file, 'x'), () => rmSync(file), () => chmodSync(file, 0o755)]) {
      spoil()
      const changes = await install(context)
      expect(changes.map(({ kind }) => kind)).toEqual(['remove', 'tree', 'link'])
      expect(readFileSync(file, 'utf8')).toBe(before)
    }
    symlinkSync('nowhere', join(prefix, 'lib/releases/1.0.0/bin/foreign'))
    expect(await install(context)).toHaveLength(3)
    // One that a kill left without the file that says it is complete.
    rmSync(join(prefix, 'lib/releases/1.0.0/release.json'))
    expect((await install(context)).map(({ kind }) => kind)).toEqual(['remove', 'tree', 'link'])
    expect(await install(context)).toEqual([])
  })

  it('is not taken for one while it is made or removed, or when a run was killed then', async () => {
    await install(context)
    for (const name of ['.1.0.0.magnetar-new', '.0.9.0.magnetar-old']) {
      cpSync(join(prefix, 'lib/releases/1.0.0'), join(prefix, 'lib/releases', name), {
        recursive: true,
        verbatimSymlinks: true,
      })
    }
    expect((await readReleases(context.paths)).all.map(({ name }) => name)).toEqual(['1.0.0'])
  })

  it('that runs setup itself cannot mend itself, and says so', async () => {
    await install(context)
    const release = join(prefix, 'lib', 'releases', '1.0.0')
    writeFileSync(join(release, 'docs', 'README.md'), 'edited')
    const state = await inspectRelease({ ...context, source: { root: release, version: '1.0.0' } }, [])
    expect(state.present).toBe('intact')
    expect(state.notes).toEqual([expect.stringContaining('is not as it was installed')])
  })

  it('is not installed from a package that changes meanwhile', async () => {
    const state = await inspectRelease(context, [])
    const { install: changes } = planRelease(context, state, '20.1')
    writeFileSync(join(root, 'dist', 'bundle', 'later.js'), 'compiled again')
    await expect(applyChanges(prefix, changes)).rejects.toMatchObject({ code: 'SETUP_FAILED' })
    expect(existsSync(join(prefix, 'lib/releases/1.0.0'))).toBe(false)
  })

  it('ends its making when the signal comes', async () => {
    const { install: changes } = planRelease(context, await inspectRelease(context, []), '20.1')
    const signal = AbortSignal.abort(new Error('Ctrl-C'))
    await expect(applyChanges(prefix, changes, signal)).rejects.toThrow('Ctrl-C')
  })

  it('is kept with the one before and one more; older ones and runtimes without a release go', async () => {
    writeRuntime(context.paths, 'old')
    await install(context)
    for (const version of ['1.1.0', '1.2.0', '1.3.0']) await installBuild(version)
    expect(readdirSync(join(prefix, 'lib/releases')).sort()).toEqual(['1.1.0', '1.2.0', '1.3.0'])
    expect(readdirSync(join(prefix, 'lib/node'))).toEqual(['20.1'])
    // The one before is kept, however old: from 1.3.0 to 1.1.0 and on to 1.4.0.
    await installBuild('1.1.0')
    await installBuild('1.4.0')
    expect(readdirSync(join(prefix, 'lib/releases')).sort()).toEqual(['1.1.0', '1.3.0', '1.4.0'])
  })

  it('changes its runtime by its own link', async () => {
    await install(context)
    writeRuntime(context.paths, '20.2')
    const state = await inspectRelease(context, ['20.1', '20.2'])
    const { install: changes, select, prune } = planRelease(context, state, '20.2')
    expect(select).toEqual([])
    expect(prune.map(({ title }) => title)).toEqual(['remove Node.js 20.1, which no release uses'])
    await applyChanges(prefix, changes)
    expect(runtimeOf('1.0.0')).toBe('../../node/20.2/bin/node')
  })

  it('is not made of a package that changed since it was planned', async () => {
    const state = await inspectRelease(context, ['20.1'])
    const [tree] = planRelease(context, state, '20.1').install
    if (tree?.kind !== 'tree') throw new Error('no tree is planned')
    const target = join(prefix, 'lib', 'releases', '.new')
    mkdirSync(join(prefix, 'lib', 'releases'), { recursive: true })
    const later = join(root, 'dist/bundle/later.js')
    writeFileSync(later, `${readFileSync(later)} `)
    await expect(tree.build(target, () => {}, context.signal)).rejects.toMatchObject({
      code: 'SETUP_FAILED',
      message: 'the package changed while release 1.0.0 was made of it',
    })
    expect(existsSync(join(target, 'release.json'))).toBe(false)
  })

  it('has on the disk what its digest says, readable for all whatever the umask', async () => {
    chmodSync(join(root, 'templates/job.sh'), 0o755)
    const umask = process.umask(0o077)
    await install(context).finally(() => process.umask(umask))
    const [release] = (await readReleases(context.paths)).all
    const directory = join(prefix, 'lib', 'releases', '1.0.0')
    expect(await digestFiles(await listInstalledFiles(directory))).toBe(release?.digest)
    const modes = ['', 'dist/bundle', 'dist/bundle/later.js', 'templates/job.sh', 'release.json'].map(
      (path) => (statSync(join(directory, path)).mode & 0o777).toString(8),
    )
    expect(modes).toEqual(['755', '755', '644', '755', '644'])
  })

  it('has a digest of names, contents and rights, not of times', async () => {
    const digest = async (): Promise<string> =>
      digestFiles(await listReleaseFiles(root, await readPackageManifest(root)))
    const before = await digest()
    const later = readFileSync(join(root, 'dist/bundle/later.js'))
    writeFileSync(join(root, 'dist/bundle/later.js'), later)
    expect(await digest()).toBe(before)
    writeFileSync(join(root, 'dist/bundle/later.js'), `${later} `)
    expect(await digest()).not.toBe(before)
    writeFileSync(join(root, 'dist/bundle/later.js'), later)
    chmodSync(join(root, 'templates/job.sh'), 0o755)
    expect(await digest()).not.toBe(before)
  })
})
