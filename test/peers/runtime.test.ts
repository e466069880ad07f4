import '../helpers/npm-authorities.js'
import { execFile } from 'node:child_process'
import { cpSync, mkdirSync, readdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { basename, join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { beforeAll, describe, expect, it } from 'vitest'
import { gatherFacts } from '../../src/setup/facts.js'
import { findLoaded, readPackageManifest } from '../../src/setup/release/closure.js'
import { createMoveActions, readNodeAnswers } from '../../src/setup/release/move-actions.js'
import { moveRelease } from '../../src/setup/release/move-release.js'
import { planUpgrade, type UpgradeContext } from '../../src/setup/release/upgrade.js'
import { chooseRuntime } from '../../src/setup/runtime/choose.js'
import { findNpm, whyNotFetchable } from '../../src/setup/runtime/npm.js'
import { PINNED_PACKAGES, PINNED_VERSION, pinnedPackage } from '../../src/setup/runtime/pinned.js'
import { inspectLaunchers, planLaunchers } from '../../src/setup/steps/launchers.js'
import type { Manifest } from '../../src/setup/types.js'
import { freePort } from '../helpers/free-port.js'
import { needs } from '../helpers/needs.js'
import { runCommand } from '../helpers/run-command.js'
import { startServerProcess } from '../helpers/server-process.js'
import { tempDirectory } from '../helpers/temp-directory.js'
import { applyChanges, contextFor, install } from '../setup/install-fixture.js'
import { missingForPrivateRoot, startPrivateRoot } from './private-root.js'
import { writeNodeConfig } from './pulsar-config.js'

// The real registry, the real package, the real server: what setup puts on a disk is complete, and stands alone.

const checkout = resolve('.')
const wanted = pinnedPackage(process.platform, process.arch, '2.36')
const noRegistry = wanted
  ? await whyNotFetchable(wanted, AbortSignal.timeout(30_000))
  : 'there is no package for this machine'

let prefix: string
let context: UpgradeContext
const manifest: Manifest = { version: 1, answers: {}, files: {}, madeUser: false }

beforeAll(async () => {
  prefix = join(await tempDirectory(), 'made here')
  const download = { node: 'download', keep: false }
  context = { ...contextFor(prefix, checkout, download), manifest, signal: AbortSignal.timeout(170_000) }
  await install(context)
  const state = await inspectLaunchers(context.paths, join(checkout, 'templates', 'bin'))
  const { changes } = planLaunchers({ ...context, force: false }, state)
  await applyChanges(prefix, changes ?? [])
})

/** Writes the files of a node by hand, as the exercise does. */
async function configure(at: string, port: number): Promise<string> {
  const directory = join(at, 'etc')
  await writeNodeConfig(
    { directory, app: { private_token: 'foo', allow_root: true, manager: { type: 'queued_python' } } },
    port,
  )
  const ini = join(directory, 'server.ini')
  writeFileSync(ini, `${readFileSync(ini, 'utf8')}[uwsgi]\nhttp = 127.0.0.1:${port}\n`)
  return directory
}

describe('the runtime of the npm registry', needs(noRegistry), () => {
  it('has the integrity that this release expects', async () => {
    const npm = findNpm()
    for (const { name, version, integrity } of PINNED_PACKAGES) {
      const args = [...(npm?.args ?? []), 'view', `${name}@${version}`, 'dist.integrity']
      const { stdout } = await promisify(execFile)(npm?.command ?? 'npm', args)
      expect(stdout.trim()).toBe(integrity)
    }
  })

  it('was fetched, is the version wanted, and is small: a binary and its licence', async () => {
    const directory = join(prefix, 'lib', 'node', PINNED_VERSION)
    expect(readdirSync(directory, { recursive: true }).sort()).toEqual([
      'LICENSE',
      'bin',
      'bin/node',
      'runtime.json',
    ])
    expect(await runCommand(join(prefix, 'bin', 'node'), ['--version'])).toEqual({
      exitCode: 0,
      output: `v${PINNED_VERSION}\n`,
    })
    expect(await chooseRuntime(context)).toMatchObject({ name: PINNED_VERSION, build: undefined })
  })
})

describe('an installed release', () => {
  it('has every package that a file of it asks for, and can load it', async () => {
    const release = join(prefix, 'lib', readlinkSync(join(prefix, 'lib', 'current')))
    const about = await readPackageManifest(release)
    const { packages } = await findLoaded(release, Object.values(about.bin), Object.keys(about.dependencies))
    expect(packages).toEqual(expect.arrayContaining(['classic-level', 'pino-pretty', 'saxes', 'yaml']))
    const load = createRequire(join(release, 'dist', 'bundle', 'main.js'))
    for (const name of packages) {
      const specifier = name === 'classic-level' ? 'classic-level/binding.js' : name
      expect(load.resolve(specifier).startsWith(release)).toBe(true)
      expect(load(specifier)).toBeTruthy()
    }
  })

  it('is as wanted when setup runs again, from the checkout and from itself', async () => {
    expect(await install({ ...context, runtime: { ...context.runtime, keep: true } })).toEqual([])
    const root = join(prefix, 'lib', 'current')
    const again = {
      ...context,
      source: { root, version: 'unused' },
      runtime: { ...context.runtime, keep: true },
    }
    expect(await install(again)).toEqual([])
  })

  it(
    'serves after it was moved, where no checkout, no node and no npm is',
    needs(missingForPrivateRoot()),
    async () => {
      const home = await tempDirectory()
      const moved = join(home, 'moved')
      cpSync(prefix, moved, { recursive: true, verbatimSymlinks: true })
      const root = await startPrivateRoot({ shared: [home] })
      try {
        const hide = `
        mount -t tmpfs tmpfs "$1"
        for program in node npm npx; do
          while path=$(command -v $program); do mount --bind /dev/null "$path"; done
        done
        ls -A "$1"; command -v node || echo no node`
        expect(await root.run(['sh', '-c', hide, 'hide', checkout])).toMatchObject({
          code: 0,
          stdout: 'no node\n',
        })
        for (const [name, args] of [
          ['pulsar', (etc: string) => ['--mode', 'uwsgi', '--config', etc]],
          ['pulsar-main', (etc: string) => ['-c', etc]],
          ['pulsar-serve', (etc: string) => [join(etc, 'server.ini')]],
          ['magnetar', (etc: string) => ['serve', '--config', etc]],
        ] as const) {
          const port = await freePort()
          const etc = await configure(moved, port)
          const [command = '', ...inside] = root.enter([
            'env',
            '-C',
            '/',
            '-i',
            join(moved, 'bin', name),
            ...args(etc),
          ])
          const server = await startServerProcess({
            command,
            args: inside,
            cwd: '/',
            url: `http://127.0.0.1:${port}/`,
          })
          expect(await runJob(server.url)).toContain('hello from a job')
          expect(await server.stop()).toBe(0)
          expect(server.logs()).not.toContain(checkout)
        }
      } finally {
        await root.stop()
      }
    },
  )

  async function runJob(url: string): Promise<string> {
    const call = async (method: string, route: string): Promise<string> => {
      const answer = await fetch(new URL(route, url), { method, headers: { authorization: 'Bearer foo' } })
      expect(answer.status).toBe(200)
      return answer.text()
    }
    await call('POST', 'jobs?job_id=moved')
    await call('POST', `jobs/moved/submit?${new URLSearchParams({ command_line: 'echo hello from a job' })}`)
    for (;;) {
      const status = await call('GET', 'jobs/moved/status')
      if (status.includes('"complete": "true"') || status.includes('"complete":"true"')) {
        await call('DELETE', 'jobs/moved')
        return status
      }
    }
  }
})

describe('an upgrade of a real node', () => {
  /** A package like this one, of another version, and broken if wanted. */
  async function writeVersion(version: string, spoil = (text: string): string => text): Promise<string> {
    const root = join(await tempDirectory(), version)
    const release = join(prefix, 'lib', 'releases', basename(readlinkSync(join(prefix, 'lib', 'current'))))
    cpSync(release, root, { recursive: true, filter: (path) => basename(path) !== 'release.json' })
    const about = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
    writeFileSync(join(root, 'package.json'), JSON.stringify({ ...about, version }))
    const classic = join(root, 'dist', 'bundle', 'classic.js')
    writeFileSync(classic, spoil(readFileSync(classic, 'utf8')))
    return root
  }

  async function upgrade(root: string) {
    const facts = await gatherFacts(context.signal)
    const states: string[] = []
    const move = await planUpgrade({
      ...context,
      source: { root, version: 'unused' },
      runtime: { ...context.runtime, keep: true },
    })
    const { actions } = await createMoveActions({
      ...{ paths: context.paths, owner: undefined, facts, verify: true, signal: context.signal },
      answers: readNodeAnswers(manifest, facts),
      onChange: () => {},
      onStatus: (status) => states.push(status),
    })
    return { result: await moveRelease(move, actions, context.signal), states }
  }

  it('is proved by a job, and taken back when the new release does not start', async () => {
    await configure(prefix, await freePort())
    mkdirSync(context.paths.var, { recursive: true })
    const good = await upgrade(await writeVersion('8.0.0'))
    expect(good.result).toMatchObject({ kind: 'moved', verified: { ran: true } })
    expect(good.states).toEqual(expect.arrayContaining(['submitted', 'complete']))
    const bad = await upgrade(
      await writeVersion('9.0.0', (text) => `${text}\nthrow new Error('does not start')\n`),
    )
    expect(bad.result).toMatchObject({
      kind: 'taken back',
      why: { message: expect.stringContaining('does not start') },
    })
    expect(readlinkSync(join(prefix, 'lib', 'current'))).toBe('releases/8.0.0')
  })
})
