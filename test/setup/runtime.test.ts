import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  chmodSync,
  chownSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { delimiter, join } from 'node:path'
import { beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest'
import type { InstallContext } from '../../src/setup/release/install.js'
import { chooseRuntime, findChosenRuntime, type RuntimeChoice } from '../../src/setup/runtime/choose.js'
import { findNpm, whyNotFetchable } from '../../src/setup/runtime/npm.js'
import {
  isAtLeast,
  PINNED_PACKAGES,
  type PinnedPackage,
  pinnedPackage,
} from '../../src/setup/runtime/pinned.js'
import { askNode } from '../../src/setup/runtime/program.js'
import { inspectTarball } from '../../src/setup/runtime/tarball.js'
import { planRuntime } from '../../src/setup/steps/runtime.js'
import { needs } from '../helpers/needs.js'
import { tempDirectory } from '../helpers/temp-directory.js'
import { waitFor } from '../helpers/wait-for.js'
import {
  applyChanges,
  contextFor,
  install,
  writeFiles,
  writePackage,
  writeRuntime,
} from './install-fixture.js'

// Without network: an npm that does what the test says, with a package whose node is a script that starts the tests' own.

const version = process.versions.node
const startsThisNode = `#!/bin/sh\nexec '${process.execPath}' "$@"\n`

const fakeNpm = `#!/bin/sh
echo "$PWD $*" >>"$FAKE_NPM/calls"
case $(cat "$FAKE_NPM/does") in
  offline) echo "npm error code ENOTFOUND" >&2; echo "npm error proxy http://me:secret@proxy" >&2; exit 1 ;;
  unknown) echo "npm error code E404" >&2; exit 1 ;;
  hangs) echo waiting >"$FAKE_NPM/waiting"; exec sleep 600 ;;
esac
case $1 in
  view) echo "\${2#*@}" ;;
  pack)
    if [ "$(cat "$FAKE_NPM/does")" = "slow" ]; then
      mkdir -p "$6" && truncate -s 24000000 "$6/arriving"
      until [ -e "$FAKE_NPM/arrived" ]; do sleep 0.02; done
    fi
    if [ "$(cat "$FAKE_NPM/does")" = "stops" ]; then echo "npm error code ECONNRESET" >&2; exit 1; fi
    cp "$FAKE_NPM/package.tgz" "$4/test-node-1.tgz" ;;
esac
`

let directory: string
let prefix: string
let context: InstallContext
let pinned: PinnedPackage

beforeEach(async () => {
  directory = await tempDirectory()
  prefix = join(directory, 'prefix')
  writeFiles(directory, { 'fake/npm': fakeNpm, 'fake/does': 'works\n' })
  const integrity = await writeTarball(join(directory, 'fake', 'package.tgz'))
  pinned = { name: 'test-node', version, integrity, bytes: 52_000_000 }
  writePackage(join(directory, 'checkout'))
  context = { ...contextFor(prefix, join(directory, 'checkout'), { node: 'download' }), pinned }
  vi.stubEnv('FAKE_NPM', join(directory, 'fake'))
  vi.stubEnv('PATH', `${join(directory, 'fake')}${delimiter}${process.env.PATH}`)
  vi.stubEnv('npm_execpath', undefined)
  onTestFinished(() => {
    vi.unstubAllEnvs()
  })
})

/** A tarball as npm makes it, or as nodejs.org does; its integrity. */
async function writeTarball(file: string, top = 'package', node = startsThisNode): Promise<string> {
  const tree = await tempDirectory()
  writeFiles(tree, {
    [`${top}/bin/node`]: node,
    [`${top}/LICENSE`]: 'Node.js is licensed …\n',
    [`${top}/include/node/node.h`]: '',
    [`${top}/package.json`]: JSON.stringify({ name: 'test-node', version }),
  })
  execFileSync('tar', [/xz$/.test(file) ? '-cJf' : '-czf', file, '-C', tree, top])
  return `sha512-${createHash('sha512').update(readFileSync(file)).digest('base64')}`
}

function npmDoes(what: 'works' | 'offline' | 'unknown' | 'hangs' | 'stops' | 'slow'): void {
  writeFileSync(join(directory, 'fake', 'does'), what)
}

function npmCalls(): string[] {
  const file = join(directory, 'fake', 'calls')
  return existsSync(file) ? readFileSync(file, 'utf8').trim().split('\n') : []
}

async function build(choice: RuntimeChoice, progress: (text: string) => void = () => {}): Promise<string> {
  const target = join(prefix, 'lib', 'node', '.new')
  rmSync(target, { recursive: true, force: true })
  const [tree] = planRuntime(context, choice).changes.filter(({ kind }) => kind === 'tree')
  if (tree?.kind !== 'tree') throw new Error('no tree is planned')
  await tree.build(target, progress, context.signal)
  return target
}

describe('the runtime from the npm registry', () => {
  it('is fetched, checked, unpacked and run; nothing else is left of it', async () => {
    const choice = await chooseRuntime(context)
    expect(planRuntime(context, choice)).toMatchObject({
      changes: [
        {
          kind: 'tree',
          title: `fetch Node.js ${version} from the npm registry (52 MB) into ${prefix}/lib/node/${version}`,
        },
      ],
      notes: [],
    })
    const umask = process.umask(0o077)
    const made = await build(choice).finally(() => process.umask(umask))
    expect(readdirSync(made, { recursive: true }).sort()).toEqual([
      'LICENSE',
      'bin',
      'bin/node',
      'runtime.json',
    ])
    expect(statSync(join(made, 'bin', 'node')).mode & 0o777).toBe(0o755)
    expect(statSync(join(made, 'runtime.json')).mode & 0o777).toBe(0o644)
    expect(statSync(made).mode & 0o777).toBe(0o755)
    expect(JSON.parse(readFileSync(join(made, 'runtime.json'), 'utf8'))).toEqual({
      version,
      integrity: pinned.integrity,
    })
  })

  it('is asked for outside of any directory of the service, with a cache that does not stay', async () => {
    await build(await chooseRuntime(context))
    const [view = '', pack = '', ...more] = npmCalls()
    expect(more).toEqual([])
    expect(view).toMatch(new RegExp(`^/ view test-node@${version} version .*--cache \\S+ --ignore-scripts`))
    expect(pack).toMatch(
      new RegExp(`^/ pack test-node@${version} --pack-destination ${prefix}/lib/node/\\.new/`),
    )
    const caches = [view, pack].map((call) => /--cache (\S+)/.exec(call)?.[1] ?? '')
    expect(caches.every((cache) => cache !== '' && !existsSync(cache))).toBe(true)
  })

  it('tells how much of it has arrived', async () => {
    const choice = await chooseRuntime(context)
    npmDoes('slow')
    const said: string[] = []
    const fetching = build(choice, (text) => said.push(text))
    await waitFor(() => said.includes('24 of 52 MB'), { what: 'progress' })
    writeFileSync(join(directory, 'fake', 'arrived'), '')
    await fetching
    expect(said.at(-1)).toBe('unpacking')
  })

  it('stays: a second run asks nothing and changes nothing', async () => {
    await install(context)
    writeFileSync(join(directory, 'fake', 'calls'), '')
    npmDoes('hangs')
    expect(await install(context)).toEqual([])
    expect(await install({ ...context, runtime: { ...context.runtime, keep: false } })).toEqual([])
    expect(await findChosenRuntime(context)).toBe(version)
    expect(readFileSync(join(directory, 'fake', 'calls'), 'utf8')).toBe('')
  })

  it.each([
    ['works', undefined],
    ['offline', 'the npm registry did not answer (ENOTFOUND)'],
    ['unknown', `the npm registry does not have test-node@${version}`],
  ] as const)('is looked for first: npm %s', async (does, why) => {
    npmDoes(does)
    expect(await whyNotFetchable(pinned, context.signal)).toBe(why)
  })

  it('is not waited for longer than it may take', async () => {
    npmDoes('hangs')
    expect(await whyNotFetchable(pinned, context.signal, 300)).toBe(
      'the npm registry did not answer within 0.3 s',
    )
  })

  it('is replaced by a copy of the running Node when the registry does not answer, which the plan says', async () => {
    npmDoes('offline')
    const choice = await chooseRuntime(context)
    const plan = planRuntime(context, choice)
    expect(plan.notes).toEqual([
      `the npm registry did not answer (ENOTFOUND): the Node that runs this, v${version}, is copied`,
    ])
    expect(plan.changes).toMatchObject([
      { title: `copy Node.js ${version} from ${process.execPath} to ${prefix}/lib/node/${version}` },
    ])
    await install(context)
    expect(readFileSync(join(prefix, 'lib/current/node')).equals(readFileSync(process.execPath))).toBe(true)
    // The next run takes it as it is; one that asks for a download says why it is still this one.
    expect(await install(context)).toEqual([])
    const asked = { ...context, runtime: { ...context.runtime, keep: false } }
    expect(await chooseRuntime(asked)).toMatchObject({
      build: undefined,
      notes: [`the npm registry did not answer (ENOTFOUND): the node stays on Node.js ${version}`],
    })
    expect(await install(asked)).toEqual([])
  })

  it('replaces a copied one when it can be had later and is asked for', async () => {
    npmDoes('offline')
    await install(context)
    npmDoes('works')
    expect(await install(context)).toEqual([])
    await install({ ...context, runtime: { ...context.runtime, keep: false } })
    expect(readlinkSync(join(prefix, 'lib/releases/1.0.0/node'))).toMatch(
      /^\.\.\/\.\.\/node\/.*\+[0-9a-f]{8}\/bin\/node$/,
    )
    // Only the one in use is left.
    expect(readdirSync(join(prefix, 'lib', 'node'))).toHaveLength(1)
  })

  it.each([
    [
      'is damaged',
      (file: string) => writeFileSync(file, readFileSync(file).fill(0, 60, 70)),
      /sha512 is wrong/,
    ],
    ['is cut off', (file: string) => truncateSync(file, 100), /sha512 is wrong/],
    ['is another', (file: string) => writeFileSync(file, 'not at all'), /sha512 is wrong/],
  ])('is refused when what arrives %s', async (_what, spoil, message) => {
    const choice = await chooseRuntime(context)
    spoil(join(directory, 'fake', 'package.tgz'))
    await expect(build(choice)).rejects.toMatchObject({
      code: 'RUNTIME_UNAVAILABLE',
      message: expect.stringMatching(message),
      fix: expect.stringMatching(/--node .*--runtime-tarball .*npm config list/),
    })
    expect(readdirSync(join(prefix, 'lib', 'node', '.new'))).not.toContain('runtime.json')
  })

  it('is refused with the code of npm, not with its words, when the connection breaks', async () => {
    const choice = await chooseRuntime(context)
    npmDoes('stops')
    await expect(build(choice)).rejects.toMatchObject({
      code: 'RUNTIME_UNAVAILABLE',
      message: 'the npm registry did not answer (ECONNRESET)',
    })
  })

  it('is no longer fetched when the signal comes', async () => {
    const choice = await chooseRuntime(context)
    npmDoes('hangs')
    const stop = new AbortController()
    context = { ...context, signal: stop.signal }
    const fetching = build(choice)
    const refused = expect(fetching).rejects.toThrow('Ctrl-C')
    await waitFor(() => existsSync(join(directory, 'fake', 'waiting')), { what: 'npm at work' })
    stop.abort(new Error('Ctrl-C'))
    await refused
    expect(existsSync(join(prefix, 'lib/node/.new/.fetch'))).toBe(false)
  })

  it('is the one that this release names, where the machine can run it', () => {
    expect(pinnedPackage('linux', 'x64', '2.36')).toBe(PINNED_PACKAGES[0])
    expect(pinnedPackage('linux', 'arm64', '2.28')).toBe(PINNED_PACKAGES[1])
    expect(pinnedPackage('linux', 'x64', '2.17')).toBeUndefined()
    expect(pinnedPackage('linux', 'x64', undefined)).toBeUndefined()
    expect(pinnedPackage('darwin', 'x64', '2.36')).toBeUndefined()
  })
})

describe('the runtime from a program', () => {
  it('is a copy that was run', async () => {
    context = { ...context, runtime: { node: process.execPath, tarball: undefined, keep: false } }
    const made = await build(await chooseRuntime(context))
    expect((await askNode(join(made, 'bin', 'node'), context.signal)).binary).toBe(join(made, 'bin', 'node'))
    expect(npmCalls()).toEqual([])
  })

  it('is the one that an earlier setup copied, whichever digest it wrote down', async () => {
    const own = join(directory, 'node')
    const text = `#!/bin/sh\necho '${JSON.stringify([own, version, process.platform, process.arch, false])}'\n`
    writeFiles(directory, { node: text })
    chmodSync(own, 0o755)
    context = { ...context, runtime: { node: own, tarball: undefined, keep: false } }
    const digest = (algorithm: string): string =>
      `${algorithm}-${createHash(algorithm).update(text).digest('base64')}`
    expect((await chooseRuntime(context)).build?.integrity).toBe(digest('sha256'))
    for (const [integrity, isIt] of [
      [digest('sha512'), true],
      [digest('sha256'), true],
      [digest('sha512').replace('sha512', 'sha256'), false],
      [digest('sha384'), false],
    ] as const) {
      rmSync(join(prefix, 'lib', 'node'), { recursive: true, force: true })
      writeRuntime(context.paths, version, integrity)
      expect((await chooseRuntime(context)).build === undefined, integrity).toBe(isIt)
      expect(await findChosenRuntime(context), integrity).toBe(isIt ? version : undefined)
    }
  })

  it('is the binary behind a link or a starter script', async () => {
    writeFiles(directory, { 'shim/node': startsThisNode })
    const asked = await askNode(join(directory, 'shim', 'node'), context.signal)
    expect(asked).toMatchObject({ binary: process.execPath, version, arch: process.arch })
  })

  it('is refused when it changes between plan and copy', async () => {
    const own = join(directory, 'node')
    copyFileSync(process.execPath, own)
    context = { ...context, runtime: { node: own, tarball: undefined, keep: false } }
    const choice = await chooseRuntime(context)
    writeFileSync(own, 'another')
    await expect(build(choice)).rejects.toMatchObject({
      code: 'RUNTIME_UNAVAILABLE',
      message: expect.stringContaining('changed meanwhile'),
    })
  })

  const answer = (...parts: unknown[]): string => `#!/bin/sh\necho '${JSON.stringify(parts)}'\n`
  const here = [process.platform, process.arch]
  it.each([
    ['there is none', undefined, /cannot run .*not installed/],
    ['it is no program', 'text', /cannot run .*EACCES/],
    ['it is another program', '#!/bin/sh\necho hello\n', /does not run as a Node.js \(exit code 0: hello\)/],
    [
      'a library is missing',
      '#!/bin/sh\necho "libx.so: not found" >&2\nexit 127\n',
      /\(exit code 127: libx.so: not found\)/,
    ],
    ['it crashes', '#!/bin/sh\nkill -SEGV $$\n', /\(SIGSEGV\)/],
    [
      'it is too old',
      answer('/n', '18.20.0', ...here, false),
      /is Node.js 18.20.0, and Magnetar needs 20.19.0/,
    ],
    [
      'it is for another machine',
      answer('/n', '24.0.0', process.platform, 's390x', false),
      /is for .*-s390x, and this/,
    ],
  ])('is refused when %s', async (_what, text, message) => {
    const node = join(directory, 'some-node')
    if (text !== undefined) writeFiles(directory, { 'some-node': text })
    context = { ...context, runtime: { node, tarball: undefined, keep: false } }
    await expect(chooseRuntime(context)).rejects.toMatchObject({
      code: 'RUNTIME_UNAVAILABLE',
      message: expect.stringMatching(message),
    })
  })

  it('is not disturbed by what the shell of the admin says to Node', async () => {
    vi.stubEnv('NODE_OPTIONS', '--no-such-option')
    expect(await askNode(process.execPath, context.signal)).toMatchObject({ version })
  })

  it('needs the system, which is said, when it is only the starter of a library', async () => {
    const text = answer(process.execPath, version, ...here, true)
    writeFiles(directory, { 'shared-node': text })
    context = {
      ...context,
      runtime: { node: join(directory, 'shared-node'), tarball: undefined, keep: false },
    }
    expect((await chooseRuntime(context)).notes).toEqual([expect.stringContaining('libnode')])
  })
})

describe('the runtime from a tarball', () => {
  function fromTarball(file: string): void {
    context = { ...context, runtime: { node: 'download', tarball: file, keep: false } }
  }

  it('of the pinned package is known, whatever its name', async () => {
    const file = join(directory, 'renamed.bin')
    copyFileSync(join(directory, 'fake', 'package.tgz'), file)
    fromTarball(file)
    const choice = await chooseRuntime(context)
    expect(choice).toMatchObject({ name: version, notes: [] })
    expect(existsSync(join(await build(choice), 'bin', 'node'))).toBe(true)
    expect(npmCalls()).toEqual([])
  })

  it.each([
    ['node.tgz', 'package'],
    [`node-v${version}-linux-x64.tar.gz`, `node-v${version}-linux-x64`],
    [`node-v${version}-linux-x64.tar.xz`, `node-v${version}-linux-x64`],
  ])('%s, packed as %s, is unpacked and run, and its checksum is said to be unknown', async (name, top) => {
    const file = join(directory, name)
    await writeTarball(file, top, `${startsThisNode}# other\n`)
    fromTarball(file)
    const choice = await chooseRuntime(context)
    expect(choice).toMatchObject({
      name: version,
      build: { version },
      notes: [expect.stringContaining('checksum could not be checked')],
    })
    expect(readdirSync(await build(choice)).sort()).toEqual(['LICENSE', 'bin', 'runtime.json'])
  })

  it('is installed once, and found again by its content', async () => {
    const file = join(directory, 'node.tgz')
    await writeTarball(file, 'package', `${startsThisNode}# other\n`)
    fromTarball(file)
    await install(context)
    expect(await install(context)).toEqual([])
  })

  it.each([
    ['it is not there', undefined, /cannot be read: ENOENT/],
    ['it is no tarball', 'text', /is no tarball that can be read/],
    ['it is empty', '', /is no tarball that can be read/],
  ])('is refused when %s', async (_what, text, message) => {
    const file = join(directory, 'node.tgz')
    if (text !== undefined) writeFileSync(file, text)
    fromTarball(file)
    await expect(chooseRuntime(context)).rejects.toMatchObject({
      code: 'RUNTIME_UNAVAILABLE',
      message: expect.stringMatching(message),
    })
  })

  it('is refused when it ends early, has no node, or another than it says', async () => {
    const file = join(directory, `node-v${version}-linux-x64.tar.gz`)
    const top = `node-v${version}-linux-x64`
    await writeTarball(file, top, `#!/bin/sh\n${'#'.repeat(100_000)}${Math.random()}\n`)
    fromTarball(file)
    const whole = readFileSync(file)
    writeFileSync(file, whole.subarray(0, whole.length - 200))
    await expect(build(await chooseRuntime(context))).rejects.toThrow(/could not be unpacked/)

    const other = `#!/bin/sh\necho '["/n","24.99.0","${process.platform}","${process.arch}",false]'\n`
    await writeTarball(file, top, other)
    await expect(chooseRuntime(context).then(build)).rejects.toThrow(/is 24.99.0, and .* was expected/)
  })

  it('with the name of a known package and other content is refused at once', async () => {
    const file = join(directory, `test-node-${version}.tgz`)
    writeFileSync(file, 'half of it')
    await expect(inspectTarball(file, context.signal, [pinned])).rejects.toThrow(/not what its name says/)
  })

  it('of another program is refused', async () => {
    const file = join(directory, 'other.tgz')
    execFileSync('tar', ['-czf', file, '-C', join(directory, 'checkout'), '--transform', 's,^,top/,', 'docs'])
    await expect(inspectTarball(file, context.signal)).rejects.toThrow(
      /holds no Node.js as npm or nodejs.org pack it/,
    )
  })
})

describe('a program that somebody else could replace', () => {
  it(
    'is run with his rights by root, not with root’s',
    needs(process.getuid?.() === 0 ? undefined : 'not root'),
    async () => {
      const directory = await tempDirectory()
      chmodSync(directory, 0o755)
      const owned = join(directory, 'owned')
      mkdirSync(owned)
      const told = join(owned, 'told')
      writeFileSync(join(owned, 'node'), `#!/bin/sh\nid -u > ${told}\nexec ${process.execPath} "$@"\n`, {
        mode: 0o755,
      })
      chownSync(owned, 65534, 65534)
      await askNode(join(owned, 'node'), new AbortController().signal)
      expect(readFileSync(told, 'utf8')).toBe('65534\n')
    },
  )
})

describe('a runtime that is there', () => {
  it('is made anew when it does not run any more', async () => {
    await install(context)
    writeFileSync(join(prefix, 'lib/node', version, 'bin', 'node'), '')
    const changes = await install(context)
    expect(changes.map(({ kind }) => kind)).toEqual(['remove', 'tree'])
    expect(await install(context)).toEqual([])
  })

  it('of the same version but of another origin keeps its place', async () => {
    writeRuntime(context.paths, version, 'sha512-another')
    const choice = await chooseRuntime(context)
    const tag = Buffer.from(pinned.integrity.slice(7), 'base64').toString('hex').slice(0, 8)
    expect(choice).toMatchObject({ name: `${version}+${tag}`, replaces: false })
  })

  it('is not taken for one while it is made, or when a run was killed then', async () => {
    writeRuntime(context.paths, `.${version}.magnetar-new`, pinned.integrity)
    expect(await chooseRuntime(context)).toMatchObject({ name: version, replaces: false })
    expect((await chooseRuntime(context)).build).toBeDefined()
  })

  it('is not taken for one when it is half there', async () => {
    writeFiles(join(prefix, 'lib/node', version), { 'bin/node': startsThisNode })
    expect(await chooseRuntime(context)).toMatchObject({ name: version, replaces: true })
    await applyChanges(prefix, planRuntime(context, await chooseRuntime(context)).changes)
    expect(await chooseRuntime(context)).toMatchObject({ name: version, build: undefined })
  })
})

describe('npm', () => {
  it('is the one that runs this, else that of the PATH, else the one beside this Node', () => {
    const cli = '/opt/npm/bin/npm-cli.js'
    expect(findNpm({ npm_execpath: cli, PATH: '' })).toEqual({ command: process.execPath, args: [cli] })
    expect(findNpm({ npm_execpath: '/opt/yarn/yarn.js', PATH: join(directory, 'fake') })).toEqual({
      command: 'npm',
      args: [],
    })
    expect(findNpm({ PATH: '' })?.command).not.toBe('npm')
  })
})

describe('versions', () => {
  it.each([
    ['20.19.0', '20.19.0', true],
    ['20.18.9', '20.19.0', false],
    ['24.1', '20.19.0', true],
    ['20.19.0-rc.1', '20.19.0', true],
    ['9.99.99', '20.19.0', false],
    ['2.4', '2.28', false],
  ])('%s is at least %s: %s', (a, b, result) => {
    expect(isAtLeast(a, b)).toBe(result)
  })
})
