import { chmod, chown, lstat, readdir, readFile, stat, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { PassThrough, Readable } from 'node:stream'
import { Command } from 'commander'
import { beforeEach, describe, expect, it, vi } from 'vitest'
import { addConfigCommand } from '../../src/cli/config-command.js'
import { tempDirectory } from '../helpers/temp-directory.js'
import { waitFor } from '../helpers/wait-for.js'

const APP = `---
private_token: geheim123   # keep
manager:
  type: queued_python   # how
  num_concurrent_jobs: "*"
staging_directory: /srv/pulsar/var/jobs
persistence_directory: /srv/pulsar/var/active
# maximum_stream_size: 1048576
`

const INI = `[server:main]
port = 8913
host = localhost
## HTTPS
# ssl_pem = host.pem

[app:main]
app_config = %(here)s/app.yml

[uwsgi]
http = localhost:8913
`

let directory = ''
const app = (): Promise<string> => readFile(join(directory, 'app.yml'), 'utf8')
const ini = (): Promise<string> => readFile(join(directory, 'server.ini'), 'utf8')

async function setUp(files: Readonly<Record<string, string>>): Promise<void> {
  directory = await tempDirectory()
  for (const [name, text] of Object.entries(files)) await writeFile(join(directory, name), text)
}

beforeEach(() => setUp({ 'app.yml': APP, 'server.ini': INI }))

interface Ran {
  readonly exitCode: number
  readonly stdout: string
  readonly stderr: string
}

interface Surroundings {
  readonly env?: NodeJS.ProcessEnv
  readonly input?: string
  readonly stdin?: Readable & { isTTY?: boolean }
}

/** `magnetar …`, through commander. */
async function run(argv: readonly string[], { env, input = '', stdin }: Surroundings = {}): Promise<Ran> {
  const out: string[] = []
  const errors: string[] = []
  const program = new Command('magnetar')
    .exitOverride()
    .configureOutput({ writeOut: (text) => out.push(text), writeErr: (text) => errors.push(text) })
  let exitCode: number | undefined
  addConfigCommand(
    program,
    (code) => {
      exitCode = code
    },
    {
      env: env ?? { PULSAR_CONFIG_DIR: directory },
      cwd: '/',
      stdin: stdin ?? Readable.from([input]),
      stdout: { write: (text) => out.push(text) },
      stderr: { write: (text) => errors.push(text) },
    },
  )
  const printed = vi.spyOn(process.stderr, 'write').mockImplementation((text) => {
    errors.push(String(text))
    return true
  })
  try {
    await program.parseAsync([...argv], { from: 'user' })
  } catch (error) {
    const { code, exitCode: asked } = error as { code?: string; exitCode?: number }
    if (!code?.startsWith('commander.')) throw error
    exitCode = asked === 0 ? 0 : 2
  } finally {
    printed.mockRestore()
  }
  expect(exitCode, 'finish was called').not.toBeUndefined()
  return { exitCode: exitCode ?? -1, stdout: out.join(''), stderr: errors.join('') }
}

const config = (words: string, surroundings?: Surroundings): Promise<Ran> =>
  run(['config', ...words.split(' ')], surroundings)

describe('which node', () => {
  it('is the one of --config, anywhere on the line', async () => {
    const env = { PULSAR_CONFIG_DIR: '/nowhere' }
    for (const argv of [
      ['config', '-c', directory, 'validate'],
      ['config', 'validate', '--config', directory],
      ['config', 'set', '-c', directory, 'debug', 'true'],
      ['config', 'set', 'debug', 'false', `--config=${directory}`],
    ])
      expect((await run(argv, { env })).exitCode, argv.join(' ')).toBe(0)
    expect(await app()).toContain('debug: false\n')
  })

  it('is else the one of the installation that the program is part of', async () => {
    const prefix = await tempDirectory()
    await symlink(directory, join(prefix, 'etc'))
    const { stdout } = await config('validate', { env: { MAGNETAR_PREFIX: prefix } })
    expect(stdout).toContain(join(prefix, 'etc'))
  })

  it('has to be said when nothing tells', async () => {
    const { exitCode, stderr } = await config('show', { env: {} })
    expect(exitCode).toBe(2)
    expect(stderr).toContain('--config')
  })

  it('must exist', async () => {
    const { exitCode, stderr } = await config('show -c /no/such/directory')
    expect(exitCode).toBe(78)
    expect(stderr).toContain('there is no directory /no/such/directory')
  })
})

describe('config show', () => {
  it('has every value that is set or by default, and says where it is from', async () => {
    const { exitCode, stdout } = await config('show --origin')
    expect(exitCode).toBe(0)
    const rows = stdout.split('\n').map((line) => line.trim().split(/ {2,}/))
    expect(rows).toContainEqual(['staging_directory', '/srv/pulsar/var/jobs', 'app.yml:6'])
    expect(rows).toContainEqual(['maximum_stream_size', '1048576', 'default'])
    expect(rows).toContainEqual(['manager.type', 'queued_python', 'app.yml:4'])
    expect(rows).toContainEqual(['server:main.port', '8913', 'server.ini:2'])
    expect(rows).toContainEqual(['uwsgi.http', 'localhost:8913', 'server.ini:11'])
    expect(stdout).toContain('listens on http://localhost:8913\n')
    expect((await config('show')).stdout).not.toContain('app.yml:')
  })

  it('shows no secret in any form', async () => {
    for (const words of ['show', 'show --origin', 'show --json'])
      expect((await config(words)).stdout).not.toContain('geheim')
    expect((await config('show')).stdout).toMatch(/private_token +\(set, hidden\)/)
    await setUp({ 'app.yml': 'message_queue_url: amqp://u:geheim@h\nuser_auth: {password: geheim}\n' })
    const { stdout } = await config('show --origin')
    expect(stdout).toMatch(/private_token +\(not set\)/)
    expect(stdout).toMatch(/message_queue_url +\(set, hidden\) .*not used by this release/)
    expect(stdout).toMatch(/user_auth +\(a mapping\)/)
    expect(stdout).not.toContain('geheim')
  })

  it('follows what goes before what', async () => {
    const env = {
      PULSAR_CONFIG_DIR: directory,
      PULSAR_CONFIG_OVERRIDE_ASSIGN_IDS: 'uuid',
      PULSAR_CONFIG_DEBUG: 'true',
      GALAXY_HOME: '/galaxy',
    }
    await setUp({
      'app.yml': 'assign_ids: galaxy\n',
      'server.ini': '[app:main]\nmaximum_stream_size = 7\n[server:main]\nport = 9\n[uwsgi]\nhttp = :10\n',
    })
    const { stdout } = await config('show --origin', { env: { ...env, PULSAR_CONFIG_DIR: directory } })
    const rows = stdout.split('\n').map((line) => line.trim().split(/ {2,}/))
    expect(rows).toContainEqual([
      'assign_ids',
      'uuid',
      'environment variable PULSAR_CONFIG_OVERRIDE_ASSIGN_IDS',
    ])
    expect(rows).toContainEqual(['debug', 'true', 'environment variable PULSAR_CONFIG_DEBUG'])
    expect(rows).toContainEqual(['galaxy_home', '/galaxy', 'environment variable GALAXY_HOME'])
    expect(rows).toContainEqual(['maximum_stream_size', '7', 'server.ini:2'])
    expect(stdout).toContain('listens on http://localhost:9, with --mode uwsgi on http://0.0.0.0:10')
  })

  it('shows what several managers set themselves', async () => {
    await setUp({
      'app.yml':
        'managers:\n  a:\n    type: slurm\n    job_--mem: 4G\n    job_directory_mode: 0750\n    assign_ids: uuid\n  b: {}\n',
    })
    const { stdout } = await config('show')
    expect(stdout).toMatch(/\nManager a\n/)
    expect(stdout).toMatch(/managers\.a\.job_--mem +4G\n/)
    expect(stdout).toMatch(/managers\.a\.job_directory_mode +0750\n/)
    expect(stdout).toMatch(/managers\.a\.min_polling_interval +0.5\n/)
    expect(stdout).not.toMatch(/managers\.b\.(min_polling_interval|assign_ids)/)
    expect(stdout).toMatch(/managers\.b\.type +queued_python\n/)
  })

  it('gives programs the same as JSON', async () => {
    const { values, directory: shown, listens } = JSON.parse((await config('show --json')).stdout)
    expect(shown).toBe(directory)
    expect(listens).toEqual({ host: 'localhost', port: 8913, tls: false })
    expect(values).toContainEqual({
      name: 'staging_directory',
      group: 'Node',
      value: '/srv/pulsar/var/jobs',
      origin: { file: join(directory, 'app.yml'), line: 6 },
    })
    expect(values).toContainEqual({
      name: 'private_token',
      group: 'Node',
      secret: true,
      set: true,
      origin: { file: join(directory, 'app.yml'), line: 2 },
    })
    expect(values).toContainEqual({ name: 'debug', group: 'Node', value: false, origin: { default: true } })
  })

  it('says what is wrong instead when something is, with exit code 78', async () => {
    await setUp({ 'app.yml': 'maximum_stream_size: many\n' })
    const { exitCode, stdout, stderr } = await config('show')
    expect([exitCode, stdout]).toEqual([78, ''])
    expect(stderr).toContain('app.yml:1: maximum_stream_size: expected a whole number of bytes')
  })
})

describe('config validate', () => {
  it('says in one line what the node is, and the warnings beside it', async () => {
    await setUp({ 'app.yml': 'private_token: x\nstagin_directory: /x\n' })
    const { exitCode, stdout, stderr } = await config('validate')
    expect(exitCode).toBe(0)
    expect(stdout).toBe(
      `valid: ${directory} · managers _default_ (queued_python) · listens on http://localhost:8913 · with private token\n`,
    )
    expect(stderr).toMatch(
      /^warning: .*app\.yml:2: unknown option stagin_directory: .*staging_directory meant\?\n$/,
    )
  })

  it('calls no configuration valid with which the server ends at its start', async () => {
    await setUp({ 'app.yml': 'managers: {real: {type: queued_external_drmaa}}\n' })
    const { exitCode, stdout, stderr } = await config('validate')
    expect([exitCode, stdout]).toEqual([1, ''])
    expect(stderr).toMatch(/manager real: .*queued_external_drmaa.*\[SCHEDULER_UNSUPPORTED\]/s)
  })

  it('has everything that is wrong at once, also what only --mode uwsgi reads', async () => {
    await setUp({
      'app.yml': 'debug: [maybe]\nmaximum_stream_size: x\n',
      'server.ini': '[server:main]\nport = 8913\n[uwsgi]\nhttp = nonsense\n',
    })
    const { exitCode, stdout, stderr } = await config('validate')
    expect([exitCode, stdout]).toEqual([78, ''])
    for (const line of ['app.yml:1: debug', 'app.yml:2: maximum_stream_size', 'server.ini:4: [uwsgi] http'])
      expect(stderr.split(line)).toHaveLength(2)
  })
})

describe('config set', () => {
  it('changes the line of the option and nothing else, and shows it', async () => {
    const { exitCode, stdout, stderr } = await config('set staging_directory /data/jobs')
    expect([exitCode, stderr]).toEqual([0, ''])
    expect(await app()).toBe(APP.replace('/srv/pulsar/var/jobs', '/data/jobs'))
    expect(stdout).toBe(
      `${directory}/app.yml:6\n- staging_directory: /srv/pulsar/var/jobs\n+ staging_directory: /data/jobs\nThe server takes it up when it is restarted.\n`,
    )
    expect(await readdir(directory)).toEqual(['app.yml', 'server.ini'])
  })

  it.each([
    ['debug TRUE', 'debug: true'],
    ['maximum_stream_size -1', 'maximum_stream_size: -1'],
    ['job_directory_mode 0750', 'job_directory_mode: "0750"'],
    ['galaxy_home 12345', 'galaxy_home: "12345"'],
    ['conda_prefix /c', 'conda_prefix: /c'],
    ['conda_auto_init true', 'conda_auto_init: true'],
    ['amqp_publish_retry_max_retries 5', 'amqp_publish_retry_max_retries: 5'],
    ['manager.num_concurrent_jobs 4', '  num_concurrent_jobs: 4'],
    ['manager.native_specification --exclusive', '  native_specification: --exclusive'],
    ['manager.native_specification -- -c4', '  native_specification: -c4'],
    ['manager.env_PATH yes', '  env_PATH: "yes"'],
    ['manager.tmp_dir true', '  tmp_dir: true'],
    ['manager.min_polling_interval 0.25', '  min_polling_interval: 0.25'],
  ])('%s is written as the type wants it', async (words, line) => {
    const { exitCode, stderr } = await config(`set ${words}`)
    expect(exitCode, stderr).toBe(0)
    expect((await app()).split('\n')).toContain(line)
  })

  it('changes server.ini, and doubles percent signs where Python reads it', async () => {
    expect((await config('set server:main.host fe80::1%eth0')).exitCode).toBe(0)
    expect((await config('set uwsgi.logto /log/%n')).exitCode).toBe(0)
    expect(await ini()).toBe(`${INI.replace('host = localhost', 'host = fe80::1%%eth0')}logto = /log/%n\n`)
  })

  it('says when the address that was changed is not used by every way of starting', async () => {
    const { stderr } = await config('set server:main.port 9000')
    expect(stderr).toContain('listens on http://localhost:9000, with --mode uwsgi on http://localhost:8913')
    expect((await config('set uwsgi.http localhost:9000')).stderr).toBe('')
  })

  it('changes an option in [app:main] of server.ini when it stands there', async () => {
    const text = `${INI.replace('app.yml\n', 'app.yml\ndebug = false\n')}`
    await setUp({ 'app.yml': APP, 'server.ini': text })
    expect((await config('set debug true')).exitCode).toBe(0)
    expect(await ini()).toBe(text.replace('debug = false', 'debug = true'))
    expect(await app()).toBe(APP)
  })

  it('does nothing when the value is there', async () => {
    const before = await stat(join(directory, 'app.yml'))
    const { exitCode, stdout } = await config('set staging_directory /srv/pulsar/var/jobs')
    expect(exitCode).toBe(0)
    expect(stdout).toContain('nothing was changed')
    expect((await stat(join(directory, 'app.yml'))).ino).toBe(before.ino)
  })

  it.each([
    ['stagin_directory /x', 'there is no option stagin_directory. Is staging_directory meant?'],
    [
      'num_concurrent_jobs 5',
      'there is no option num_concurrent_jobs. Is manager.num_concurrent_jobs meant?',
    ],
    ['manager.num_concurent_jobs 5', 'Is manager.num_concurrent_jobs meant?'],
    ['manager.private_token x', 'Is private_token meant?'],
    ['port 5', 'Is server:main.port meant?'],
    ['server:main.prot 5', 'Is server:main.port meant?'],
    ['uwsgi.processes 5', 'there is no option uwsgi.processes'],
    ['job_* 5', 'there is no option job_*'],
    ['server:main.port 99999', 'server:main.port: expected a port number from 0 to 65535, found "99999"'],
    ['debug maybe', 'debug: expected true or false, found "maybe"'],
    ['manager.type slrum', 'expected one of queued_python, unqueued, slurm'],
    ['job_directory_mode 0070', 'expected an octal mode'],
  ])('refuses %s with exit code 2', async (words, message) => {
    const { exitCode, stdout, stderr } = await config(`set ${words}`)
    expect([exitCode, stdout]).toEqual([2, ''])
    expect(stderr).toContain(message)
    expect([await app(), await ini()]).toEqual([APP, INI])
  })

  it.each([
    ['file_cache_dir /dev/null', /app\.yml:\d+: file_cache_dir: \/dev\/null is no directory/],
    ['uwsgi.http nonsense', /server\.ini:11: \[uwsgi\] http: expected host:port/],
    ['manager x', /EDIT_REFUSED/],
    ['managers x', /app\.yml:\d+: managers: expected a mapping/],
  ])('%s would make the configuration wrong: it is not written', async (words, message) => {
    const { exitCode, stderr } = await config(`set ${words}`)
    expect(exitCode).toBeOneOf([1, 78])
    expect(stderr).toMatch(message)
    expect(stderr).not.toContain('magnetar-new')
    expect([await app(), await ini()]).toEqual([APP, INI])
    expect(await readdir(directory)).toEqual(['app.yml', 'server.ini'])
  })

  it('mends one of two mistakes, and says what is left', async () => {
    await setUp({ 'app.yml': 'debug: maybe\nmaximum_stream_size: x\n' })
    const first = await config('set debug true')
    expect(first.exitCode).toBe(0)
    expect(first.stderr).toMatch(/still wrong: .*app\.yml:2: maximum_stream_size/)
    expect((await config('set maximum_stream_size 5')).stderr).toBe('')
    expect(await app()).toBe('debug: true\nmaximum_stream_size: 5\n')
  })

  it.each<[string, string, RegExp]>([
    ['manager: {}\n', 'managers.a.type slurm', /set as manager\.type/],
    ['managers:\n  a: {}\n', 'manager.type slurm', /Use managers\.a\.type/],
    [
      'managers:\n  cluster: {}\n',
      'managers.clutser.debug true',
      /there is no manager clutser\. Is cluster meant\?/,
    ],
    ['job_managers_config: m.ini\n', 'manager.type slurm', /the managers are in m\.ini/],
    [
      'managers: {a: {type: slurm}}\n',
      'managers.a.type unqueued',
      /app\.yml:1: managers is written in brackets/,
    ],
    ['tool_config_files: [a]\n', 'tool_config_files b', /is a list/],
    ['a: b: c\n', 'debug true', /app\.yml:1: /],
  ])('of %j leaves the file as it is: %s', async (text, words, message) => {
    await setUp({ 'app.yml': text })
    const { exitCode, stderr } = await config(`set ${words}`)
    expect(exitCode).toBe(1)
    expect(stderr).toMatch(message)
    expect(await app()).toBe(text)
  })

  it('makes a new manager from its type', async () => {
    await setUp({ 'app.yml': 'managers:\n  a: {}\n' })
    expect((await config('set managers.b.type unqueued')).exitCode).toBe(0)
    expect((await config('set managers.b.debug true')).exitCode).toBe(0)
    expect(await app()).toBe('managers:\n  a: {}\n  b:\n    type: unqueued\n    debug: true\n')
  })

  it('makes the files that are missing, readable for their owner alone', async () => {
    await setUp({})
    expect((await config('set debug true')).exitCode).toBe(0)
    expect((await config('set server:main.port 9')).exitCode).toBe(0)
    expect(await app()).toBe('debug: true\n')
    expect(await ini()).toBe('[server:main]\nport = 9\n')
    expect((await stat(join(directory, 'app.yml'))).mode & 0o777).toBe(0o600)
  })

  it('does not write where the server reads a sample', async () => {
    await setUp({ 'app.yml.sample': 'debug: false\n', 'server.ini': INI })
    const { exitCode, stderr } = await config('set debug true')
    expect(exitCode).toBe(1)
    expect(stderr).toContain(`cp ${directory}/app.yml.sample ${directory}/app.yml`)
    expect(await readdir(directory)).toEqual(['app.yml.sample', 'server.ini'])
  })

  it('keeps mode, owner and a symbolic link', async () => {
    const elsewhere = await tempDirectory()
    const real = join(elsewhere, 'real.yml')
    await writeFile(real, APP)
    await chmod(real, 0o640)
    const isRoot = process.getuid?.() === 0
    if (isRoot) await chown(real, 12_345, 54_321)
    await setUp({ 'server.ini': INI })
    await symlink(real, join(directory, 'app.yml'))
    expect((await config('set debug true')).exitCode).toBe(0)
    expect((await lstat(join(directory, 'app.yml'))).isSymbolicLink()).toBe(true)
    const { mode, uid, gid } = await stat(real)
    expect(mode & 0o7777).toBe(0o640)
    if (isRoot) expect([uid, gid]).toEqual([12_345, 54_321])
    expect(await readFile(real, 'utf8')).toContain('debug: true\n')
  })

  it('writes nothing through a link of server.ini, whose directory means something', async () => {
    const elsewhere = await tempDirectory()
    await writeFile(join(elsewhere, 'server.ini'), INI)
    await setUp({ 'app.yml': APP })
    await symlink(join(elsewhere, 'server.ini'), join(directory, 'server.ini'))
    const { exitCode, stderr } = await config('set server:main.port 9')
    expect(exitCode).toBe(1)
    expect(stderr).toContain(`symbolic link to ${elsewhere}/server.ini`)
  })

  it('says so when it may not write, with exit code 4', async () => {
    await config('set debug true')
    const { seteuid } = process
    const isRoot = process.getuid?.() === 0
    await chmod(directory, 0o555)
    const text = await app()
    let ran: Ran
    try {
      if (isRoot) seteuid?.(65_534)
      ran = await config('set debug false')
    } finally {
      if (isRoot) seteuid?.(0)
      await chmod(directory, 0o755)
    }
    expect(ran.exitCode, ran.stderr).toBe(4)
    expect(ran.stderr).toContain('as root')
    expect(await app()).toBe(text)
  })

  it('warns when a variable goes before the file, and about parts without effect', async () => {
    const env = { PULSAR_CONFIG_DIR: directory, PULSAR_CONFIG_OVERRIDE_DEBUG: 'false' }
    expect((await config('set debug true', { env })).stderr).toContain(
      'PULSAR_CONFIG_OVERRIDE_DEBUG goes before',
    )
    expect((await config('set log_level DEBUG')).stderr).toContain('log_level has no effect')
    expect((await config('set logger_pulsar.level INFO')).stderr).toContain('no section [loggers]')
    expect((await config('set manager.job_time 5')).stderr).toContain(
      'manager.job_time has no effect with type',
    )
  })
})

describe('a secret', () => {
  it('is not taken from the command line', async () => {
    const { exitCode, stderr } = await config('set private_token neues-geheim')
    expect(exitCode).toBe(2)
    expect(stderr).toContain('magnetar config set private_token -')
    expect(stderr).not.toContain('neues-geheim')
    expect(await app()).toBe(APP)
  })

  it('comes on standard input, is quoted where needed, and is shown nowhere', async () => {
    const { exitCode, stdout, stderr } = await config('set private_token -', { input: '12345678\n' })
    expect(exitCode).toBe(0)
    expect(await app()).toBe(APP.replace('geheim123', '"12345678"'))
    expect(stdout).toContain('- private_token: (hidden)\n+ private_token: (hidden, another one)\n')
    expect(stdout + stderr).not.toMatch(/geheim|12345678/)
  })

  it.each([
    ['', 'no value'],
    ['a\nb\n', 'found several'],
    ['\n', 'no value'],
  ])('%j is none', async (input, message) => {
    const { exitCode, stderr } = await config('set private_token -', { input })
    expect(exitCode).toBe(2)
    expect(stderr).toContain(message)
    expect(await app()).toBe(APP)
  })

  it('warns when everybody may read the file', async () => {
    await chmod(join(directory, 'app.yml'), 0o644)
    expect((await config('set private_token -', { input: 'x-y-z' })).stderr).toContain(
      'every user of this machine',
    )
    await chmod(join(directory, 'app.yml'), 0o640)
    expect((await config('set private_token -', { input: 'x-y-w' })).stderr).toBe('')
  })

  /** A terminal: what is typed comes as it is typed. */
  function terminalInput(): PassThrough & { isTTY: boolean } {
    return Object.assign(new PassThrough(), { isTTY: true })
  }

  it('is asked for in a terminal, without showing it', async () => {
    const stdin = terminalInput()
    const running = config('set private_token -', { stdin })
    stdin.write('getippt')
    stdin.write('\r')
    const { exitCode, stdout, stderr } = await running
    expect(exitCode).toBe(0)
    expect(stderr).toContain('private_token (not shown): ')
    expect(stdout + stderr).not.toContain('getippt')
    expect(await app()).toContain('private_token: getippt   # keep\n')
  })

  it.each([
    ['Ctrl-C', '\x03'],
    ['Ctrl-D', '\x04'],
  ])('is not changed by %s', async (_what, key) => {
    const stdin = terminalInput()
    const running = config('set private_token -', { stdin })
    await waitFor(() => stdin.listenerCount('data') + stdin.listenerCount('keypress') > 0, {
      what: 'the question',
    })
    stdin.write(key)
    expect((await running).exitCode).toBe(130)
    expect(await app()).toBe(APP)
  })
})

describe('config unset', () => {
  it('takes the line away and says what counts now', async () => {
    const { exitCode, stdout } = await config('unset manager.num_concurrent_jobs')
    expect(exitCode).toBe(0)
    expect(await app()).toBe(APP.replace('  num_concurrent_jobs: "*"\n', ''))
    expect(stdout).toContain(`${directory}/app.yml:5\n-   num_concurrent_jobs: "*"\n`)
    expect(stdout).toContain('manager.num_concurrent_jobs is as by default now: 1\n')
  })

  it('takes options out of server.ini', async () => {
    expect((await config('unset uwsgi.http')).exitCode).toBe(0)
    expect(await ini()).toBe(INI.replace('http = localhost:8913\n', ''))
  })

  it('warns when nobody needs a token any more, and shows none', async () => {
    const { exitCode, stdout, stderr } = await config('unset private_token')
    expect(exitCode).toBe(0)
    expect(stderr).toContain('there is no private token now')
    expect(stdout).toContain('- private_token: (hidden)\n')
    expect(stdout + stderr).not.toContain('geheim')
  })

  it('takes away a name that is no option, without showing its value', async () => {
    await setUp({ 'app.yml': 'privat_token: geheim\ndebug: true\n' })
    const { exitCode, stdout } = await config('unset privat_token')
    expect(exitCode).toBe(0)
    expect(await app()).toBe('debug: true\n')
    expect(stdout).not.toContain('geheim')
  })

  it('does nothing when it is not set', async () => {
    const { exitCode, stdout } = await config('unset debug')
    expect([exitCode, stdout]).toEqual([0, `debug is not set in ${directory}; nothing was changed\n`])
    expect((await config('unset debugg')).exitCode).toBe(2)
  })

  it('takes no mapping away', async () => {
    const { exitCode, stderr } = await config('unset manager')
    expect(exitCode).toBe(1)
    expect(stderr).toContain('manager is a mapping')
    expect(await app()).toBe(APP)
  })
})

describe('config docs', () => {
  const noNode = { env: {} }

  it('explains an option, by its full name or its own, without any node', async () => {
    const { exitCode, stdout } = await config('docs num_concurrent_jobs', noNode)
    expect(exitCode).toBe(0)
    expect(stdout).toContain('how many jobs run at once')
    expect(stdout).toMatch(/Value +a whole number, 0 or more, or "\*" for the number of CPUs\n/)
    expect(stdout).toMatch(/Default +1\n/)
    expect(stdout).toMatch(/Set it +magnetar config set manager\.num_concurrent_jobs VALUE\n/)
    const full = await config('docs managers.cluster.num_concurrent_jobs', noNode)
    expect(full.stdout).toContain('set managers.cluster.num_concurrent_jobs VALUE')
    expect((await config('docs port', noNode)).stdout).toContain('config set server:main.port VALUE')
    expect((await config('docs private_token', noNode)).stdout).toContain('config set private_token -\n')
    expect((await config('docs managers', noNode)).stdout).not.toContain('config set')
  })

  it('lists all options', async () => {
    const { stdout } = await config('docs', noNode)
    for (const name of ['private_token', 'num_concurrent_jobs', 'ssl_pem', 'http-socket', 'job_*'])
      expect(stdout).toContain(`\n  ${name}  `)
  })

  it('knows what was meant', async () => {
    const { exitCode, stderr } = await config('docs staging_dirctory', noNode)
    expect(exitCode).toBe(2)
    expect(stderr).toContain('Is staging_directory meant?')
  })
})

it('is refused with exit code 2 when a word is missing or too many', async () => {
  for (const words of ['set debug', 'set debug true false', 'unset', 'show x', 'nonsense'])
    expect((await config(words)).exitCode, words).toBe(2)
})
