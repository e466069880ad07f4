import { execFileSync } from 'node:child_process'
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { userInfo } from 'node:os'
import { delimiter, dirname, join, resolve } from 'node:path'
import { describe, expect, it } from 'vitest'
import { type CommandResult, runCommand } from '../../src/lib/exec.js'
import { renderAppYml } from '../../src/setup/files/render/app-yml.js'
import { freePort } from '../helpers/free-port.js'
import { needs } from '../helpers/needs.js'
import { startServerProcess } from '../helpers/server-process.js'
import { tempDirectory } from '../helpers/temp-directory.js'
import { oddTokens } from '../setup/odd-tokens.js'
import { findPulsarVenv, withPython } from './pulsar-venv.js'
import { forkedServer } from './python-pulsar.js'

// pulsar-config of the Python Pulsar 0.16.0 and ours, side by side; and either server started from the other's files.

const { venv, missing } = findPulsarVenv()
const bin = venv?.bin ?? ''
const library = '/usr/lib/slurm-drmaa/lib/libdrmaa.so.1'
const exercise = [
  '--supervisor',
  '--wsgi_server',
  'uwsgi',
  '--libdrmaa_path',
  library,
  '--private_token',
  'foo',
]

type Who = 'real' | 'ours'

interface Place {
  readonly cwd: string
  readonly env?: Readonly<Record<string, string>>
}

const { MAGNETAR_PREFIX: _prefix, MOCK_WINDOWS: _mock, ...inherited } = process.env
// The real one needs USER.
const environment = { ...inherited, USER: userInfo().username, COLUMNS: '80' }

const programs = {
  real: (argv: readonly string[], { cwd, env }: Place) =>
    run(join(bin, 'pulsar-config'), argv, { cwd, ...(env ? { env } : {}) }),
  ours: (argv: readonly string[], { cwd, env }: Place) =>
    run(process.execPath, [resolve('bin', 'pulsar-config.js'), ...argv], { cwd, ...(env ? { env } : {}) }),
}

function run(command: string, argv: readonly string[], { cwd, env }: Place): Promise<CommandResult> {
  return runCommand(command, argv, { cwd, env: { ...environment, ...env }, timeoutMs: 60_000 })
}

interface Difference {
  /** How the line begins. */
  readonly at: string
  /** The rest of the line, for either; undefined: there is no such line. */
  readonly real?: RegExp
  readonly ours?: RegExp
  readonly why: string
}

/** What we write differently. Everything else must be the same, in the same order. */
const differences: readonly Difference[] = [
  {
    at: 'server.ini [uwsgi] socket = ',
    real: /^\S+:3031$/,
    why: 'its protocol is not the HTTP that Galaxy speaks; the exercise replaces it by hand',
  },
  { at: 'server.ini [uwsgi] http = ', ours: /^\S+:\d+$/, why: 'takes its place' },
  {
    at: 'server.ini [uwsgi] buffer-size = ',
    ours: /^16384$/,
    why: 'Pulsar has longer request lines than uWSGI takes; the exercise adds it by hand',
  },
  {
    at: 'supervisor.conf [program:pulsar] command = ',
    real: /^pulsar --mode '\w+' --config '\/.*\/etc'$/,
    ours: /^\/.*\/bin\/pulsar\.js --mode '\w+' --config '\/.*\/etc'$/,
    why: 'Supervisor does not have the directory of the program on its PATH',
  },
  {
    at: 'supervisor.conf [program:pulsar] environment = ',
    ours: /^PATH="\/.*:%\(ENV_PATH\)s"$/,
    why: 'so the program finds its Node; the exercise adds its virtualenv by hand',
  },
  {
    at: 'supervisor.conf [program:pulsar] stopsignal = ',
    ours: /^INT$/,
    why: 'the exercise adds it by hand',
  },
  {
    at: 'message    * Binding to host [',
    real: /^%s\].* 0\.0\.0\.0$/,
    ours: /^0\.0\.0\.0\]/,
    why: 'a place holder that is never filled',
  },
  {
    at: 'message   pulsar-check ',
    real: /^--url http:\/\/localhost:8913(--private_token foo)?$/,
    ours: /^--url http:\/\/localhost:8913( --private_token '<private_token of app.yml>')?$/,
    why: 'a missing blank, and no secrets in the logs of whatever runs this',
  },
  {
    at: 'message Nothing to install: ',
    ours: /^Magnetar uses no Python packages\./,
    why: "stands where pip's output does",
  },
]

