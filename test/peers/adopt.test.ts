import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { CommandResult } from '../../src/lib/exec.js'
import { needs } from '../helpers/needs.js'
import { waitFor } from '../helpers/wait-for.js'
import { type BareHost, startBareHost } from './bare-host.js'
import { missingForPrivateRoot } from './private-root.js'
import { missingSupervisor } from './private-supervisor.js'
import { findPulsarVenv } from './pulsar-venv.js'
import { installPythonPulsar } from './python-installation.js'
import { shareLoadedPython } from './python-program.js'
import { type FinalStatus, sendJobs, toolOf } from './send-jobs.js'

const found = findPulsarVenv()
const missing = missingForPrivateRoot() ?? found.missing ?? (await missingSupervisor())

const URL = 'http://127.0.0.1:8913/'
const PROGRAM_FILE = '/etc/supervisor/conf.d/pulsar.conf'
/** As the exercise leaves it, with the web server that Pulsar 0.16.0 starts with; odd blanks and a comment of the admin's. */
const PROGRAM = `; the Pulsar of the training
[program:pulsar]
user            = pulsar
directory       = /srv/pulsar/etc
command         = /srv/pulsar/bin/pulsar --mode 'gunicorn' --config '/srv/pulsar/etc' ; as pulsar-config wrote it
redirect_stderr = true
autorestart     = true
environment     = VIRTUAL_ENV="/srv/pulsar",PATH="/srv/pulsar/bin:%(ENV_PATH)s"
stopsignal      = INT
`

