import {
  chmodSync,
  copyFileSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join, resolve } from 'node:path'
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest'
import { renderFileDiff } from '../../src/cli/galaxy/show-diff.js'
import { runCommand } from '../../src/lib/exec.js'
import { tempDirectory } from '../helpers/temp-directory.js'

const TOKEN = 'a-very-secret-token'
const FIXTURE = 'test/galaxy/fixtures/exercise.job_conf.xml'

let directory: string
let file: string
let before: string

beforeEach(async () => {
  directory = await tempDirectory()
  file = join(directory, 'job_conf.xml')
  copyFileSync(FIXTURE, file)
  chmodSync(file, 0o640)
  before = readFileSync(file, 'utf8')
  writeFileSync(join(directory, 'token'), `${TOKEN}\n`, { mode: 0o600 })
})

async function magnetar(words: readonly string[], input?: string, env: NodeJS.ProcessEnv = {}) {
  const result = await runCommand(process.execPath, [resolve('bin/magnetar.js'), 'galaxy', ...words], {
    timeoutMs: 60_000,
    cwd: directory,
    env: { ...process.env, NO_COLOR: '1', ...env },
    ...(input === undefined ? {} : { input }),
  })
  expect(result.stdout + result.stderr).not.toContain(TOKEN)
  return result
}

const connectWords = [
  'connect',
  '--job-conf',
  'job_conf.xml',
  '--url',
  'http://localhost:8913',
  '--no-check',
  '--tool',
  'multi',
]