const combinations: readonly { flags: readonly string[]; env?: Readonly<Record<string, string>> }[] = [
  { flags: [] },
  { flags: ['--mq'] },
  { flags: ['--mq', '--supervisor'] },
  { flags: ['--mq', '--wsgi_server', 'uwsgi'] },
  { flags: ['--mq', '--wsgi_server', 'uwsgi', '--supervisor'] },
  { flags: ['--mq', '--private_token', 'foo'] },
  { flags: ['--mq', '--relay-url', 'https://relay.example/x'] },
  { flags: ['--relay-url', 'https://relay.example/x'] },
  { flags: exercise },
  { flags: ['--wsgi_server', 'gunicorn', '--supervisor'] },
  { flags: ['--supervisor'] },
  { flags: ['--no_logging', '--host', '0.0.0.0', '--port', '18920'] },
  { flags: ['--host', '0.0.0.0', '--private_token', 'foo'] },
  { flags: ['--auto_conda'] },
  { flags: ['--libdrmaa_path', library] },
  { flags: ['--force', '--galaxy-token', 'x'] },
  // Nothing of this needs a package.
  { flags: ['--install'] },
  { flags: ['--wsgi=uwsgi', '--libdrmaa', library, '--no_log', '--auto', '--priv=foo'] },
  { flags: [], env: { MOCK_WINDOWS: '1' } },
  { flags: ['--mq', '--private_token', 'foo'], env: { MOCK_WINDOWS: '1' } },
]

describe('the files and messages of pulsar-config', needs(missing), () => {
  it.each(combinations)('are those of the Python Pulsar for $flags $env', async ({ flags, env }) => {
    const [real, ours] = await Promise.all([outcome('real', flags, env), outcome('ours', flags, env)])
    expect(withoutDifferences(ours, 'ours')).toEqual(withoutDifferences(real, 'real'))
  })

  it('differ in all that the table names', async () => {
    const lines: Record<Who, string[]> = { real: [], ours: [] }
    for (const flags of [exercise, ['--host', '0.0.0.0', '--install'], ['--mq', '--private_token', 'foo']]) {
      for (const who of ['real', 'ours'] as const) lines[who].push(...(await outcome(who, flags)))
    }
    for (const { at, real, ours } of differences) {
      const has = (who: Who): boolean => lines[who].some((line) => line.startsWith(at))
      const expected = { at, real: real !== undefined, ours: ours !== undefined }
      expect({ at, real: has('real'), ours: has('ours') }).toEqual(expected)
    }
  })

  it('leave a file that is there alone, in the same words', async () => {
    const results = await Promise.all(
      (['real', 'ours'] as const).map(async (who) => {
        const home = await tempDirectory()
        await writeFile(join(home, 'app.yml'), 'mine')
        const { code, stdout, stderr } = await programs[who]([], { cwd: home })
        return { code, stdout, stderr: stderr.replace(home, '') }
      }),
    )
    expect(results[1]).toEqual(results[0])
  })
})

describe('a wrong command line of pulsar-config', needs(missing), () => {
  it.each([
    ['--log'],
    ['--log --help'],
    ['--l'],
    ['--re x'],
    ['--mq=x'],
    ['--mq='],
    ['--host'],
    ['--host --mq'],
    ['--host -x'],
    ['--host -- foo'],
    ['--wsgi paste'],
    ['--wsgi_server='],
    ['--wsgi_server=UWSGI'],
    ['a b -z'],
    ['-'],
    ['-x foo'],
    ['-hx'],
    ['--directory d -- foo --mq'],
  ])('%s gives the usage, the words and the exit code of argparse', async (line) => {
    const cwd = await tempDirectory()
    const env = { COLUMNS: line === '--log' ? '50' : '80' }
    const [real, ours] = await Promise.all(
      (['real', 'ours'] as const).map((who) => programs[who](line.split(' '), { cwd, env })),
    )
    expect(comparable(ours)).toEqual(comparable(real))
    expect(ours?.code).toBe(2)
    expect(await readdir(cwd)).toEqual([])
  })

  /** Python 3.12 and later quote the choices differently. */
  function comparable(result: CommandResult | undefined): Partial<CommandResult> {
    const { code, stdout = '', stderr = '' } = result ?? {}
    const words = stderr
      .replace(/choose from.*/, (text) => text.replaceAll("'", ''))
      .replace(/\n {2}Fix: .*/, '')
    return { code: code ?? null, stdout, stderr: words }
  }
})

