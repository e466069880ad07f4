import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { delimiter, join } from 'node:path'
import { beforeEach, describe, expect, it } from 'vitest'
import { nodePaths } from '../../src/setup/paths.js'
import type { InstallContext } from '../../src/setup/release/install.js'
import { inspectLaunchers, planLaunchers } from '../../src/setup/steps/launchers.js'
import type { Manifest, StepPlan } from '../../src/setup/types.js'
import { needs } from '../helpers/needs.js'
import { runCommand } from '../helpers/run-command.js'
import { tempDirectory } from '../helpers/temp-directory.js'
import { waitFor } from '../helpers/wait-for.js'
import { applyChanges, contextFor, install, writePackage } from './install-fixture.js'

let directory: string
let prefix: string
let context: InstallContext
let manifest: Manifest

beforeEach(async () => {
  directory = await tempDirectory()
  prefix = join(directory, 'prefix')
  writePackage(join(directory, 'checkout'))
  // A runtime that can be moved with the prefix; its content is of no interest here.
  context = contextFor(prefix, join(directory, 'checkout'), { node: 'download' })
  const runtime = join(context.paths.runtimes, 'test')
  mkdirSync(join(runtime, 'bin'), { recursive: true })
  symlinkSync(process.execPath, join(runtime, 'bin', 'node'))
  const version = process.versions.node
  writeFileSync(join(runtime, 'runtime.json'), JSON.stringify({ version, integrity: 'sha512-test' }))
  context = { ...context, pinned: { name: 'x', version, integrity: 'sha512-test', bytes: 1 } }
  manifest = { version: 1, answers: {}, files: {}, madeUser: false }
})

async function plan(force = false): Promise<Partial<StepPlan>> {
  const state = await inspectLaunchers(context.paths, join(context.source.root, 'templates', 'bin'))
  const planned = planLaunchers({ ...context, manifest, force }, state)
  manifest = { ...manifest, files: planned.files ?? {} }
  return planned
}

async function installAll(): Promise<void> {
  await install(context)
  await applyChanges(prefix, (await plan()).changes ?? [])
}

/** What a command of the miniature Magnetar says. */
function say(program: string, args: readonly string[] = [], options: { cwd?: string; path?: string } = {}) {
  const env = { ...process.env, ...(options.path === undefined ? {} : { PATH: options.path }) }
  return JSON.parse(execFileSync(program, args, { cwd: options.cwd ?? '/', env }).toString()) as {
    name: string
    prefix: string
    args: string[]
    file: string
    node: string
  }
}

