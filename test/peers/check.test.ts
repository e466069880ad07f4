import { readdirSync } from 'node:fs'
import { rename, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { needs } from '../helpers/needs.js'
import { runCommand } from '../helpers/run-command.js'
import type { ServerProcess } from '../helpers/server-process.js'
import { tempDirectory } from '../helpers/temp-directory.js'
import { findSlurm } from './find-slurm.js'
import { startMagnetar } from './magnetar-server.js'
import { startPrivateSlurm } from './private-slurm.js'
import type { AppOptions } from './pulsar-config.js'
import { findPulsarVenv } from './pulsar-venv.js'
import { startPythonPulsar } from './python-pulsar.js'

interface Check {
  readonly name: string
  readonly state: string
  readonly message: string
  readonly kind?: string
}

async function check(args: readonly string[], env: Readonly<Record<string, string>> = {}) {
  const { exitCode, output } = await runCommand(
    process.execPath,
    [resolve('bin', 'magnetar.js'), 'check', '--json', ...args],
    { env, timeoutMs: 150_000 },
  )
  const { checks, ok } = JSON.parse(output) as { checks: Check[]; ok: boolean }
  return { exitCode, output, ok, of: new Map(checks.map((each) => [each.name, each])) }
}

/** No directory of a job of ours. */
const left = (directory: string): string[] =>
  readdirSync(directory).filter((name) => name.startsWith('magnetar-check'))

const { venv, missing } = findPulsarVenv()

describe('magnetar check of a Python Pulsar', needs(missing), () => {
  let directory: string
  beforeAll(async () => {
    directory = await tempDirectory()
  })

  const start = async (name: string, app: AppOptions): Promise<ServerProcess> => {
    if (!venv) throw new Error(missing)
    return startPythonPulsar(venv, { directory: join(directory, name), app })
  }

  it('goes through with a token, and leaves nothing behind', async () => {
    const server = await start('closed', { private_token: 'a secret' })
    const env = { MAGNETAR_CHECK_TOKEN_FILE: join(directory, 'closed', 'token') }
    await writeFile(env.MAGNETAR_CHECK_TOKEN_FILE, 'a secret\n')
    const good = await check([server.url], env)
    expect([...good.of.values()].filter(({ state }) => state !== 'passed')).toEqual([])
    expect(good).toMatchObject({ exitCode: 0, ok: true })
    expect(good.of.get('version')?.message).toBe('Pulsar 0.16.0')
    expect(left(join(directory, 'closed', 'staging'))).toEqual([])
    // The token is not in what is printed.
    expect(good.output).not.toContain('a secret')

    await writeFile(env.MAGNETAR_CHECK_TOKEN_FILE, 'another\n')
    expect(await check([server.url], env)).toMatchObject({ exitCode: 13 })
    expect(await check([server.url])).toMatchObject({ exitCode: 13 })
    await server.stop()
  })

  it('goes through without a token, for a named manager, and names what is wrong with files', async () => {
    const second = { type: 'queued_python', staging_directory: join(directory, 'open', 'second') }
    const managers = { _default_: { type: 'queued_python' }, second }
    const server = await start('open', { managers })
    const good = await check([server.url, '--manager', 'second', '--no-pull'])
    expect(good, good.output).toMatchObject({ exitCode: 0 })
    expect(good.of.get('setup')?.message).toContain(join(directory, 'open', 'second'))
    expect(good.of.get('pull')).toMatchObject({ state: 'left-out' })

    const unknown = await check([server.url, '--manager', 'third'])
    expect(unknown).toMatchObject({ exitCode: 12 })
    expect(unknown.of.get('version')?.message).toBe('the node has no manager third')

    // As root nothing is unwritable; what is not there is unusable for everybody.
    await rename(second.staging_directory, `${second.staging_directory}-away`)
    const broken = await check([`${server.url}managers/second`])
    expect(broken, broken.output).toMatchObject({ exitCode: 15 })
    expect(broken.of.get('setup')).toMatchObject({ state: 'failed', kind: 'files' })
    await server.stop()
  })
})

describe('magnetar check of a node on Slurm', needs(findSlurm().missing), () => {
  let slurm: Awaited<ReturnType<typeof startPrivateSlurm>>
  let server: ServerProcess
  let directory: string
  beforeAll(async () => {
    slurm = await startPrivateSlurm(await tempDirectory())
    directory = await tempDirectory()
    server = await startMagnetar({ directory, app: { manager: { type: 'slurm' } }, env: slurm.env })
  })
  afterAll(async () => {
    await server?.stop()
    await slurm?.stop()
  })

  it('goes through', async () => {
    const good = await check([server.url])
    expect(good, good.output).toMatchObject({ exitCode: 0, ok: true })
    expect(good.of.get('run')?.message).toContain(`on ${slurm.nodeName}`)
    expect(good.of.get('cancel')).toMatchObject({ state: 'passed' })
    expect(left(join(directory, 'staging'))).toEqual([])
  })

  it('says that a job does not get to run while the controller is down', async () => {
    await slurm.signalController('TERM')
    try {
      const down = await check([server.url, '--timeout', '5'])
      expect(down, down.output).toMatchObject({ exitCode: 16 })
      expect(down.of.get('run')?.message).toMatch(/does not get to run: it is still queued after 5 s/)
      expect(down.of.get('cancel')).toMatchObject({ state: 'not-tried' })
    } finally {
      await slurm.startController()
    }
  })

  it('says why Slurm lets a job wait, with the configuration of the node at hand', async () => {
    await slurm.run('scontrol', 'update', 'partitionname=debug', 'state=down')
    const waits = await check(['--config', directory], slurm.env)
    expect(waits, waits.output).toMatchObject({ exitCode: 16 })
    expect(waits.of.get('run')?.message).toContain('the partition is down')
    await slurm.run('scontrol', 'update', 'partitionname=debug', 'state=up')
  })
})
