import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { describe, expect, it } from 'vitest'
import { appYmlStep } from '../../src/setup/steps/app-yml.js'
import { directoriesStep } from '../../src/setup/steps/directories.js'
import { serverIniStep } from '../../src/setup/steps/server-ini.js'
import type { SetupContext } from '../../src/setup/types.js'
import { freePort } from '../helpers/free-port.js'
import { needs } from '../helpers/needs.js'
import { runCommand } from '../helpers/run-command.js'
import { tempDirectory } from '../helpers/temp-directory.js'
import { waitFor } from '../helpers/wait-for.js'
import { contextFor, setUp } from '../setup/context-fixture.js'
import { snapshot } from '../setup/tree-snapshot.js'

const launcher = resolve('bin', 'magnetar.js')
/** The machine's own Supervisor is not asked: its file is another. */
const env = { MAGNETAR_SETUP_SUPERVISOR_CONF: '/nonexistent', MAGNETAR_PREFIX: undefined, NO_COLOR: '1' }

const uninstall = (...args: string[]) =>
  runCommand(process.execPath, [launcher, 'uninstall', ...args], { env, timeoutMs: 60_000 })

async function makeNode(): Promise<SetupContext> {
  const context = contextFor({
    root: false,
    prefix: join(await tempDirectory(), 'node'),
    answers: { manager: 'local', dependencies: 'none', port: await freePort() },
  })
  await setUp(context, [directoriesStep, appYmlStep, serverIniStep])
  return context
}

describe('magnetar uninstall', () => {
  it('shows its plan and changes nothing, with --plan or without a terminal', async () => {
    const { paths } = await makeNode()
    const before = snapshot(paths.prefix)
    const planned = await uninstall('--prefix', paths.prefix, '--plan')
    expect(planned.output).toContain(`remove ${paths.releases}`)
    expect(planned.output).toContain('--purge removes them too')
    expect(planned.exitCode).toBe(0)
    const refused = await uninstall('--prefix', paths.prefix)
    expect(refused.output).toContain('Without a terminal nothing is asked: add --yes')
    expect(refused.exitCode).toBe(2)
    expect(snapshot(paths.prefix)).toEqual(before)
  })

  it('takes a node away, once', async () => {
    const { paths } = await makeNode()
    const done = await uninstall('--prefix', paths.prefix, '--yes')
    expect(done).toMatchObject({
      exitCode: 0,
      output: expect.stringContaining(`Removed from ${paths.prefix}`),
    })
    expect(existsSync(paths.appYml)).toBe(true)
    expect(existsSync(paths.bin)).toBe(false)
    const again = await uninstall('--prefix', paths.prefix, '--yes')
    expect(again).toMatchObject({ exitCode: 0, output: expect.stringContaining('Nothing to do') })
    expect((await uninstall('--prefix', paths.prefix, '--yes', '--purge')).exitCode).toBe(0)
    expect(existsSync(paths.prefix)).toBe(false)
  })

  it('tells programs what happens, a document a line, and no secret', async () => {
    const context = await makeNode()
    const { paths } = context
    const child = spawn(
      process.execPath,
      [launcher, 'uninstall', '--json', '--yes', '--purge', '--prefix', paths.prefix],
      {
        env: { ...process.env, ...env },
        stdio: ['ignore', 'pipe', 'ignore'],
      },
    )
    let text = ''
    child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk
    })
    await once(child, 'close')
    const events = text
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as { event: string; result?: string })
    expect(events[0]?.event).toBe('plan')
    expect(events.filter(({ event }) => event === 'change').length).toBeGreaterThan(0)
    expect(events.at(-1)).toMatchObject({
      event: 'result',
      result: 'removed',
      prefix: paths.prefix,
      purged: true,
    })
    expect(text).not.toContain(context.token)
  })

  it('refuses what setup did not make, and flags that it does not know', async () => {
    const directory = await tempDirectory()
    mkdirSync(join(directory, 'bin'))
    writeFileSync(join(directory, 'bin', 'pulsar-check'), '')
    const refused = await uninstall('--prefix', directory, '--yes', '--purge')
    expect(refused).toMatchObject({ exitCode: 1, output: expect.stringContaining('[NODE_NOT_FOUND]') })
    expect(existsSync(join(directory, 'bin', 'pulsar-check'))).toBe(true)
    expect(await uninstall('--perge')).toMatchObject({ exitCode: 2 })
  })

  const noScript = existsSync('/usr/bin/script')
    ? undefined
    : 'script (util-linux) makes the terminal; install it'
  it.each([
    ['n\r', 1, true],
    ['\x04', 1, true],
    ['\x03', 130, true],
    ['y\r', 0, false],
  ])('asks on a terminal: %j', needs(noScript), async (keys, exitCode, isLeft) => {
    const { paths } = await makeNode()
    const command = `'${process.execPath}' '${launcher}' uninstall --prefix '${paths.prefix}'`
    const child = spawn('script', ['-qec', command, '/dev/null'], {
      env: { ...process.env, ...env },
      stdio: ['pipe', 'pipe', 'ignore'],
    })
    let text = ''
    child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk
    })
    await waitFor(() => text.includes('[y/N]'), { what: 'question', timeoutMs: 15_000 })
    child.stdin.write(keys)
    const [code] = await once(child, 'exit')
    expect({ code, isLeft: existsSync(paths.bin) }).toEqual({ code: exitCode, isLeft })
  })
})
