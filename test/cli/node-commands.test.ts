import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { appendFileSync, chmodSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import path, { resolve } from 'node:path'
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest'
import { runCommand } from '../../src/lib/exec.js'
import { createPulsarClient, type PulsarClient } from '../helpers/pulsar-client.js'
import type { ServerProcess } from '../helpers/server-process.js'
import { tempDirectory } from '../helpers/temp-directory.js'
import { waitFor } from '../helpers/wait-for.js'
import { startMagnetar } from '../peers/magnetar-server.js'

/* The commands of admins as processes, against a server that is a process. */

const LAUNCHER = resolve('bin', 'magnetar.js')
let directory: string
let server: ServerProcess
let client: PulsarClient

async function start(): Promise<void> {
  server = await startMagnetar({
    directory,
    app: { managers: { _default_: { type: 'queued_python', num_concurrent_jobs: 2 } } },
  })
  client = createPulsarClient(server.url)
}

beforeEach(async () => {
  directory = await tempDirectory()
  await start()
})

const ENV = { ...process.env, NO_COLOR: '1', MAGNETAR_PREFIX: '', PULSAR_CONFIG_DIR: '' }

function run(...words: string[]) {
  const args = [LAUNCHER, ...words, '--config', directory]
  return runCommand(process.execPath, args, { timeoutMs: 60_000, env: ENV, cwd: directory })
}

async function submit(id: string, command: string): Promise<void> {
  await client.setup(id)
  await client.submit(id, command)
}

/** Runs until the file `go` is there, however its server fares. */
const held = (): string => `echo out; echo err >&2; until [ -e '${directory}/go' ]; do sleep 0.1; done`

async function untilStatus(id: string, wanted: string): Promise<void> {
  await waitFor(async () => (await client.status(id)).status === wanted, { what: `${id} ${wanted}` })
}

describe('magnetar status and jobs', () => {
  it('tell of a server that runs', async () => {
    await submit('one', held())
    await submit('two', held())
    await submit('three', 'true')
    await untilStatus('one', 'running')
    await untilStatus('two', 'running')
    const status = await run('status')
    expect(status).toMatchObject({ code: 0, stderr: '' })
    expect(status.stdout).toMatch(/^Node +running, pid \d+, up /)
    expect(status.stdout).toContain(server.url)
    expect(status.stdout).toContain('local, 2 at a time')
    expect(status.stdout).toMatch(/^Jobs +1 queued · 2 running$/m)
    expect(status.stdout).not.toContain('\u001b')

    const jobs = await run('jobs')
    expect(jobs.stdout.split('\n').map((line) => line.split(/ +/).slice(0, 3).join(' '))).toEqual([
      'ID TOOL STATE',
      'one - running',
      'two - running',
      'three - queued',
      '',
    ])
    const json = JSON.parse((await run('jobs', '--json', '--state', 'running')).stdout)
    expect(json).toMatchObject({ running: true, jobs: [{ id: 'one' }, { id: 'two' }] })

    // First the one that waits: the place of the other would be its turn.
    const cancelled = await run('jobs', 'cancel', 'three', 'one', 'on')
    expect(cancelled.code).toBe(1)
    expect(cancelled.stdout).toBe('three: cancelled\none: cancelled\n')
    expect(cancelled.stderr).toContain('there is no job on. Is one meant?')
    expect((await client.status('one')).status).toBe('cancelled')
    expect((await client.status('three')).status).toBe('cancelled')

    const shown = await run('jobs', 'show', 'two')
    expect(shown.stdout).toMatch(/^Job +two · running$/m)
    expect(shown.stdout).toMatch(/Last lines of stdout\n {2}out\n/)
    writeFileSync(path.join(directory, 'go'), '')
    await client.untilDone('two')
    expect((await run('jobs', 'clean', 'two')).code).toBe(2)
    expect((await run('jobs', 'clean', 'two', '--yes')).stdout).toBe('two: removed\n')
    expect((await run('jobs', 'show', 'two')).code).toBe(1)
  })

  it('tell what the records of a killed server say, and leave them as they are', async () => {
    await submit('one', held())
    await submit('two', 'exit 3')
    await untilStatus('one', 'running')
    await client.untilDone('two')
    await server.kill9()
    const store = path.join(directory, 'persisted_data', 'magnetar-store')
    const before = readdirSync(store).sort()
    const status = await run('status')
    expect(status.code).toBe(1)
    expect(status.stdout).toMatch(/^Node +The server is not running; this is what its records say\.$/m)
    expect(status.stdout).toMatch(/^Jobs +1 running · 1 complete$/m)
    const jobs = await run('jobs')
    expect(jobs.stderr).toContain('The server is not running')
    expect(jobs.stdout).toMatch(/^one .* running/m)
    expect((await run('jobs', 'show', 'two')).stdout).toMatch(/^Return code +3$/m)
    const cancel = await run('jobs', 'cancel', 'one')
    expect(cancel).toMatchObject({ code: 1, stdout: '' })
    expect(cancel.stderr).toContain('[NODE_NOT_RUNNING]')
    expect(readdirSync(store).sort()).toEqual(before)

    writeFileSync(path.join(directory, 'go'), '')
    await start()
    expect((await client.untilDone('one')).status).toBe('complete')
    expect((await run('jobs')).stdout).toMatch(/^one .* complete/m)
  })

  it('do not wait for a server that hangs: records are read, and nothing is changed', async () => {
    await submit('one', held())
    await untilStatus('one', 'running')
    const file = path.join(directory, 'app.yml')
    const before = readFileSync(file, 'utf8')
    process.kill(server.pid, 'SIGSTOP')
    const [status, json, jobs, shown, cancel, rotate, audit] = await Promise.all([
      run('status'),
      run('status', '--json'),
      run('jobs'),
      run('jobs', 'show', 'one'),
      run('jobs', 'cancel', 'one'),
      run('token', 'rotate'),
      run('audit'),
    ])
    process.kill(server.pid, 'SIGCONT')
    expect(status.code).toBe(1)
    expect(status.stdout).toMatch(/^Node +The server does not answer; this is what its records say\./m)
    expect(status.stdout).toMatch(/^Jobs +1 /m)
    expect(JSON.parse(json.stdout)).toMatchObject({ running: false, silent: true })
    expect(jobs.stderr).toContain('The server does not answer; this is what its records say.')
    expect(jobs.stdout).toMatch(/^one /m)
    expect(shown.stdout).toMatch(/^Job +one · /m)
    for (const each of [cancel, rotate, audit]) {
      expect(each).toMatchObject({ code: 1, stdout: '' })
      expect(each.stderr).toContain('the server does not answer (5 s)')
      expect(each.stderr).toContain('[NODE_SILENT]')
    }
    expect(rotate.stderr).toContain('nothing was changed')
    expect(readFileSync(file, 'utf8')).toBe(before)
    expect((await run('status')).code).toBe(0)
    writeFileSync(path.join(directory, 'go'), '')
    await client.untilDone('one')
  })

  it('say who may ask, and what is not understood', async () => {
    for (const [words, code, message] of [
      [['jobs', '--state', 'walking'], 2, 'there is no such state'],
      [['jobs', '--manager', 'nobody'], 2, 'there is no manager nobody'],
      [['jobs', 'expire', '--older-than', 'long'], 2, 'expected a length of time'],
      [['logs', '--since', 'yesterday-ish'], 2, 'expected a time'],
      [['logs'], 1, 'LOG_NOT_FOUND'],
      [['token', 'show'], 2, 'no private token'],
    ] as const) {
      const result = await run(...words)
      expect(result.stderr, words.join(' ')).toContain(message)
      expect(result.code, words.join(' ')).toBe(code)
    }
    if (process.getuid?.() === 0) return
    chmodSync(path.join(directory, 'persisted_data', 'magnetar-control'), 0)
    expect((await run('jobs')).code).toBe(4)
  })

  it('write the changes of jobs as lines into a pipe, until they are interrupted', async () => {
    const child = spawn(process.execPath, [LAUNCHER, 'jobs', '--watch', '-c', directory], { env: ENV })
    onTestFinished(() => void child.kill('SIGKILL'))
    let text = ''
    child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk
    })
    await submit('one', held())
    await waitFor(() => /^[\d-]+ [\d:]+ one running - -$/m.test(text), { what: `running in ${text}` })
    writeFileSync(path.join(directory, 'go'), '')
    await waitFor(() => /^[\d-]+ [\d:]+ one complete/m.test(text), { what: 'complete' })
    await server.kill9()
    await waitFor(() => text.includes('The server is not running'), { what: 'word of its end' })
    await start()
    await waitFor(() => text.includes('The server runs.'), { what: 'word of its start' })
    expect(text.match(/one complete/g)).toHaveLength(1)
    expect(text).not.toContain('\u001b')
    child.kill('SIGINT')
    expect(await once(child, 'exit')).toEqual([0, null])
  })
})