describe('magnetar adopt on an installation like that of the exercise', needs(missing), () => {
  let host: BareHost
  const file = (path: string): string => readFileSync(host.file(path), 'utf8')
  const argv = (...args: string[]): string[] => [
    ...[process.execPath, resolve('bin', 'magnetar.js'), 'adopt', '/srv/pulsar'],
    ...args,
  ]
  const adopt = (...args: string[]): Promise<CommandResult> =>
    host.root.run(argv(...args), { timeoutMs: 240_000 })
  const doIt = ['--yes', '--node', process.execPath]
  const job = (id: string, command: string): Promise<FinalStatus[]> =>
    sendJobs({
      run: shareLoadedPython(() => host.root.path.replace(/root$/, 'ns/net')),
      url: URL,
      token: 'foo',
      jobs: [{ id, command, tool: toolOf() }],
    })
  /** Runs until `touch GO`, and says what it saw. */
  const held = (id: string): Promise<FinalStatus[]> =>
    job(
      id,
      `touch /tmp/${id}-runs; until [ -e /tmp/${id}-go ]; do sleep 0.1; done; command -v python; touch /tmp/${id}-ran-$$; (exit 3)`,
    )
  const runs = (id: string): Promise<unknown> =>
    waitFor(() => existsSync(host.file(`/tmp/${id}-runs`)), { what: `job ${id}`, timeoutMs: 60_000 })
  const release = (id: string): Promise<CommandResult> => host.root.run(['touch', `/tmp/${id}-go`])
  const timesRun = (id: string): number =>
    readdirSync(host.file('/tmp')).filter((name) => name.startsWith(`${id}-ran-`)).length
  const server = async (): Promise<string> =>
    (await host.root.run(['curl', '-si', `${URL}healthz?private_token=foo`])).stdout.toLowerCase()

  beforeAll(async () => {
    host = await startBareHost({ slurm: false, supervisor: true })
    const layout = { virtualenv: '/srv/pulsar', config: '/srv/pulsar/etc' }
    const made = await host.root.run(installPythonPulsar(found.venv, layout))
    if (made.code !== 0) throw new Error(made.stderr)
    await host.root.run(['tee', PROGRAM_FILE], { input: PROGRAM })
    await host.root.run(['supervisorctl', 'update'])
    await waitFor(async () => (await server()).includes('server: gunicorn'), {
      what: 'the Python Pulsar',
      timeoutMs: 120_000,
    })
  }, 240_000)
  afterAll(() => host?.stop())

  it('is taken over with a job under way, and given back with another; both end right', async () => {
    const first = held('a')
    await runs('a')
    const planned = await adopt('--plan', ...doIt)
    expect(planned).toMatchObject({ code: 0, stderr: '' })
    expect(planned.stdout).toMatch(/Python Pulsar 0\.16\.0 in \/srv\/pulsar\n/)
    expect(planned.stdout).toMatch(/jobs +1 under way \(1 queued or running\): it goes on/)
    expect(planned.stdout.match(/^[+-](?![+-]).*$/gm)).toEqual([
      "-command         = /srv/pulsar/bin/pulsar --mode 'gunicorn' --config '/srv/pulsar/etc' ; as pulsar-config wrote it",
      "+command         = /srv/pulsar/magnetar/bin/pulsar --mode 'gunicorn' --config '/srv/pulsar/etc' ; as pulsar-config wrote it",
    ])
    expect(file(PROGRAM_FILE)).toBe(PROGRAM)
    expect(existsSync(host.file('/srv/pulsar/magnetar'))).toBe(false)

    const done = await adopt(...doIt)
    expect(done).toMatchObject({ code: 0, stderr: '' })
    expect(done.stdout).toContain('pulsar runs Magnetar')
    expect(await server()).not.toContain('gunicorn')
    await release('a')
    // What jobs find first is what they found before.
    const ended = { status: 'complete', returncode: 3 }
    expect(await first).toMatchObject([{ ...ended, job_stdout: '/srv/pulsar/bin/python\n' }])
    expect(timesRun('a')).toBe(1)
    expect(await job('b', 'command -v python')).toMatchObject([
      { status: 'complete', returncode: 0, job_stdout: '/srv/pulsar/bin/python\n' },
    ])
    expect((await adopt(...doIt)).stdout).toContain('Nothing to do')
    const uninstalled = await host.root.run([
      ...argv().slice(0, 2),
      'uninstall',
      '--yes',
      '--prefix',
      '/srv/pulsar/magnetar',
    ])
    expect(uninstalled).toMatchObject({ code: 1 })
    expect(uninstalled.stderr).toContain('adopt /srv/pulsar --undo')

    const second = held('c')
    await runs('c')
    expect(await adopt('--undo', '--yes')).toMatchObject({ code: 0, stderr: '' })
    expect(file(PROGRAM_FILE)).toBe(PROGRAM)
    expect(await server()).toContain('server: gunicorn')
    await release('c')
    expect(await second).toMatchObject([ended])
    expect(timesRun('c')).toBe(1)
  }, 240_000)

  it('goes on after it was killed while no server runs', async () => {
    const [command = '', ...args] = host.root.enter(['env', '-C', '/', ...argv(...doIt, '--json')])
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'ignore'] })
    let said = ''
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      said += text
      if (said.includes('"stage":"change"')) child.kill('SIGKILL')
    })
    await once(child, 'exit')
    expect(child.signalCode).toBe('SIGKILL')
    expect(await adopt(...doIt)).toMatchObject({ code: 0, stderr: '' })
    expect(await server()).toContain('200 ok')
    expect(await server()).not.toContain('gunicorn')
  }, 240_000)

  it('is given back with what was edited in its command, and no other service with it', async () => {
    const second = '/etc/supervisor/conf.d/second.conf'
    const other = `[program:second]\ncommand=/srv/pulsar/bin/pulsar -c /srv/pulsar/etc\nautostart=false\n`
    await host.root.run(['tee', second], { input: other })
    const edited = file(PROGRAM_FILE).replace("'gunicorn'", 'gunicorn')
    await host.root.run(['tee', PROGRAM_FILE], { input: edited })
    const refused = await adopt('--undo', '--yes', '--service', 'second')
    expect(refused).toMatchObject({ code: 1 })
    expect(refused.stderr).toMatch(/second was never taken over .*nothing was touched/)
    expect(file(PROGRAM_FILE)).toBe(edited)
    const undone = await adopt('--undo', '--yes')
    expect(undone).toMatchObject({ code: 0, stderr: '' })
    expect(undone.stdout).toContain('Nothing uses /srv/pulsar/magnetar any more')
    expect(file(PROGRAM_FILE)).toBe(PROGRAM.replace("'gunicorn'", 'gunicorn'))
    expect(file(second)).toBe(other)
    expect(await server()).toContain('server: gunicorn')
    await host.root.run(['rm', second])
  }, 240_000)

  it('is not stopped where Magnetar could not start', async () => {
    const refused = async (why: RegExp): Promise<void> => {
      const tried = await adopt(...doIt)
      expect(tried).toMatchObject({ code: 3, stderr: expect.stringMatching(why) })
      expect(await server()).toContain('server: gunicorn')
    }
    const app = '/srv/pulsar/etc/app.yml'
    const { stdout: owner } = await host.root.run(['stat', '-c', '%u:%g', app])
    await host.root.run(['sh', '-c', `chown 0:0 ${app} && chmod 600 ${app}`])
    await refused(/user pulsar may not read \/srv\/pulsar\/etc\/app\.yml/)
    await host.root.run(['sh', '-c', `chown ${owner.trim()} ${app} && chmod 644 ${app}`])
    const persistence = /^persistence_directory: *(\S+)/m.exec(file(app))?.[1] ?? ''
    const mounted = await host.root.run(['mount', '-t', 'tmpfs', '-o', 'size=1m', 'full', persistence])
    expect(mounted.code).toBe(0)
    await refused(/persistence_directory: the disk of .* is full: /)
    await host.root.run(['umount', persistence])
  }, 240_000)

  it('stays stopped when it was and Magnetar does not start, and says so', async () => {
    const store = `${/^persistence_directory: *(\S+)/m.exec(file('/srv/pulsar/etc/app.yml'))?.[1]}/magnetar-store`
    await host.root.run(['supervisorctl', 'stop', 'pulsar'])
    const broken = `mv ${store} ${store}.good && mkdir ${store} && echo x > ${store}/CURRENT && chown -R pulsar ${store}`
    await host.root.run(['sh', '-c', broken])
    const refused = await adopt(...doIt)
    expect(refused).toMatchObject({
      code: 3,
      stderr: expect.stringMatching(/STORE_BROKEN.*move magnetar-store away/s),
    })
    await host.root.run(['sh', '-c', `rm -r ${store} && mv ${store}.good ${store}`])
    // What is seen only by starting it.
    const local = '/srv/pulsar/etc/local_env.sh'
    await host.root.run(['tee', local], { input: '[ -n "$MAGNETAR_TRY_START" ] || exit 1\n' })
    const tried = await adopt(...doIt)
    expect(tried).toMatchObject({ code: 5, stderr: expect.stringContaining('is stopped, as before') })
    expect((await host.root.run(['supervisorctl', 'status', 'pulsar'])).stdout).toMatch(/STOPPED/)
    expect((await host.root.run(['supervisorctl', 'update'])).stdout.trim()).toBe('')
    // On this machine, and not the shell that asks.
    const servers = "pgrep --ns $$ --nslist mnt -f '[g]unicorn|[p]ulsar/magnetar'"
    expect((await host.root.run(['sh', '-c', servers])).stdout).toBe('')
    await host.root.run(['tee', local], { input: '' })
  }, 240_000)

  it('is given back with its jobs also when Magnetar hung and was killed', async () => {
    expect(await adopt(...doIt)).toMatchObject({ code: 0, stderr: '' })
    const first = held('d')
    await runs('d')
    const { stdout: pid } = await host.root.run(['supervisorctl', 'pid', 'pulsar'])
    // What the Python Pulsar could not read is seen before anything is stopped.
    const app = '/srv/pulsar/etc/app.yml'
    const whole = file(app)
    await host.root.run(['tee', app], { input: `---\nmanager: "\n${whole}` })
    const refused = await adopt('--undo', '--yes')
    expect(refused).toMatchObject({
      code: 3,
      stderr: expect.stringMatching(/etc\/app\.yml: line \d+, column/),
    })
    expect((await host.root.run(['supervisorctl', 'pid', 'pulsar'])).stdout).toBe(pid)
    await host.root.run(['tee', app], { input: whole })
    await host.root.run(['kill', '-STOP', pid.trim()])
    const undone = await adopt('--undo', '--yes')
    expect(undone).toMatchObject({ code: 0, stderr: '' })
    expect(undone.stdout).toContain('its jobs are handed over')
    expect(undone.stdout).toContain('When the job that was started from there has ended')
    expect(await server()).toContain('server: gunicorn')
    await release('d')
    expect(await first).toMatchObject([{ status: 'complete', returncode: 3 }])
    expect(timesRun('d')).toBe(1)
  }, 240_000)
})
