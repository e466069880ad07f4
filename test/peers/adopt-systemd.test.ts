import { existsSync, readFileSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { needs } from '../helpers/needs.js'
import { waitFor } from '../helpers/wait-for.js'
import { missingPrivateSystemd, type PrivateSystemd, startPrivateSystemd } from './private-systemd.js'
import { findPulsarVenv } from './pulsar-venv.js'
import { installPythonPulsar } from './python-installation.js'

const found = findPulsarVenv()
const missing = missingPrivateSystemd() ?? found.missing

const UNIT_FILE = '/etc/systemd/system/pulsar.service'
/** As the Ansible role writes it, with a runner that serves HTTP: a stop ends every process of the unit, jobs too. */
const UNIT = `[Unit]
Description=Pulsar
After=network.target

[Service]
UMask=022
Type=simple
User=pulsar
Group=pulsar
ExecStart=/srv/pulsar/venv/bin/pulsar -c /srv/pulsar/config -m gunicorn
Environment=PULSAR_VIRTUALENV=/srv/pulsar/venv
TimeoutStartSec=30
Restart=always

[Install]
WantedBy=multi-user.target
`

describe('magnetar adopt on a unit of systemd like that of the Ansible role', needs(missing), () => {
  let systemd: PrivateSystemd
  const inside = (path: string): string => join(systemd.path, path)
  const run = async (...argv: string[]): Promise<{ code: number | null; output: string }> => {
    const { code, stdout, stderr } = await systemd.run(argv, { timeoutMs: 240_000 })
    return { code, output: stdout + stderr }
  }
  const adopt = (...more: string[]) =>
    run(process.execPath, resolve('bin', 'magnetar.js'), 'adopt', '/srv/pulsar', '--yes', ...more)
  const ask = async (method: string, route: string, query: Readonly<Record<string, string>> = {}) => {
    const all = new URLSearchParams({ ...query, private_token: 'foo' })
    return (await run('curl', '-s', '-i', '-X', method, '-d', '', `http://127.0.0.1:8913/${route}?${all}`))
      .output
  }
  const status = async (id: string): Promise<string> =>
    (await run('curl', '-s', `http://127.0.0.1:8913/jobs/${id}/status?private_token=foo`)).output
  const start = async (id: string): Promise<void> => {
    await ask('POST', 'jobs', { job_id: id })
    const command_line = `until [ -e /srv/pulsar/var/${id}-go ]; do sleep 0.1; done; (exit 7)`
    await ask('POST', `jobs/${id}/submit`, { command_line })
    await waitFor(async () => /"status": ?"running"/.test(await status(id)), { what: id, timeoutMs: 60_000 })
  }
  const end = async (id: string): Promise<void> => {
    await writeFile(inside(`/srv/pulsar/var/${id}-go`), '')
    const last = await waitFor(
      async () => {
        const text = await status(id)
        return /"complete": ?"true"/.test(text) && text
      },
      { what: `end of ${id}`, timeoutMs: 60_000 },
    )
    expect(JSON.parse(last)).toMatchObject({ status: 'complete', returncode: 7 })
  }
  const isPython = async (): Promise<boolean> => {
    const answer = (
      await run('curl', '-si', 'http://127.0.0.1:8913/healthz?private_token=foo')
    ).output.toLowerCase()
    return answer.includes('200 ok') && answer.includes('server: gunicorn')
  }

  beforeAll(async () => {
    systemd = await startPrivateSystemd()
    const layout = { virtualenv: '/srv/pulsar/venv', config: '/srv/pulsar/config' }
    const made = await run(...installPythonPulsar(found.venv, layout))
    if (made.code !== 0) throw new Error(made.output)
    await writeFile(inside(UNIT_FILE), UNIT)
    await run('systemctl', 'daemon-reload')
    await run('systemctl', 'start', 'pulsar')
    await waitFor(isPython, { what: 'the Python Pulsar', timeoutMs: 120_000 })
  }, 240_000)
  afterAll(() => systemd?.stop())

  it('runs on with Magnetar, and then with the Python Pulsar again; jobs of this machine survive both', async () => {
    await start('a')
    const taken = await adopt('--node', process.execPath)
    expect(taken).toMatchObject({ code: 0, output: expect.stringContaining('pulsar runs Magnetar') })
    expect(readFileSync(inside(UNIT_FILE), 'utf8')).toBe(UNIT)
    expect(await isPython()).toBe(false)
    await end('a')
    // A playbook that writes its unit again changes nothing: the drop-in is not its.
    await writeFile(inside(UNIT_FILE), UNIT)
    await run('systemctl', 'daemon-reload')
    expect((await adopt()).output).toContain('Nothing to do')

    await start('b')
    const given = await adopt('--undo')
    expect(given).toMatchObject({ code: 0, output: expect.stringContaining('runs the Python Pulsar again') })
    expect(existsSync(inside(`${UNIT_FILE}.d`))).toBe(false)
    expect(await isPython()).toBe(true)
    await end('b')
  }, 240_000)
})