describe('magnetar token', () => {
  it('lets two tokens in until --finish, without a restart and without writing either down elsewhere', async () => {
    const allows = async (token: string): Promise<boolean> =>
      (await fetch(new URL('healthz', server.url), { headers: { Authorization: `Bearer ${token}` } })).ok
    // As admins write it: one in JSON is not edited.
    const file = path.join(directory, 'app.yml')
    const options = Object.entries(JSON.parse(readFileSync(file, 'utf8')) as object)
    writeFileSync(file, options.map(([key, value]) => `${key}: ${JSON.stringify(value)}\n`).join(''))
    expect(await allows('')).toBe(true)
    expect((await run('token', 'rotate')).stdout).toContain('has a private token now')
    const first = (await run('token', 'show')).stdout.trim()
    expect(first).toMatch(/^[\w-]{43}$/)
    expect([await allows(first), await allows('other')]).toEqual([true, false])

    const rotated = await run('token', 'rotate')
    expect(rotated.stdout).toContain('without a restart')
    const second = (await run('token', 'show')).stdout.trim()
    expect(second).not.toBe(first)
    expect([await allows(first), await allows(second), await allows('other')]).toEqual([true, true, false])
    expect((await run('token', 'rotate')).code).toBe(2)

    const finished = await run('token', 'rotate', '--finish')
    expect(finished.code).toBe(0)
    expect([await allows(first), await allows(second)]).toEqual([false, true])
    expect(JSON.parse((await run('token', 'rotate', '--finish', '--json')).stdout)).toMatchObject({
      finished: false,
    })
    const said = rotated.stdout + rotated.stderr + finished.stdout + finished.stderr + server.logs()
    expect(said).not.toContain(first)
    expect(said).not.toContain(second)
    expect(readFileSync(file, 'utf8')).not.toContain(first)
  })

  it('is taken up with a SIGHUP too', async () => {
    const file = path.join(directory, 'app.yml')
    const config = JSON.parse(readFileSync(file, 'utf8'))
    writeFileSync(file, JSON.stringify({ ...config, private_token: 'by-hand' }))
    const seen = server.whenLogged(/private tokens in the configuration: 1/)
    process.kill(server.pid, 'SIGHUP')
    await seen
    await waitFor(async () => (await fetch(new URL('healthz', server.url))).status === 401, { what: '401' })
  })
})