describe('magnetar galaxy connect', () => {
  it('writes the file with the mode it had, keeps the old one, has nothing to do again, and disconnect undoes it', async () => {
    const done = await magnetar([...connectWords, '--token-file', 'token', '--yes'])
    expect([done.code, done.stderr]).toEqual([0, ''])
    expect(done.stdout).toContain('send jobs of multi to pulsar instead of slurm-2c')
    expect(readFileSync(file, 'utf8')).toContain(`<param id="private_token">${TOKEN}</param>`)
    expect(readFileSync(`${file}.bak`, 'utf8')).toBe(before)
    for (const name of [file, `${file}.bak`]) expect(statSync(name).mode & 0o7777).toBe(0o640)
    const again = await magnetar([...connectWords, '--yes'])
    expect([again.code, again.stdout]).toEqual([0, `✔ Nothing to do: ${file} is as wanted.\n`])
    const gone = await magnetar(['disconnect', '--job-conf', 'job_conf.xml', '--yes'])
    expect(gone.code).toBe(0)
    expect(readFileSync(file, 'utf8')).toBe(before)
    expect(readdirSync(directory).sort()).toEqual([
      'job_conf.xml',
      'job_conf.xml.bak',
      'job_conf.xml.bak.1',
      'token',
    ])
  })

  it.each([['--plan'], ['--diff']])('shows what it would do with %s, and changes nothing', async (flag) => {
    const { code, stdout } = await magnetar([...connectWords, '--token-file', 'token', flag])
    expect(code).toBe(0)
    expect(stdout).toContain('add the destination pulsar: http://localhost:8913/')
    expect(stdout.includes('+            <param id="private_token">(hidden)</param>')).toBe(flag === '--diff')
    expect(readFileSync(file, 'utf8')).toBe(before)
    expect(readdirSync(directory)).toHaveLength(2)
  })

  it('refuses without a terminal and without --yes', async () => {
    const { code, stderr } = await magnetar([...connectWords, '--token-file', 'token'])
    expect(code).toBe(2)
    expect(stderr).toContain('add --yes')
    expect(readFileSync(file, 'utf8')).toBe(before)
  })

  it('takes the token from standard input, or from the file that the variable names', async () => {
    expect((await magnetar([...connectWords, '--token-stdin', '--yes'], `${TOKEN}\n`)).code).toBe(0)
    expect(readFileSync(file, 'utf8')).toContain(TOKEN)
    writeFileSync(file, before)
    const env = { MAGNETAR_GALAXY_TOKEN_FILE: join(directory, 'token') }
    expect((await magnetar([...connectWords, '--yes'], undefined, env)).code).toBe(0)
    expect(readFileSync(file, 'utf8')).toContain(TOKEN)
  })

  it('writes through a symbolic link, and warns when everybody can read the token', async () => {
    mkdirSync(join(directory, 'real'))
    const real = join(directory, 'real', 'job_conf.xml')
    copyFileSync(file, real)
    chmodSync(real, 0o644)
    const link = join(directory, 'link.xml')
    symlinkSync('real/job_conf.xml', link)
    const words = connectWords.map((word) => (word === 'job_conf.xml' ? 'link.xml' : word))
    const { code, stderr } = await magnetar([...words, '--token-file', 'token', '--yes'])
    expect(code).toBe(0)
    expect(lstatSync(link).isSymbolicLink()).toBe(true)
    expect(readFileSync(real, 'utf8')).toContain(TOKEN)
    expect(stderr).toContain(`chmod o-r ${real}`)
  })

  it('runs what restarts Galaxy after a change only, and says when that fails', async () => {
    const restart = ['--restart', 'touch restarted; echo "gx:*"; exit 3']
    const done = await magnetar([...connectWords, '--token-file', 'token', '--yes', ...restart])
    expect(done.code).toBe(1)
    expect(done.stdout).toContain('  | gx:*')
    expect(done.stderr).toContain('The file is changed, but the restart failed')
    expect(readdirSync(directory)).toContain('restarted')
    const again = await magnetar([...connectWords, '--yes', '--restart', 'touch again'])
    expect(again.code).toBe(0)
    expect(readdirSync(directory)).not.toContain('again')
  })

  it('speaks JSON lines', async () => {
    const { code, stdout } = await magnetar([...connectWords, '--token-file', 'token', '--yes', '--json'])
    expect(code).toBe(0)
    const events = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>)
    expect(events.map(({ event }) => event)).toEqual(['plan', 'changed', 'result'])
    expect(events[1]).toMatchObject({ path: file, backup: `${file}.bak` })
  })

  it.each([
    [['--url', 'http://user:pw@x/', '--token-file', 'token'], /--url: a user or password/],
    [['--url', 'ftp://x/', '--token-file', 'token'], /--url: it has to begin with https/],
    [['--url', 'http://x/'], /the token of the node was not given/],
    [['--token-file', 'token'], /the node is not named/],
    [['--url', 'http://x/', '--token-file', 'none'], /cannot read none: it does not exist/],
    [['--url', 'http://x/', '--token-file', 'token', '--tool', 'a b'], /--tool: expected/],
  ])('refuses %j', async (words, message) => {
    const { code, stderr } = await magnetar([
      'connect',
      '--job-conf',
      'job_conf.xml',
      '--no-check',
      '--yes',
      ...words,
    ])
    expect(code).toBe(2)
    expect(stderr).toMatch(message)
    expect(stderr).not.toContain('pw')
    expect(readFileSync(file, 'utf8')).toBe(before)
  })

  it('prints what to paste, in both formats, without a file', async () => {
    const { code, stdout } = await magnetar(['connect', '--tool', 'bwa', 'multi', '--token-file', 'token'])
    expect(code).toBe(0)
    expect(stdout).toContain('  runners:\n    pulsar_rest:\n')
    expect(stdout).toContain('<tool id="bwa" destination="pulsar"/>')
    expect(stdout).toContain('PASTE_THE_PRIVATE_TOKEN_HERE')
  })

  it.each([
    [200, /answers: Pulsar 0\.16\.0/],
    [401, /refuses this token/],
    [404, /answers, but not as a Pulsar does \(HTTP 404\)/],
  ])('asks the node before, and warns only: HTTP %i', async (status, message) => {
    const server = createServer((_request, response) => {
      response.writeHead(status).end('{"version": "0.16.0"}')
    })
    await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
    onTestFinished(() => void server.close())
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    const words = ['connect', '--job-conf', 'job_conf.xml', '--url', url, '--token-file', 'token', '--yes']
    const { code, stdout, stderr } = await magnetar(words)
    expect(code).toBe(0)
    expect(stdout + stderr).toMatch(message)
  })
})

it('a difference shows no token or password of a file, wherever it stands', () => {
  const before = [
    'runners:',
    '  mq:',
    '    amqp_url: "pyamqp://galaxy:hushhush@mq:5671//x"',
    '  relay: {relay_password: "quiet, please", private_token: silence}',
    '# private_token: old-one',
    '<param id="private_token">in-xml</param>',
    "<param id='password' value='as-value'/>",
    'end: 1',
  ].join('\n')
  const text = renderFileDiff('f', before, before.replace('end: 1', 'end: 2\nprivate_token: brand-new')).join(
    '\n',
  )
  for (const secret of ['hushhush', 'quiet', 'silence', 'old-one', 'in-xml', 'as-value', 'brand-new'])
    expect(text).not.toContain(secret)
  expect(text).toContain('+private_token: (hidden, new)')
})
