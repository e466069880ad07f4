import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import type { CheckResult } from '../../src/check/types.js'
import { createCheckLines, formatMs } from '../../src/cli/check/render.js'
import { widthOf } from '../../src/cli/wrap.js'
import { startMeddler } from '../check/meddler.js'
import { freePort } from '../helpers/free-port.js'
import { type CommandResult, runCommand } from '../helpers/run-command.js'
import type { ServerProcess } from '../helpers/server-process.js'
import { tempDirectory } from '../helpers/temp-directory.js'
import { waitFor } from '../helpers/wait-for.js'
import { startMagnetar } from '../peers/magnetar-server.js'

const program = resolve('bin', 'magnetar.js')
const check = (...words: string[]): Promise<CommandResult> =>
  runCommand(process.execPath, [program, 'check', ...words], { env: { MAGNETAR_PREFIX: '' } })

let directory: string
let node: ServerProcess
let token: string
beforeAll(async () => {
  directory = await tempDirectory()
  token = join(directory, 'token')
  writeFileSync(token, 'foo\n')
  writeFileSync(join(directory, 'wrong'), 'bar\n')
  node = await startMagnetar({ directory, app: { private_token: 'foo' } })
})

describe('magnetar check', () => {
  it('says in one line each what works, without colours through a pipe', async () => {
    const { exitCode, output } = await check(node.url, '--token-file', token, '--no-pull')
    expect(exitCode, output).toBe(0)
    const lines = output.trimEnd().split('\n')
    expect(lines[0]).toBe(`Checking ${node.url}`)
    expect(lines).toHaveLength(14)
    for (const line of lines.slice(1, -1)) expect(line).toMatch(/^ {2}[✔-] \S+ .* \d+(\.\d)? m?s$/)
    expect(lines.at(-1)).toMatch(/^Works\. 11 checks in .* s, 1 left out\.$/)
    expect(output).not.toContain('\x1b')
  })

  it('knows the node of a configuration, says nothing when it is quiet, and all as JSON', async () => {
    expect(await check('--config', directory, '--quiet')).toEqual({ exitCode: 0, output: '' })
    const { exitCode, output } = await check('--config', directory, '--json')
    expect(exitCode).toBe(0)
    const result = JSON.parse(output) as { checks: CheckResult[] }
    expect(result).toMatchObject({ url: node.url, manager: '_default_', ok: true, exitCode: 0, jobsLeft: [] })
    expect(result.checks.map(({ state }) => state)).toEqual(Array(12).fill('passed'))
  })

  it('has an exit code for each kind of failure', async () => {
    const wrong = await check(node.url, '--token-file', join(directory, 'wrong'))
    expect(wrong.exitCode).toBe(13)
    expect(wrong.output).toMatch(
      /✖ token .*not the one of the node[\s\S]*Fix: [\s\S]*not tried: version, clock/,
    )
    expect(wrong.output).toMatch(/Does not work: 1 failed, 2 passed in .*, 9 not tried\.\n$/)
    expect((await check(`http://127.0.0.1:${await freePort()}`)).exitCode).toBe(10)
    expect((await check(node.url.replace('http:', 'https:'))).exitCode).toBe(11)
    expect((await check(node.url, '--token-file', token, '--manager', 'no')).exitCode).toBe(12)
    const { url } = await startMeddler({ 'POST /jobs': { status: 507 } }, { node: node.url })
    expect((await check(url, '--token-file', token, '--json')).output).toContain('"exitCode": 15')
  })

  it.each([
    [['node.example.org:8913'], /http:\/\/ or https:\/\//],
    [['http://foo@node.example.org:8913'], /--token-file/],
    [['http://127.0.0.1:1', '--timeout', '0'], /more than 0/],
    [['http://127.0.0.1:1', '--token-file', '/no/such/file'], /\/no\/such\/file/],
    [['http://127.0.0.1:1', '--files-url', 'https://a.org/'], /--files-port/],
    [['http://127.0.0.1:1', '--ca-file', '/no/such/file', '--no-pull'], /nothing listens/],
    [['https://127.0.0.1:1', '--ca-file', '/no/such/file', '--no-pull'], /--ca-file \/no\/such\/file/],
    [[], /--config/],
  ])('refuses what it cannot use: %j', async (words, message) => {
    const { exitCode, output } = await check(...words)
    expect(exitCode).toBe(output.includes('nothing listens') ? 10 : 2)
    expect(output).toMatch(message)
    expect(output).not.toContain('foo')
  })

  it('is stopped by Ctrl-C, and removes its jobs', async () => {
    const queued = { status: 200, text: JSON.stringify({ status: 'queued', complete: 'false' }) }
    const { url, calls } = await startMeddler({ 'GET /jobs/{job}/status': queued }, { node: node.url })
    const child = spawn(process.execPath, [program, 'check', url, '--token-file', token], { stdio: 'pipe' })
    let output = ''
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      output += text
    })
    await waitFor(() => calls.includes('GET /jobs/{job}/status'), { what: 'job', timeoutMs: 15_000 })
    child.kill('SIGINT')
    const [code] = await once(child, 'exit')
    expect(code).toBe(130)
    expect(output).toMatch(/Stopped after .*; its jobs are removed\.\n$/)
    const jobs = (): string[] =>
      readdirSync(join(directory, 'staging')).filter((name) => name.startsWith('magnetar'))
    await waitFor(() => jobs().length === 0, { what: 'removal of the job' })
  })
})

describe('the lines of a check', () => {
  const result = (more: Partial<CheckResult>): CheckResult => ({
    name: 'run',
    state: 'passed',
    message: 'on a node',
    ms: 3,
    ...more,
  })
  const long = 'some words that go on '.repeat(10).trim()

  function show(results: readonly CheckResult[], quiet = false) {
    const written: string[] = []
    const stream = { isTTY: true, columns: 80, write: (more: string) => void written.push(more) }
    const lines = createCheckLines(stream, { TERM: 'xterm', NO_COLOR: '1' }, quiet)
    for (const each of results) {
      if (each.state !== 'not-tried') lines.start(each.name)
      lines.end(each)
    }
    lines.flush()
    return written
      .join('')
      .split('\n')
      .map((line) => line.replace(/^.*\r/, ''))
  }

  it('fit into 80 columns, whatever they say', () => {
    const lines = show([
      result({ message: long }),
      result({ name: 'pull', state: 'failed', message: `no:\n| ${long}`, why: long, fix: long }),
      result({ name: 'upload', state: 'not-tried' }),
      result({ name: 'run', state: 'not-tried' }),
    ])
    for (const line of lines) expect(widthOf(line)).toBeLessThan(80)
    expect(lines.at(-2)).toBe('  - not tried: upload, run')
    expect(lines.filter((line) => line.includes('Fix: '))).toHaveLength(1)
  })

  it('are only what is wrong when they are to be quiet', () => {
    const results = [result({}), result({ name: 'tls', state: 'warned', why: 'because', fix: 'do it' })]
    expect(show(results, true).join('\n')).toMatch(/^ {2}! TLS .*\n +because\n +Fix: do it\n$/)
  })

  it.each([
    [3, '3 ms'],
    [1849, '1.8 s'],
    [125_000, '2 min 5 s'],
  ])('tell %i ms as %s', (ms, text) => {
    expect(formatMs(ms)).toBe(text)
  })
})