describe('the commands in bin', () => {
  it('start the release that is current with its own runtime, and hand on every argument', async () => {
    await installAll()
    for (const name of ['magnetar', 'pulsar', 'pulsar-main', 'pulsar-serve', 'pulsar-config']) {
      expect(statSync(join(prefix, 'bin', name)).mode & 0o777).toBe(0o755)
      const args = ['--mode', 'uwsgi', 'a b', '', "it's", '$HOME', '*', '--']
      expect(say(join(prefix, 'bin', name), args)).toMatchObject({ name, args, prefix })
    }
    expect(execFileSync(join(prefix, 'bin', 'node'), ['-p', '6*7']).toString()).toBe('42\n')
    expect((await plan()).changes).toEqual([])
  })

  it('find their installation through links, from anywhere, by any spelling', async () => {
    await installAll()
    const elsewhere = join(directory, 'usr local', 'bin')
    mkdirSync(elsewhere, { recursive: true })
    symlinkSync(join(prefix, 'bin', 'pulsar'), join(elsewhere, 'absolute'))
    symlinkSync('../../prefix/bin/pulsar', join(elsewhere, 'relative'))
    symlinkSync('relative', join(elsewhere, 'twice'))
    for (const name of ['absolute', 'relative', 'twice']) {
      expect(say(join(elsewhere, name)).file).toContain('prefix/lib/releases/1.0.0/')
    }
    expect(say('./pulsar', [], { cwd: join(prefix, 'bin') }).prefix).toBe(prefix)
    expect(say('bin/pulsar', [], { cwd: prefix }).prefix).toBe(prefix)
    expect(say('sh', ['pulsar'], { cwd: join(prefix, 'bin') }).prefix).toBe(prefix)
    const path = `${join(prefix, 'bin')}${delimiter}${process.env.PATH}`
    expect(say('pulsar', [], { path }).prefix).toBe(prefix)
  })

  it('work after the whole directory was moved or copied, and hold no path of where they were', async () => {
    await installAll()
    const moved = join(directory, 'some where', 'else')
    mkdirSync(join(directory, 'some where'))
    renameSync(prefix, moved)
    rmSync(join(directory, 'checkout'), { recursive: true })
    expect(say(join(moved, 'bin', 'magnetar'))).toMatchObject({ prefix: moved })
    cpSync(moved, prefix, { recursive: true, verbatimSymlinks: true })
    expect(say(join(prefix, 'bin', 'magnetar'))).toMatchObject({ prefix })
    const holders = execFileSync('grep', ['-rlF', directory, 'bin', 'lib'], { cwd: moved }).toString()
    expect(holders.trim().split('\n')).toEqual(['bin/activate'])
  })

  it('become Node itself, so that signals reach the server and its exit code the caller', async () => {
    await installAll()
    const main = join(prefix, 'lib/releases/1.0.0/dist/bundle/main.js')
    writeFileSync(
      main,
      `export async function run() {
        process.on('SIGINT', () => process.exit(7)); setInterval(() => {}, 1000); console.log(process.pid) }`,
    )
    const child = spawn(join(prefix, 'bin', 'pulsar'), [], { stdio: ['ignore', 'pipe', 'inherit'] })
    const ended = once(child, 'exit')
    let said = ''
    child.stdout.on('data', (chunk: Buffer) => {
      said += chunk.toString()
    })
    await waitFor(() => said.endsWith('\n'), { what: 'server' })
    expect(said.trim()).toBe(String(child.pid))
    child.kill('SIGINT')
    expect(await ended).toEqual([7, null])
  })

  it('say what is missing when the installation is not complete', async () => {
    await installAll()
    rmSync(join(prefix, 'lib', 'current'))
    const { exitCode, output } = await runCommand(join(prefix, 'bin', 'pulsar'), [])
    expect(exitCode).toBe(127)
    expect(output).toContain(`the installation in ${prefix} is incomplete`)
    expect(output).toContain(`magnetar setup --prefix ${prefix}`)
  })

  it('replace those of an earlier release, but not what somebody else put there', async () => {
    await installAll()
    const template = join(directory, 'checkout', 'templates', 'bin', 'launcher')
    writeFileSync(template, `${readFileSync(template, 'utf8')}# newer\n`)
    const newer = await plan()
    expect(newer.changes?.map(({ title }) => title)).toHaveLength(5)
    expect(newer.conflicts).toEqual([])
    await applyChanges(prefix, newer.changes ?? [])

    const edited = join(prefix, 'bin', 'pulsar')
    writeFileSync(edited, '#!/bin/sh\nulimit -n 4096\n')
    expect(await plan()).toMatchObject({ changes: [], notes: [expect.stringContaining(edited)] })
    const forced = await plan(true)
    expect(forced.changes).toMatchObject([{ kind: 'file', path: edited, backup: true }])
  })

  it('are taken for its own by a setup of the place that they were moved to', async () => {
    await installAll()
    const moved = join(directory, 'moved')
    renameSync(prefix, moved)
    const state = await inspectLaunchers(
      nodePaths(moved, undefined),
      join(context.source.root, 'templates', 'bin'),
    )
    const { changes, conflicts } = planLaunchers(
      { ...context, paths: nodePaths(moved, undefined), manifest, force: false },
      state,
    )
    expect(conflicts).toEqual([])
    expect(changes).toMatchObject([{ path: join(moved, 'bin', 'activate'), backup: false }])
    await applyChanges(moved, changes ?? [])
    expect(readFileSync(join(moved, 'bin', 'activate'), 'utf8')).toContain(`VIRTUAL_ENV=${moved}\n`)
  })

  it("leave a Python Pulsar's alone, unless forced", async () => {
    await install(context)
    mkdirSync(context.paths.bin, { recursive: true })
    for (const name of ['pulsar', 'activate', 'node']) {
      writeFileSync(join(prefix, 'bin', name), '#!/srv/pulsar/bin/python\n')
    }
    const { changes, conflicts } = await plan()
    expect(conflicts?.map(({ path }) => path.slice(prefix.length)).sort()).toEqual([
      '/bin/activate',
      '/bin/node',
      '/bin/pulsar',
    ])
    expect(changes?.every(({ kind }) => kind === 'file')).toBe(true)
    const forced = await plan(true)
    expect(forced.conflicts).toEqual([])
    await applyChanges(prefix, forced.changes ?? [])
    expect(say(join(prefix, 'bin', 'pulsar')).prefix).toBe(prefix)
  })
})

