import { existsSync } from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { needs } from '../helpers/needs.js'
import { waitFor } from '../helpers/wait-for.js'
import { missingPrivateSystemd, type PrivateSystemd, startPrivateSystemd } from './private-systemd.js'

const missing = missingPrivateSystemd()
const prefix = '/srv/pulsar'
let systemd: PrivateSystemd

beforeAll(async () => {
  if (missing === undefined) systemd = await startPrivateSystemd()
})
afterAll(() => systemd?.stop())

/** @returns what it printed on either stream, and its exit code */
async function run(...argv: string[]): Promise<{ code: number | null; output: string }> {
  const { code, stdout, stderr } = await systemd.run(argv, { timeoutMs: 120_000 })
  return { code, output: stdout + stderr }
}

const setup = (...more: string[]) =>
  run(...[process.execPath, resolve('bin', 'magnetar.js'), 'setup', '--yes', '--prefix', prefix, ...more])
const property = async (name: string): Promise<string> =>
  (await run('systemctl', 'show', '-P', name, 'pulsar')).output.trim()
const inside = (path: string): string => join(systemd.path, path)

// In this order: each begins where the one before ended.
describe('a node as a systemd unit', needs(missing), () => {
  it('is set up, enabled, started when it says so, and proved with a job', async () => {
    const { code, output } = await setup(
      ...['--systemd', '--manager', 'local', '--no-conda', '--node', process.execPath],
    )
    expect(output).toContain('A job ran through it: submitted →')
    expect(code).toBe(0)
    expect(await property('ActiveState')).toBe('active')
    expect(await property('Type')).toBe('notify')
    expect(await property('StatusText')).toBe('ready: http://localhost:8913/')
    expect((await run('systemctl', 'is-enabled', 'pulsar')).output).toBe('enabled\n')
    expect((await run('ps', '-o', 'user=', '-p', await property('MainPID'))).output.trim()).toBe('pulsar')
    const again = await setup()
    expect(again).toMatchObject({ code: 0, output: expect.stringContaining('Nothing to do') })
  })

  it('starts again after a crash', async () => {
    await run('systemctl', 'kill', '--signal=KILL', 'pulsar')
    await waitFor(
      async () => (await property('ActiveState')) === 'active' && (await property('NRestarts')) === '1',
      { what: 'restart', timeoutMs: 30_000 },
    )
  })

  it('lets its jobs live through a restart, and takes them up again', async () => {
    const token = /private_token: "?([^"\n]+)/.exec(
      await readFile(inside(`${prefix}/etc/app.yml`), 'utf8'),
    )?.[1]
    const curl = (method: string, route: string) =>
      run(
        'curl',
        '-sf',
        '-X',
        method,
        '-H',
        `Authorization: Bearer ${token}`,
        `http://localhost:8913/${route}`,
      )
    const go = `${prefix}/var/go`
    const command = `until [ -e ${go} ]; do sleep 0.1; done; exit 7`
    await curl('POST', 'jobs?job_id=long')
    await curl('POST', `jobs/long/submit?${new URLSearchParams({ command_line: command })}`)
    const status = async () => JSON.parse((await curl('GET', 'jobs/long/status')).output)
    await waitFor(async () => (await status()).status === 'running', { what: 'running job' })
    const before = await property('MainPID')
    await run('systemctl', 'restart', 'pulsar')
    expect(await property('MainPID')).not.toBe(before)
    await waitFor(async () => (await status()).status === 'running', { what: 'job that is taken up' })
    await writeFile(inside(go), '')
    const ended = await waitFor(
      async () => {
        const found = await status()
        return found.complete === 'true' && found
      },
      { what: 'end of the job' },
    )
    expect(ended).toMatchObject({ status: 'complete', returncode: 7 })
  })

  it('stops at once, and stays stopped with a wrong configuration, whose words setup shows', async () => {
    await run('systemctl', 'stop', 'pulsar')
    expect(await property('ActiveState')).toBe('inactive')
    const localEnv = inside(`${prefix}/etc/local_env.sh`)
    const text = await readFile(localEnv, 'utf8')
    await writeFile(localEnv, `${text}\necho no such library >&2; exit 3\n`)
    const failed = await setup()
    expect(failed.code).toBe(1)
    expect(failed.output).toContain('no such library')
    expect(await property('ExecMainStatus')).toBe('78')
    expect(await property('ActiveState')).toBe('failed')
    await writeFile(localEnv, text)
    expect((await setup()).code).toBe(0)
    expect(await property('ActiveState')).toBe('active')
  })

  it('is confined when its jobs run elsewhere, and serves', async () => {
    const appYml = inside(`${prefix}/etc/app.yml`)
    const text = await readFile(appYml, 'utf8')
    await writeFile(
      appYml,
      text.replace('type: queued_python', 'type: slurm').replace(/^ *num_concurrent_jobs:.*\n/m, ''),
    )
    const { code, output } = await setup('--no-verify')
    expect(output).toContain('the node answers')
    expect(code).toBe(0)
    const status = await readFile(inside(`/proc/${await property('MainPID')}/status`), 'utf8')
    expect(status).toMatch(/^NoNewPrivs:\s1$/m)
    expect(status).toMatch(/^Seccomp:\s2$/m)
    expect(status).toMatch(/^CapBnd:\s0+$/m)
  })

  it('is stopped, disabled and removed by uninstall, also by its own program', async () => {
    // Forced, as no Slurm is there to say that none of its jobs is left.
    const { code, output } = await run(`${prefix}/bin/magnetar`, 'uninstall', '--yes', '--purge', '--force')
    expect({ code, output }).toMatchObject({ code: 0 })
    expect(await property('LoadState')).toBe('not-found')
    expect(existsSync(inside('/etc/systemd/system/pulsar.service'))).toBe(false)
    expect(existsSync(inside('/etc/systemd/system/multi-user.target.wants/pulsar.service'))).toBe(false)
    expect(existsSync(inside(prefix))).toBe(false)
    expect((await run('id', 'pulsar')).code).toBe(1)
  })
})