describe('the Python Pulsar', needs(missing), () => {
  it('reads every token that we write', async () => {
    const directory = await tempDirectory()
    await Promise.all(
      oddTokens.map((privateToken, index) =>
        writeFile(
          join(directory, `${index}`),
          renderAppYml({ privateToken, autoConda: false, drmaa: false }),
        ),
      ),
    )
    const script =
      'import json, sys, yaml; print(json.dumps([yaml.safe_load(open(f, encoding="utf-8"))["private_token"] for f in sys.argv[1:]]))'
    const names = oddTokens.map((_, index) => join(directory, `${index}`))
    const { stdout, stderr } = await run(join(bin, 'python'), ['-c', script, ...names], { cwd: directory })
    expect(stderr).toBe('')
    expect(JSON.parse(stdout)).toEqual(oddTokens)
  })

  it.each([
    'foo',
    '12345',
    'a: b',
    'abc #c',
    `it's "x"`,
  ])('serves from our files with the token %s', async (token) => {
    const directory = join(await tempDirectory(), 'etc')
    const port = await freePort()
    await written('ours', ['--directory', directory, '--port', String(port), '--private_token', token])
    const server = await startServerProcess({
      command: join(bin, 'pulsar-serve'),
      args: [join(directory, 'server.ini')],
      cwd: directory,
      env: withPython({ bin }, { PULSAR_CONFIG_DIR: directory }),
      url: `http://127.0.0.1:${port}/`,
      start: forkedServer,
    })
    try {
      expect(await statusOf(server.url)).toBe(401)
      expect(await statusOf(server.url, `${token}x`)).toBe(401)
      expect(await statusOf(server.url, token)).toBe(200)
      if (token === 'foo') await check(server.url, token)
    } finally {
      await server.stop()
    }
  })
})

describe('Magnetar', needs(missing), () => {
  it.each([
    'uwsgi',
    'gunicorn',
    'paster',
  ])("serves in mode %s from the Python Pulsar's files", async (mode) => {
    const directory = join(await tempDirectory(), 'etc')
    const port = await freePort()
    const flags = ['--wsgi_server', 'uwsgi', '--port', String(port), '--private_token', 'foo']
    await written('real', ['--directory', directory, ...flags])
    const server = await startServerProcess({
      command: process.execPath,
      args: [resolve('bin', 'pulsar.js'), '--mode', mode, '--config', directory],
      cwd: directory,
      env: withPython({ bin }),
      url: `http://127.0.0.1:${port}/`,
    })
    try {
      expect(await statusOf(server.url)).toBe(401)
      expect(await statusOf(server.url, 'foo')).toBe(200)
      if (mode === 'uwsgi') await check(server.url, 'foo')
    } finally {
      expect(await server.stop()).toBe(0)
    }
  })
})

describe('Supervisor', needs(lacksSupervisor()), () => {
  it('runs our program, also in a directory with percent sign, blank and quote, and stops it', async () => {
    const home = await tempDirectory()
    const directory = join(home, "50% of it's all", 'etc')
    const port = await freePort()
    await written('ours', [
      '--directory',
      directory,
      '--supervisor',
      '--wsgi_server',
      'uwsgi',
      '--port',
      String(port),
    ])
    const main = `[supervisord]\nlogfile = ${home}/supervisord.log\npidfile = ${home}/supervisord.pid\nchildlogdir = ${home}\n`
    const program = await readFile(join(directory, 'supervisor.conf'), 'utf8')
    await writeFile(join(home, 'supervisord.conf'), `${main}${program}`)
    const server = await startServerProcess({
      command: 'supervisord',
      args: ['-n', '-c', join(home, 'supervisord.conf')],
      cwd: home,
      // Without the Node that the tests run with, as Supervisor is started at boot.
      env: { PATH: pathWithoutNode() },
      url: `http://127.0.0.1:${port}/`,
    })
    expect(await statusOf(server.url)).toBe(200)
    expect(await server.stop()).toBe(0)
    await expect(fetch(server.url)).rejects.toThrow()
    expect(await readFile(join(home, 'supervisord.log'), 'utf8')).not.toMatch(/SIGKILL|FATAL/)
  })
})