const shells = [
  ['bash', ['--norc', '--noprofile']],
  ['dash', []],
  ['sh', []],
  ['zsh', ['-f']],
] as const

function findShell(shell: string): string | undefined {
  return (process.env.PATH ?? '')
    .split(delimiter)
    .map((entry) => join(entry, shell))
    .find((path) => existsSync(path))
}

function missingShell(shell: string): string | undefined {
  return findShell(shell) ? undefined : `there is no ${shell} here`
}

describe.each(shells)('activate in %s', (shell, args) => {
  const run = (script: string, cwd = '/'): string =>
    execFileSync(findShell(shell) ?? '', [...args, '-c', `set -eu; PS1='> '\n${script}`], {
      cwd,
      env: { PATH: '/usr/bin:/bin', HOME: '/' },
    }).toString()

  it(
    'puts the commands first, says where it is, and takes it all back',
    needs(missingShell(shell)),
    async () => {
      await installAll()
      const path = '/usr/bin:/bin'
      const script = `. '${prefix}/bin/activate'
      echo "$VIRTUAL_ENV|$VIRTUAL_ENV_PROMPT|$PATH|$PS1|$(command -v pulsar)"
      deactivate
      echo "\${VIRTUAL_ENV-none}|$PATH|$PS1|$(command -v deactivate || echo gone)"`
      const [active, after] = run(script).trim().split('\n')
      expect(active).toBe(`${prefix}|prefix|${prefix}/bin:${path}|(prefix) > |${prefix}/bin/pulsar`)
      expect(after).toBe(`none|${path}|> |gone`)
    },
  )

  it('is harmless when it is read twice', needs(missingShell(shell)), async () => {
    await installAll()
    const script = `. '${prefix}/bin/activate'; . '${prefix}/bin/activate'; echo "$PATH|$PS1"; deactivate; echo "$PATH|$PS1"`
    expect(run(script)).toBe(`${prefix}/bin:/usr/bin:/bin|(prefix) > \n/usr/bin:/bin|> \n`)
  })

  it('leaves the prompt alone when asked to', needs(missingShell(shell)), async () => {
    await installAll()
    expect(
      run(`VIRTUAL_ENV_DISABLE_PROMPT=1; . '${prefix}/bin/activate'; echo "$PS1"; deactivate; echo "$PS1"`),
    ).toBe('> \n> \n')
  })
})

describe.each([
  ['bash', ['--norc', '--noprofile']],
  ['zsh', ['-f']],
])('activate in %s, which says what it reads', (shell, args) => {
  it('finds the prefix after it was moved, by any spelling', needs(missingShell(shell)), async () => {
    await installAll()
    const moved = join(directory, 'some where')
    renameSync(prefix, moved)
    chmodSync(moved, 0o755)
    for (const [cwd, spelling] of [
      ['/', `'${moved}/bin/activate'`],
      [moved, 'bin/activate'],
      [join(moved, 'bin'), './activate'],
      [join(moved, 'lib'), '../bin/activate'],
    ] as const) {
      const script = `CDPATH=/tmp; source ${spelling}; echo "$VIRTUAL_ENV"`
      expect(execFileSync(findShell(shell) ?? '', [...args, '-c', script], { cwd }).toString()).toBe(
        `${moved}\n`,
      )
    }
  })
})
