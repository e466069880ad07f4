import { constants } from 'node:fs'
import { access, chmod, mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { userInfo } from 'node:os'
import { delimiter, dirname, isAbsolute, join, resolve } from 'node:path'
import { describe, expect, it } from 'vitest'
import { type CommandResult, runCommand } from '../../src/lib/exec.js'
import { tempDirectory } from '../helpers/temp-directory.js'

const launcher = resolve('bin', 'pulsar-config.js')

const exercise = [
  '--supervisor',
  '--wsgi_server',
  'uwsgi',
  '--libdrmaa_path',
  '/usr/lib/slurm-drmaa/lib/libdrmaa.so.1',
  '--private_token',
  'foo',
  '--install',
]

function pulsarConfig(
  cwd: string,
  argv: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<CommandResult> {
  const {
    USER: _user,
    COLUMNS: _columns,
    MAGNETAR_PREFIX: _prefix,
    MOCK_WINDOWS: _mock,
    ...inherited
  } = process.env
  return runCommand(process.execPath, [launcher, ...argv], {
    cwd,
    env: { ...inherited, ...env },
    timeoutMs: 20_000,
  })
}

async function keyOf(directory: string, key: string): Promise<string | undefined> {
  const text = await readFile(join(directory, 'supervisor.conf'), 'utf8')
  return new RegExp(`^${key} *= (.*)$`, 'm').exec(text)?.[1]
}

describe('pulsar-config', () => {
  it("does what the exercise's command line asks for, without $USER", async () => {
    const directory = await tempDirectory()
    const { code, stdout, stderr } = await pulsarConfig(directory, exercise)
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(stdout).toMatch(
      /^Bootstrapping pulsar configuration into directory \.\nNothing to install: .*\n - app\.yml/,
    )
    expect((await readdir(directory)).sort()).toEqual([
      'app.yml',
      'dependencies',
      'local_env.sh',
      'server.ini',
      'supervisor.conf',
    ])
    expect((await stat(join(directory, 'app.yml'))).mode & 0o777).toBe(0o600)
    expect(await keyOf(directory, 'user')).toBe(userInfo().username)
    expect(await keyOf(directory, 'stopsignal')).toBe('INT')
  })

  it('names a program for Supervisor that is there, and the Node that it needs', async () => {
    const directory = await tempDirectory()
    await pulsarConfig(directory, ['--supervisor'])
    const program = (await keyOf(directory, 'command'))?.split(' --mode ')[0] ?? ''
    expect(isAbsolute(program)).toBe(true)
    await access(program, constants.X_OK)
    const environment = await keyOf(directory, 'environment')
    expect(environment).toBe(`PATH="${dirname(process.execPath)}:%(ENV_PATH)s"`)
    const PATH = [dirname(process.execPath), process.env.PATH].join(delimiter)
    const help = await runCommand(program, ['--help'], { env: { PATH }, timeoutMs: 20_000 })
    expect(help).toMatchObject({ code: 0, stdout: expect.stringContaining('pulsar') })
  })

  it('in an installed prefix names its program and its environment', async () => {
    const prefix = await tempDirectory()
    const directory = join(prefix, 'etc')
    await mkdir(join(prefix, 'bin'))
    await writeFile(join(prefix, 'bin', 'pulsar'), '#!/bin/sh\n')
    await chmod(join(prefix, 'bin', 'pulsar'), 0o755)
    const env = { MAGNETAR_PREFIX: prefix, USER: 'somebody' }
    const ran = await pulsarConfig(prefix, ['--directory', 'etc', ...exercise], env)
    expect(ran).toMatchObject({ code: 0, stderr: '' })
    expect(await readFile(join(directory, 'supervisor.conf'), 'utf8')).toBe(
      `[program:pulsar]
user            = somebody
directory       = ${directory}
command         = ${prefix}/bin/pulsar --mode 'uwsgi' --config '${directory}'
redirect_stderr = true
autorestart     = true
environment     = VIRTUAL_ENV="${prefix}",PATH="${prefix}/bin:%(ENV_PATH)s"
stopsignal      = INT
`,
    )
  })

  it('writes nothing when the program for Supervisor is missing', async () => {
    const prefix = await tempDirectory()
    const ran = await pulsarConfig(prefix, ['--supervisor'], { MAGNETAR_PREFIX: prefix })
    expect(ran.code).toBe(1)
    expect(ran.stderr).toContain(join(prefix, 'bin', 'pulsar'))
    expect(await readdir(prefix)).toEqual([])
    expect(await pulsarConfig(prefix, [], { MAGNETAR_PREFIX: prefix })).toMatchObject({ code: 0 })
  })

  it('leaves what is there alone, and replaces it with --force', async () => {
    const directory = await tempDirectory()
    await writeFile(join(directory, 'server.ini'), 'mine')
    const refused = await pulsarConfig(directory, exercise)
    expect(refused).toMatchObject({
      code: 1,
      stderr: `File ${join(directory, 'server.ini')} exists, exiting. Run with --force to replace configuration.\n`,
    })
    expect(await readdir(directory)).toEqual(['server.ini'])
    expect(await pulsarConfig(directory, [...exercise, '--force'])).toMatchObject({ code: 0 })
    expect(await readFile(join(directory, 'server.ini'), 'utf8')).toMatch(/^\[server:main\]\n/)
  })

  it('tells of a directory that cannot be one in words, not with a stack trace', async () => {
    const directory = await tempDirectory()
    await writeFile(join(directory, 'file'), '')
    const { code, stderr } = await pulsarConfig(directory, ['--directory', 'file'])
    expect(code).toBe(1)
    expect(stderr).toBe(
      `pulsar-config: error: ${join(directory, 'file')} is not a directory\n  Fix: Name another with --directory.  [DIRECTORY_UNUSABLE]\n`,
    )
  })

  it.each([
    ['--login', '--relay-url', 'https://relay'],
    ['--login-only'],
    ['--register-with-galaxy=https://galaxy'],
  ])('says of %s that it does not work yet', async (...argv) => {
    const directory = await tempDirectory()
    const { code, stdout, stderr } = await pulsarConfig(directory, argv)
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
    expect(stderr).toMatch(/^pulsar-config: error: --\S+ does not work yet: .*Nothing was written\.\n/)
    expect(await readdir(directory)).toEqual([])
  })

  it('shows how it is used when it is used wrongly, on standard error', async () => {
    const directory = await tempDirectory()
    const { code, stdout, stderr } = await pulsarConfig(directory, ['--port', 'http'])
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
    expect(stderr).toMatch(/^usage: pulsar-config \[-h\] \[--directory DIRECTORY\]/)
    expect(stderr).toMatch(/\npulsar-config: error: argument --port: expected .* found "http"\n$/)
    expect(await readdir(directory)).toEqual([])
  })

  it('helps on standard output', async () => {
    const { code, stdout, stderr } = await pulsarConfig('.', ['--help'], { COLUMNS: '60' })
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(stdout).toMatch(/^usage: pulsar-config/)
    expect(stdout).toContain('--private_token PRIVATE_TOKEN')
  })

  it('plays Windows when MOCK_WINDOWS is set', async () => {
    const directory = await tempDirectory()
    const env = { MOCK_WINDOWS: '1' }
    expect(await pulsarConfig(directory, ['--supervisor'], env)).toMatchObject({ code: 2 })
    expect(await pulsarConfig(directory, [], env)).toMatchObject({ code: 0 })
    expect((await readdir(directory)).sort()).toEqual(['app.yml', 'dependencies', 'server.ini'])
  })
})