/** Files and messages as comparable lines: "server.ini [uwsgi] master = True", "message …". */
async function outcome(
  who: Who,
  flags: readonly string[],
  env?: Readonly<Record<string, string>>,
): Promise<string[]> {
  const home = await tempDirectory()
  const place = { cwd: home, ...(env ? { env } : {}) }
  const { code, stdout, stderr } = await programs[who](['--directory', 'etc', ...flags], place)
  expect({ code, stderr }, who).toEqual({ code: 0, stderr: '' })
  const names = (await readdir(join(home, 'etc'))).sort()
  const texts = await Promise.all(
    names
      .filter((name) => name !== 'dependencies')
      .map(async (name) => entriesOf(name, await readFile(join(home, 'etc', name), 'utf8'))),
  )
  const messages = stdout.split('\n').map((line) => `message ${line}`)
  return [`files ${names.join(' ')}`, ...texts.flat(), ...messages].map((line) =>
    line.replaceAll(home, '/srv'),
  )
}

/** Keys and values, also those that are commented as examples; no other comments and no blank lines. */
function entriesOf(name: string, text: string): string[] {
  let section = ''
  return text.split('\n').flatMap((line) => {
    if (/^\[.*\]$/.test(line)) section = ` ${line}`
    const isExample = /^#\s?(\w+( = |: )|export \w+=)/.test(line)
    if (line === '' || (line.startsWith('#') && !isExample)) return []
    return [`${name}${section} ${line.replace(/^(#?) ?(\w+) +=/, '$1$2 =')}`]
  })
}

/** Takes out what may differ, and fails when it differs otherwise than the table says. */
function withoutDifferences(lines: readonly string[], who: Who): string[] {
  return lines.filter((line) => {
    const difference = differences.find(({ at }) => line.startsWith(at))
    if (!difference) return true
    expect(line.slice(difference.at.length), `${who}: ${line}`).toMatch(difference[who] ?? /^no such line$/)
    return false
  })
}

async function written(who: Who, argv: readonly string[]): Promise<void> {
  const directory = argv[argv.indexOf('--directory') + 1] ?? ''
  await mkdir(directory, { recursive: true })
  const { code, stderr } = await programs[who](argv, { cwd: directory })
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
}

async function statusOf(url: string, token?: string): Promise<number> {
  const query = new URLSearchParams({ job_id: 'x', ...(token === undefined ? {} : { private_token: token }) })
  const answer = await fetch(new URL(`jobs?${query}`, url), {
    method: 'POST',
    signal: AbortSignal.timeout(30_000),
  })
  await answer.arrayBuffer()
  return answer.status
}

/** A whole job with the real client. */
async function check(url: string, token: string): Promise<void> {
  const argv = ['--url', url, '--private_token', token]
  const { code, stderr } = await runCommand(join(bin, 'pulsar-check'), argv, {
    env: { ...environment, TMPDIR: await tempDirectory() },
    timeoutMs: 120_000,
  })
  expect(code, stderr).toBe(0)
}

function lacksSupervisor(): string | undefined {
  try {
    execFileSync('supervisord', ['--version'], { stdio: 'ignore', timeout: 30_000 })
    return undefined
  } catch {
    return 'no supervisord on the PATH; install Supervisor'
  }
}

function pathWithoutNode(): string {
  const node = dirname(process.execPath)
  return (process.env.PATH ?? '')
    .split(delimiter)
    .filter((directory) => resolve(directory) !== node || directory === '/usr/bin')
    .join(delimiter)
}
