import { lstatSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { resolve } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parse as parseYaml } from 'yaml'
import { readIniValue } from '../../src/config/edit/ini.js'
import type { CommandResult } from '../../src/lib/exec.js'
import { needs } from '../helpers/needs.js'
import { waitFor } from '../helpers/wait-for.js'
import { type BareHost, startBareHost } from './bare-host.js'
import { findSlurm } from './find-slurm.js'
import { missingForPrivateRoot } from './private-root.js'
import { missingSupervisor } from './private-supervisor.js'

const missing = missingForPrivateRoot() ?? findSlurm().missing ?? (await missingSupervisor())

/** shared names of the rows: reference/exercise.md §1–§3. */
describe('magnetar setup on a bare host, row by row of the exercise', needs(missing), () => {
  let host: BareHost
  let first: CommandResult
  const file = (path: string): string => readFileSync(host.file(path), 'utf8')
  const text = async (...argv: string[]): Promise<string> => (await host.root.run(argv)).stdout
  const setup = (...args: string[]): Promise<CommandResult> =>
    host.root.run(
      [
        process.execPath,
        resolve('bin', 'magnetar.js'),
        'setup',
        '--yes',
        '--node',
        process.execPath,
        ...args,
      ],
      { timeoutMs: 120_000 },
    )

  beforeAll(async () => {
    host = await startBareHost({ slurm: true, supervisor: true })
    await host.root.run(['sh', '-c', 'printf foo > /etc/token; chmod 600 /etc/token'])
    first = await setup('--token-file', '/etc/token')
  })
  afterAll(() => host?.stop())

  it('ends well, with a job that ran through Slurm and what to do on the Galaxy server', () => {
    expect(first).toMatchObject({ code: 0, stderr: '' })
    expect(first.stdout).toMatch(
      /Looked around: .*root · Slurm .* · supervisor .* running · no systemd · port 8913 free/,
    )
    expect(first.stdout).toMatch(
      /A job ran through it: submitted → queued → (running → )?complete in [\d.]+ s, on node/,
    )
    expect(first.stdout).toContain('pulsar_rest')
    expect(first.stdout).not.toContain('foo\n')
  })

  it('1.1 the system user', async () => {
    const [name, , uid, gid, , home, shell] = (await text('getent', 'passwd', 'pulsar')).trim().split(':')
    expect({ name, home, shell }).toEqual({ name: 'pulsar', home: '/home/pulsar', shell: '/bin/bash' })
    expect(Number(uid)).toBeLessThan(1000)
    expect(await text('getent', 'group', 'pulsar')).toContain(`pulsar:x:${gid}:`)
    expect(statSync(host.file('/home/pulsar')).uid).toBe(Number(uid))
  })

  it('1.2 and 1.3 the base directory and what is in it', async () => {
    const uid = Number(await text('id', '-u', 'pulsar'))
    const gid = Number(await text('id', '-g', 'pulsar'))
    for (const path of ['', '/bin', '/lib', '/etc', '/var']) {
      const found = lstatSync(host.file(`/srv/pulsar${path}`))
      expect([path, found.isDirectory(), found.mode & 0o7777, found.uid, found.gid]).toEqual([
        path,
        true,
        0o755,
        uid,
        gid,
      ])
    }
  })

  it('1.4 the commands', async () => {
    for (const command of ['magnetar', 'pulsar', 'pulsar-main', 'pulsar-serve', 'pulsar-config'])
      expect(statSync(host.file(`/srv/pulsar/bin/${command}`)).mode & 0o111).toBe(0o111)
    expect(await text('/srv/pulsar/bin/node', '--version')).toBe(`${process.version}\n`)
    const activated = await text(
      'bash',
      '-c',
      '. /srv/pulsar/bin/activate && command -v pulsar && deactivate && ! command -v pulsar',
    )
    expect(activated).toBe('/srv/pulsar/bin/pulsar\n')
  })

  it('2.3 to 2.6 app.yml and the resolvers', () => {
    const app = parseYaml(file('/srv/pulsar/etc/app.yml')) as Record<string, unknown>
    expect(app).toEqual({
      private_token: 'foo',
      conda_auto_init: false,
      conda_auto_install: false,
      manager: { type: 'queued_cli', job_plugin: 'Slurm' },
      staging_directory: '/srv/pulsar/var/jobs',
      persistence_directory: '/srv/pulsar/var/active',
      tool_dependency_dir: '/srv/pulsar/var/deps',
      dependency_resolvers_config_file: '/srv/pulsar/etc/dependency_resolvers_conf.xml',
    })
    expect(statSync(host.file('/srv/pulsar/etc/app.yml')).mode & 0o7777).toBe(0o600)
    expect(readdirSync(host.file('/srv/pulsar/etc')).sort()).toEqual([
      'app.yml',
      'dependencies',
      'dependency_resolvers_conf.xml',
      'local_env.sh',
      'server.ini',
      'supervisor.conf',
    ])
    expect(file('/srv/pulsar/etc/dependency_resolvers_conf.xml').replace(/\s+/g, ' ').trim()).toBe(
      '<dependency_resolvers> <conda auto_install="True" auto_init="True" /> </dependency_resolvers>',
    )
  })

  it('2.7 the [uwsgi] section', () => {
    const ini = file('/srv/pulsar/etc/server.ini')
    const found = [
      'master',
      'paste-logger',
      'http',
      'processes',
      'enable-threads',
      'buffer-size',
      'logto',
      'socket',
    ].map((key) => [key, readIniValue(ini, 'uwsgi', key)])
    expect(Object.fromEntries(found)).toEqual({
      master: 'True',
      'paste-logger': 'true',
      http: 'localhost:8913',
      processes: '1',
      'enable-threads': 'True',
      'buffer-size': '16384',
      logto: '/srv/pulsar/var/uwsgi.log',
      socket: undefined,
    })
  })

  it('2.8 and 2.9 the program of Supervisor', () => {
    const program = file('/etc/supervisor/conf.d/pulsar.conf')
    expect(program).toBe(file('/srv/pulsar/etc/supervisor.conf'))
    expect(statSync(host.file('/etc/supervisor/conf.d/pulsar.conf')).uid).toBe(0)
    const keys = [
      'user',
      'directory',
      'command',
      'redirect_stderr',
      'autorestart',
      'environment',
      'stopsignal',
    ]
    expect(
      Object.fromEntries(keys.map((key) => [key, readIniValue(program, 'program:pulsar', key)])),
    ).toEqual({
      user: 'pulsar',
      directory: '/srv/pulsar/etc',
      command: "/srv/pulsar/bin/pulsar --mode 'uwsgi' --config '/srv/pulsar/etc'",
      redirect_stderr: 'true',
      autorestart: 'true',
      environment: 'VIRTUAL_ENV="/srv/pulsar",PATH="/srv/pulsar/bin:%(ENV_PATH)s"',
      stopsignal: 'INT',
    })
  })

  it('3.1 and 3.2 Supervisor runs it and has its first words', async () => {
    // STARTING for its first second, whether or not the node answers already.
    await waitFor(async () => /^pulsar\s+RUNNING/.test(await text('supervisorctl', 'status', 'pulsar')), {
      what: 'RUNNING',
    })
    const said = await text('supervisorctl', 'tail', 'pulsar')
    expect(said).toContain('Sourcing file /srv/pulsar/etc/local_env.sh')
    expect(said).toContain('Starting Pulsar in /srv/pulsar/etc (mode uwsgi)')
  })

  it('3.3, 3.4 and 3.8 the log, in the format of server.ini', () => {
    const lines = file('/srv/pulsar/var/uwsgi.log').trim().split('\n')
    expect(lines[0]).toBeDefined()
    for (const line of lines)
      expect(line).toMatch(
        /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} (INFO |DEBUG|WARNI) \[pulsar[.\w]*\]\[MainThread\] ./,
      )
    const at = ['secured with the private token', 'without a toolbox', 'ready: http://localhost:8913/'].map(
      (words) => lines.findIndex((line) => line.includes(words)),
    )
    expect(at).not.toContain(-1)
    expect(at).toEqual([...at].sort((a, b) => a - b))
  })

  it('3.5 the directories of a started server', () => {
    expect(readdirSync(host.file('/srv/pulsar/var')).sort()).toEqual([
      'active',
      'deps',
      'jobs',
      'log',
      'uwsgi.log',
    ])
    expect(readdirSync(host.file('/srv/pulsar/var/active'))).toContain('_default_-active-jobs')
    expect(readdirSync(host.file('/srv/pulsar/var/jobs')).filter((name) => !name.startsWith('.'))).toEqual([])
  })

  it('3.6 and 3.7 the port, and the token', async () => {
    const post = (query: string) =>
      text(
        'curl',
        '-s',
        '-o',
        '/dev/null',
        '-w',
        '%{http_code}',
        '-X',
        'POST',
        `http://127.0.0.1:8913/jobs?job_id=x${query}`,
      )
    expect([await post(''), await post('&private_token=bar'), await post('&private_token=foo')]).toEqual([
      '401',
      '401',
      '200',
    ])
    await text('curl', '-s', '-X', 'DELETE', 'http://127.0.0.1:8913/jobs/x?private_token=foo')
  })

  it('runs jobs as the user, who has a home', async () => {
    const [pid] = (await text('supervisorctl', 'pid', 'pulsar')).trim().split('\n')
    const environment = (await text('cat', `/proc/${pid}/status`)).match(/^Uid:\s+(\d+)/m)?.[1]
    expect(environment).toBe((await text('id', '-u', 'pulsar')).trim())
  })

  it('has nothing to do the second time, and changes nothing', async () => {
    const before = await text(
      'sh',
      '-c',
      'cd /srv/pulsar && find . /etc/supervisor -newermt 1970-01-01 -printf "%p %m %u %T@\\n" | grep -v "^./var" | sort',
    )
    const pid = await text('supervisorctl', 'pid', 'pulsar')
    const again = await setup()
    expect(again).toMatchObject({ code: 0, stderr: '' })
    expect(again.stdout).toContain('Nothing to do')
    expect(
      await text(
        'sh',
        '-c',
        'cd /srv/pulsar && find . /etc/supervisor -newermt 1970-01-01 -printf "%p %m %u %T@\\n" | grep -v "^./var" | sort',
      ),
    ).toBe(before)
    expect(await text('supervisorctl', 'pid', 'pulsar')).toBe(pid)
    expect((await setup('--check')).code).toBe(0)
  })

  it('sees a drift and mends it, and keeps what was edited by hand', async () => {
    await host.root.run([
      'sh',
      '-c',
      'rm /srv/pulsar/etc/dependency_resolvers_conf.xml; echo "assign_ids: uuid # by hand" >> /srv/pulsar/etc/app.yml',
    ])
    expect((await setup('--check')).code).toBe(3)
    expect(await setup()).toMatchObject({ code: 0 })
    expect(file('/srv/pulsar/etc/app.yml')).toContain('assign_ids: uuid # by hand\n')
    expect(file('/srv/pulsar/etc/dependency_resolvers_conf.xml')).toContain('<conda')
    await waitFor(async () => /RUNNING/.test(await text('supervisorctl', 'status', 'pulsar')), {
      what: 'restart',
    })
  })

  it('stops at once when Supervisor stops it, and leaves no process', async () => {
    expect(await text('supervisorctl', 'stop', 'pulsar')).toBe('pulsar: stopped\n')
    expect(await text('sh', '-c', 'pgrep -u pulsar --ns $$ --nslist mnt || echo none')).toBe('none\n')
  })

  it('believes no record that the user of the node forged', async () => {
    await host.root.run(['cp', '-p', '/srv/pulsar/lib/setup.json', '/etc/setup.json'])
    const forge =
      'sed s/pulsar/daemon/g /srv/pulsar/lib/setup.json > /tmp/forged && mv -f /tmp/forged /srv/pulsar/lib/setup.json'
    const asPulsar = [
      'setpriv',
      '--reuid',
      'pulsar',
      '--regid',
      'pulsar',
      '--clear-groups',
      'sh',
      '-c',
      forge,
    ]
    expect((await host.root.run(asPulsar)).code).toBe(0)
    for (const command of [
      ['setup', '--check'],
      ['uninstall', '--purge'],
    ]) {
      const tried = await host.root.run([
        process.execPath,
        resolve('bin', 'magnetar.js'),
        ...command,
        '--yes',
      ])
      expect(tried.code).toBe(1)
      expect(tried.stderr).toContain('root did not write it')
    }
    expect((await host.root.run(['getent', 'passwd', 'daemon'])).code).toBe(0)
    await host.root.run(['mv', '/etc/setup.json', '/srv/pulsar/lib/setup.json'])
  })

  it('is removed by uninstall, with the user when asked to', async () => {
    const uninstall = (...args: string[]) =>
      host.root.run([process.execPath, resolve('bin', 'magnetar.js'), 'uninstall', '--yes', ...args], {
        timeoutMs: 60_000,
      })
    expect(await uninstall()).toMatchObject({ code: 0 })
    // lib/setup.json remembers who made the user.
    expect(readdirSync(host.file('/srv/pulsar')).sort()).toEqual(['etc', 'lib', 'var'])
    expect(readdirSync(host.file('/srv/pulsar/lib'))).toEqual(['setup.json'])
    expect(readdirSync(host.file('/etc/supervisor/conf.d'))).toEqual([])
    expect(await uninstall('--purge')).toMatchObject({ code: 0 })
    expect(readdirSync(host.file('/srv'))).not.toContain('pulsar')
    expect((await host.root.run(['getent', 'passwd', 'pulsar'])).code).toBe(2)
    expect(readdirSync(host.file('/home'))).not.toContain('pulsar')
  })
})
