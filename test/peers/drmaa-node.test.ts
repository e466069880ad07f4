import { existsSync, readFileSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { expectNothingLost } from '../helpers/kill-restart.js'
import { needs } from '../helpers/needs.js'
import { createPulsarClient } from '../helpers/pulsar-client.js'
import { runCommand } from '../helpers/run-command.js'
import type { ServerProcess } from '../helpers/server-process.js'
import { tempDirectory } from '../helpers/temp-directory.js'
import { waitFor } from '../helpers/wait-for.js'
import { buildDrmaa, drmaaMissing, type TestDrmaa } from './drmaa/build-library.js'
import { startMagnetar } from './magnetar-server.js'
import { findPulsarVenv, withPython } from './pulsar-venv.js'

const missing = drmaaMissing()
const python = findPulsarVenv()

describe('magnetar serve with queued_drmaa', needs(missing), () => {
  let drmaa: TestDrmaa
  const servers: ServerProcess[] = []

  beforeAll(async () => {
    drmaa = await buildDrmaa(await tempDirectory())
  })
  afterAll(() => drmaa?.stop())
  afterEach(async () => {
    drmaa.behave()
    await Promise.all(servers.splice(0).map((server) => server.stop()))
  })

  async function start(
    directory: string,
    manager: object = {},
    env: NodeJS.ProcessEnv = {},
  ): Promise<ServerProcess> {
    const app = { managers: { _default_: { type: 'queued_drmaa', return_code_wait: 1, ...manager } } }
    // As local_env.sh gives it.
    const given = { DRMAA_LIBRARY_PATH: drmaa.library, TEST_DRMAA_DIR: drmaa.directory, ...env }
    const server = await startMagnetar({ directory, app, env: given })
    servers.push(server)
    return server
  }

  it('loses no job and runs none twice when it is killed with jobs running', async () => {
    const directory = await tempDirectory()
    await expectNothingLost(() => start(directory), directory, 12)
  })

  it('tells a tool that failed from a job that was killed, and ends a cancelled one', async () => {
    const directory = await tempDirectory()
    const client = createPulsarClient((await start(directory, { native_specification: '--mem=1' })).url)
    const jobs = {
      failing: '(exit 3)',
      killed: 'kill -9 $$',
      endless: 'echo > begun; while :; do sleep 0.1; done',
    }
    for (const [id, command] of Object.entries(jobs)) {
      await client.setup(id)
      await client.submit(id, command)
    }
    const begun = join(directory, 'staging', 'endless', 'working', 'begun')
    await waitFor(() => existsSync(begun), { what: 'the endless job' })
    await client.cancel('endless')
    expect(await client.untilDone('failing')).toMatchObject({ status: 'complete', returncode: 3 })
    const killed = await client.untilDone('killed')
    expect(killed).toMatchObject({ status: 'failed' })
    expect(JSON.stringify(killed)).toContain('The DRM reports the job as failed')
    expect(await client.untilDone('endless')).toMatchObject({ status: 'cancelled' })
    const id: unknown = JSON.parse(readFileSync(join(directory, 'staging', 'endless', 'external_id'), 'utf8'))
    expect(await drmaa.calls('control')).toContain(id)
    expect(readFileSync(join(drmaa.directory, 'jobs', String(id)), 'utf8')).toMatch(
      /^pulsar_endless\n.*\n.*\n:.*\n:.*\n--mem=1\n$/,
    )
  })

  it("does the real client's check", needs(python.missing), async () => {
    if (!python.venv) throw new Error(python.missing)
    const directory = await tempDirectory()
    const server = await start(directory, {}, withPython(python.venv))
    const args = ['--url', server.url, '--disable_cleanup', '--job_id', 'checked']
    const check = await runCommand(join(python.venv.bin, 'pulsar-check'), args, {
      env: { TMPDIR: directory },
      timeoutMs: 150_000,
    })
    expect(check.exitCode, check.output).toBe(0)
    expect(existsSync(join(directory, 'staging', 'checked', 'external_id'))).toBe(true)
  })

  it('is validated with the library, and without it where Slurm may do or not', async () => {
    const directory = await tempDirectory()
    const validate = async (manager: object, env: Record<string, string> = {}) => {
      await writeFile(
        join(directory, 'app.yml'),
        JSON.stringify({ manager: { type: 'queued_drmaa', ...manager } }),
      )
      const args = [resolve('bin', 'magnetar.js'), 'config', 'validate', '--config', directory]
      return runCommand(process.execPath, args, { env, timeoutMs: 60_000 })
    }
    const good = await validate({ drmaa_library_path: drmaa.library })
    expect(good.output).toMatch(/^valid: [^\n]*\n$/)
    await writeFile(join(directory, 'local_env.sh'), `export DRMAA_LIBRARY_PATH=${drmaa.library}\n`)
    expect((await validate({ drmaa_fallback: false })).output).toMatch(/^valid: [^\n]*\n$/)
    const bad = await validate({ drmaa_library_path: '/nowhere/libdrmaa.so', drmaa_fallback: false })
    expect(bad.exitCode).not.toBe(0)
    expect(bad.output).toMatch(/nowhere\/libdrmaa\.so[\s\S]*DRMAA_UNUSABLE/)
  })

  it('does not start with a library that it cannot use, and says what to do', async () => {
    const directory = await tempDirectory()
    const manager = { drmaa_library_path: '/nowhere/libdrmaa.so', drmaa_fallback: false }
    await expect(start(directory, manager)).rejects.toThrow(/nowhere\/libdrmaa\.so[\s\S]*DRMAA_UNUSABLE/)
  })
})
