import { execFileSync } from 'node:child_process'
import {
  existsSync,
  mkdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { Command } from 'commander'
import { beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest'
import { addUpgradeCommands } from '../../src/cli/upgrade.js'
import { lockNode } from '../../src/setup/lock.js'
import { runCommand } from '../helpers/run-command.js'
import { tempDirectory } from '../helpers/temp-directory.js'
import { contextFor, install, writeFiles, writePackage } from '../setup/install-fixture.js'

let directory: string
let prefix: string

/** The command line as main.ts runs it; what it writes, and its exit code. */
async function magnetar(...argv: string[]) {
  let stdout = ''
  let stderr = ''
  const out = vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
    stdout += String(text)
    return true
  })
  const error = vi.spyOn(process.stderr, 'write').mockImplementation((text) => {
    stderr += String(text)
    return true
  })
  let exitCode: number | undefined
  try {
    const program = new Command('magnetar').exitOverride()
    addUpgradeCommands(program, (code) => {
      exitCode = code
    })
    await program.parseAsync(argv, { from: 'user' })
  } finally {
    out.mockRestore()
    error.mockRestore()
  }
  return {
    exitCode,
    stdout,
    stderr,
    events: () =>
      stdout
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line)),
  }
}

function current(): string {
  return readlinkSync(join(prefix, 'lib', 'current'))
}

beforeEach(async () => {
  directory = await tempDirectory()
  prefix = join(directory, 'prefix')
  for (const name of ['MAGNETAR_PREFIX', 'MAGNETAR_SETUP_PREFIX', 'MAGNETAR_SETUP_INSTANCE']) {
    vi.stubEnv(name, undefined)
  }
  onTestFinished(() => {
    vi.unstubAllEnvs()
  })
})

/** A node as setup leaves it, of the miniature release 0.0.1, without a service, on a runtime of the admin's. */
async function setUp(): Promise<void> {
  const root = join(directory, 'old')
  writePackage(root, '0.0.1')
  const context = contextFor(prefix, root, { node: 'download' })
  const runtime = join(context.paths.runtimes, 'own', 'bin')
  mkdirSync(runtime, { recursive: true })
  symlinkSync(process.execPath, join(runtime, 'node'))
  const about = { version: process.versions.node, integrity: 'sha512-own' }
  writeFileSync(join(runtime, '..', 'runtime.json'), JSON.stringify(about))
  await install({ ...context, pinned: { name: 'own', ...about, bytes: 1 } })
  mkdirSync(context.paths.etc)
  mkdirSync(context.paths.var)
  const answers = { node: '/opt/node/bin/node', service: 'none' }
  writeFileSync(context.paths.manifest, JSON.stringify({ version: 1, answers, files: {}, madeUser: false }))
}

describe('magnetar upgrade', () => {
  it('puts the release of the program that runs in place of the old one, and rollback the old one back', async () => {
    await setUp()
    const { version } = JSON.parse(readFileSync('package.json', 'utf8')) as { version: string }
    const upgraded = await magnetar('upgrade', '--prefix', prefix, '--yes', '--no-verify')
    expect(upgraded.stderr).toBe('')
    expect(upgraded.exitCode).toBe(0)
    expect(upgraded.stdout).toContain(`Release 0.0.1 → ${version}`)
    expect(upgraded.stdout).toContain(`Release ${version} is the one that runs.`)
    expect(upgraded.stdout.replace(/\s+/g, ' ')).toContain(`magnetar rollback --prefix ${prefix}`)
    expect(current()).toBe(`releases/${version}`)
    expect(await runCommand(join(prefix, 'bin', 'magnetar'), ['--version'])).toEqual({
      exitCode: 0,
      output: `${version}\n`,
    })

    const again = await magnetar('upgrade', '--prefix', prefix, '--yes', '--no-verify')
    expect(again).toMatchObject({ exitCode: 0, stderr: '' })
    expect(again.stdout).toContain(`Nothing to do: release ${version} runs already.`)

    const back = await magnetar('rollback', '--prefix', prefix, '--yes', '--no-verify', '--json')
    expect(back.exitCode).toBe(0)
    const events = back.events()
    expect(events[0]).toMatchObject({ event: 'plan', from: version, to: '0.0.1' })
    expect(events.at(-1)).toEqual({
      event: 'result',
      result: 'moved',
      from: version,
      to: '0.0.1',
      warnings: [],
    })
    expect(events.filter(({ event, state }) => event === 'change' && state === 'done')).toHaveLength(
      events[0].changes.length,
    )
    expect(current()).toBe('releases/0.0.1')
  })

  it('shows the plan and changes nothing without a terminal or --yes', async () => {
    await setUp()
    for (const more of [[], ['--json']]) {
      const { exitCode, stdout, stderr } = await magnetar(
        'upgrade',
        '--prefix',
        prefix,
        '--no-verify',
        ...more,
      )
      expect(exitCode).toBe(2)
      expect(stdout).toContain('0.0.1')
      expect(stderr).toContain('add --yes')
      expect(current()).toBe('releases/0.0.1')
    }
  })

  it('is for the node of the program itself, or the named one', async () => {
    await setUp()
    vi.stubEnv('MAGNETAR_PREFIX', prefix)
    expect((await magnetar('rollback', '--yes')).stderr).toContain('no release ran before 0.0.1')
    expect((await magnetar('rollback', '--yes', '--prefix', join(directory, 'other'))).stderr).toContain(
      `setup has made no node in ${join(directory, 'other')}`,
    )
    expect((await magnetar('rollback', '--yes', '--instance', 'second')).stderr).toMatch(
      /no node in \S*\/pulsar-second/,
    )
  })

  it('tells mistakes with exit code 1, also as JSON', async () => {
    const { exitCode, stderr, events } = await magnetar('upgrade', '--prefix', prefix, '--yes', '--json')
    expect(exitCode).toBe(1)
    expect(stderr).toContain('[NODE_NOT_FOUND]')
    expect(events()).toMatchObject([{ event: 'result', result: 'failed', code: 'NODE_NOT_FOUND' }])
  })

  it('does not run beside a setup of the same node', async () => {
    await setUp()
    const unlock = await lockNode(prefix, AbortSignal.timeout(10_000))
    onTestFinished(unlock)
    const { exitCode, stderr } = await magnetar('upgrade', '--prefix', prefix, '--yes')
    expect(exitCode).toBe(1)
    expect(stderr).toContain('[SETUP_BUSY]')
  })
})