describe('magnetar logs', () => {
  const line = (time: string, msg: string, job?: string): string =>
    `${JSON.stringify({ level: 'info', time, pid: 1, ...(job ? { job } : {}), msg })}\n`

  it('shows the log of server.ini by job and time, and follows it over a rotation', async () => {
    const log = path.join(directory, 'server.log')
    appendFileSync(path.join(directory, 'server.ini'), `[uwsgi]\nlogto = ${log}\n`)
    const old = new Date(Date.now() - 7_200_000).toISOString()
    const now = new Date().toISOString()
    writeFileSync(`${log}.1`, line(old, 'before the rotation', '1'))
    writeFileSync(log, `${line(now, 'of one', '1')}${line(now, 'of eleven', '11')}not a line of ours\n`)
    expect((await run('logs', '--job', '1')).stdout).toMatch(
      /^\S+ \S+ INFO {4}job 1: before the rotation\n\S+ \S+ INFO {4}job 1: of one\n$/,
    )
    expect((await run('logs', '--since', '1h')).stdout.split('\n')).toHaveLength(4)
    expect((await run('logs', '-n', '1')).stdout).toContain('of eleven\nnot a line of ours\n')

    const child = spawn(process.execPath, [LAUNCHER, 'logs', '-f', '-c', directory], { env: ENV })
    onTestFinished(() => void child.kill('SIGKILL'))
    let text = ''
    child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk
    })
    await waitFor(() => text.includes('of eleven'), { what: 'the lines that are there' })
    appendFileSync(log, line(now, 'followed'))
    await waitFor(() => text.includes('followed'), { what: 'a new line' })
    renameSync(log, `${log}.1`)
    appendFileSync(`${log}.1`, line(now, 'into the old file'))
    writeFileSync(log, line(now, 'into the new file'))
    await waitFor(() => text.includes('into the new file'), { what: 'a line of the new file' })
    expect(text.indexOf('into the old file')).toBeLessThan(text.indexOf('into the new file'))
    expect(text.match(/followed/g)).toHaveLength(1)
    child.kill('SIGINT')
    expect(await once(child, 'exit')).toEqual([0, null])
  })

  it('reads what was moved away until there is a new file', async () => {
    const log = path.join(directory, 'server.log')
    appendFileSync(path.join(directory, 'server.ini'), `[uwsgi]\nlogto = ${log}\n`)
    const now = new Date().toISOString()
    writeFileSync(`${log}.1`, line(now, 'moved away', '1'))
    expect((await run('logs')).stdout).toMatch(/job 1: moved away\n$/)
    expect((await run('logs', '--job', '1')).stdout.match(/moved away/g)).toHaveLength(1)
  })

  it("reads lines in the format of Python's logging", async () => {
    const log = path.join(directory, 'server.log')
    appendFileSync(path.join(directory, 'server.ini'), `[uwsgi]\nlogto = ${log}\n`)
    const text = [
      '2026-01-02 03:04:05,678 INFO  [pulsar] job 1: running',
      '2026-01-02 03:04:06,678 ERROR [pulsar] job 12: it broke',
      '    at somewhere',
      '2026-01-02 03:04:07,678 INFO  [pulsar] job 1: complete',
    ]
    writeFileSync(log, `${text.join('\n')}\n`)
    expect((await run('logs')).stdout).toBe(`${text.join('\n')}\n`)
    expect((await run('logs', '--job', '12')).stdout).toBe(`${text.slice(1, 3).join('\n')}\n`)
    expect((await run('logs', '--since', '2026-01-02 03:04:07')).stdout).toBe(`${text[3]}\n`)
  })
})