describe('magnetar upgrade --to', () => {
  const noteArguments = `#!/usr/bin/env node
import { writeFileSync } from 'node:fs'
import '../dist/bundle/main.js'
writeFileSync(process.env.NOTES, JSON.stringify([process.argv.slice(2), import.meta.dirname]))
process.exit(5)
`

  function writeNew(more: Readonly<Record<string, string>> = {}): string {
    const root = join(directory, 'new')
    writePackage(root, '9.0.0', { 'bin/magnetar.js': noteArguments, ...more })
    vi.stubEnv('NOTES', join(directory, 'notes'))
    return root
  }

  function notes(): [string[], string] {
    return JSON.parse(readFileSync(join(directory, 'notes'), 'utf8'))
  }

  it('lets the program of that directory do it, and hands on what was said', async () => {
    const root = writeNew()
    const args = ['--prefix', prefix, '--yes', '--no-verify', '--json']
    expect(await magnetar('upgrade', '--to', root, ...args)).toMatchObject({ exitCode: 5, stderr: '' })
    expect(notes()).toEqual([['upgrade', ...args], join(root, 'bin')])
  })

  it.each([
    'magnetar-9.0.0.tgz',
    'magnetar-9.0.0.tar',
  ])('unpacks %s for that, and removes it afterwards', async (name) => {
    writeNew()
    const tarball = join(directory, name)
    execFileSync('tar', ['-caf', tarball, '-C', directory, 'new'])
    expect(await magnetar('upgrade', '--to', tarball, '--instance', 'second')).toMatchObject({ exitCode: 5 })
    const [args, where] = notes()
    expect(args).toEqual(['upgrade', '--instance', 'second'])
    expect(existsSync(where)).toBe(false)
  })

  it('says how to make a complete tarball of one whose packages are missing', async () => {
    const root = writeNew()
    rmSync(join(root, 'node_modules'), { recursive: true })
    const tarball = join(directory, 'npm-pack.tgz')
    execFileSync('tar', ['-czf', tarball, '-C', directory, 'new'])
    const { exitCode, stderr } = await magnetar('upgrade', '--to', tarball)
    expect(exitCode).toBe(1)
    expect(stderr).toContain(`${tarball} is incomplete: the package needed is not installed there`)
    expect(stderr).toContain('tar -C PREFIX/lib/releases')
  })

  it.each([
    [
      'there is nothing',
      () => rmSync(join(directory, 'new'), { recursive: true }),
      /there is no such file or directory: .*new/,
    ],
    [
      'it is no package',
      () => writeFiles(join(directory, 'new'), { 'package.json': '{}' }),
      /is no Magnetar/,
    ],
    ['it is not compiled', () => rmSync(join(directory, 'new/dist'), { recursive: true }), /is not compiled/],
    [
      'packages are missing',
      () => rmSync(join(directory, 'new/node_modules/deeper'), { recursive: true }),
      /the package deeper is not installed/,
    ],
    [
      'it needs a newer Node',
      () => {
        const file = join(directory, 'new/package.json')
        writeFileSync(file, readFileSync(file, 'utf8').replace('{', '{"engines":{"node":">=99.0.0"},'))
      },
      /release 9.0.0 needs Node.js 99.0.0 or newer/,
    ],
    [
      'it is no tarball',
      () => {
        rmSync(join(directory, 'new'), { recursive: true })
        writeFileSync(join(directory, 'new'), 'text')
      },
      /cannot be unpacked/,
    ],
  ])('says so when %s', async (_what, spoil, message) => {
    const root = writeNew()
    spoil()
    const { exitCode, stderr } = await magnetar('upgrade', '--to', root, '--prefix', prefix)
    expect(exitCode).toBe(1)
    expect(stderr).toMatch(message)
    expect(stderr).toContain('[RELEASE_UNKNOWN]')
    expect(existsSync(join(directory, 'notes'))).toBe(false)
  })
})
