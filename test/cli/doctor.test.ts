import { chmodSync, mkdirSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { delimiter, join, resolve } from 'node:path'
import { beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { createDoctorLines } from '../../src/cli/doctor/render.js'
import { widthOf } from '../../src/cli/wrap.js'
import { EXAMINATIONS } from '../../src/doctor/examinations/index.js'
import { freePort } from '../helpers/free-port.js'
import { type CommandResult, runCommand } from '../helpers/run-command.js'
import { tempDirectory } from '../helpers/temp-directory.js'
import { startMagnetar } from '../peers/magnetar-server.js'
import { writeNodeConfig } from '../peers/pulsar-config.js'

const program = resolve('bin', 'magnetar.js')
const env = {
  MAGNETAR_PREFIX: '',
  http_proxy: '',
  https_proxy: '',
  HTTP_PROXY: '',
  HTTPS_PROXY: '',
  ALL_PROXY: '',
  all_proxy: '',
}
const doctor = (words: readonly string[], more: Record<string, string> = {}): Promise<CommandResult> =>
  runCommand(process.execPath, [program, 'doctor', ...words], { env: { ...env, ...more } })

interface Found {
  readonly id: string
  readonly state: string
  readonly message: string
  readonly command: string | null
}

let directory: string
const wrong = async (words: readonly string[], more: Record<string, string> = {}): Promise<Found[]> => {
  const { output } = await doctor(['--config', directory, '--json', ...words], more)
  const { findings } = JSON.parse(output) as { findings: Found[] }
  return findings.filter(({ state }) => state === 'warn' || state === 'fail')
}

/** A Galaxy that answers anything, at some other time. */
async function startGalaxy(offMs: number): Promise<string> {
  const server: Server = createServer((_request, response) => {
    response.setHeader('date', new Date(Date.now() + offMs).toUTCString()).end('Galaxy')
  })
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening))
  onTestFinished(() => void server.close())
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
}

describe('magnetar doctor on a node of one user', () => {
  beforeAll(async () => {
    directory = await tempDirectory()
    await startMagnetar({ directory, app: { private_token: 'foo' } })
    chmodSync(join(directory, 'app.yml'), 0o600)
  })

  it('finds nothing wrong with a healthy one, in lines for a pipe', async () => {
    const { exitCode, output } = await doctor(['--config', directory])
    expect(exitCode, output).toBe(0)
    expect(output).not.toMatch(/[✖!\x1b]/)
    expect(output.split('\n').at(-2)).toMatch(/^No problems\. \d+ examinations in .*s\.$/)
    expect(output).not.toContain('foo')
  })

  it('says nothing of it with --quiet, all with --json', async () => {
    expect(await doctor(['--config', directory, '--quiet'])).toEqual({ exitCode: 0, output: '' })
    const { output } = await doctor(['--config', directory, '--json'])
    expect(JSON.parse(output)).toMatchObject({ ok: true, exitCode: 0, problems: 0, warnings: 0, mended: [] })
  })

  it('a clock that is off, seen by the answers of Galaxy; a right one is fine', async () => {
    const off = await wrong(['--galaxy-url', await startGalaxy(600_000)])
    expect(off).toMatchObject([
      { id: 'clock-off', state: 'fail', command: expect.stringMatching(/set-ntp true|chrony/) },
    ])
    expect(off[0]?.message).toMatch(/^it is 10 minutes behind that of 127\.0\.0\.1:\d+$/)
    expect(await wrong(['--galaxy-url', await startGalaxy(0)])).toEqual([])
  })

  it('a Galaxy that it does not reach, given or known from a job', async () => {
    const origin = `http://127.0.0.1:${await freePort()}`
    expect(await wrong(['--galaxy-url', origin])).toMatchObject([{ id: 'galaxy-unreachable', state: 'fail' }])
    const job = join(directory, 'staging', 'known')
    mkdirSync(job)
    onTestFinished(async () => void (await runCommand('rm', ['-r', job])))
    const endpoint = `${origin}/api/jobs/1/files?job_key=secret`
    writeFileSync(
      join(job, 'launch_config'),
      JSON.stringify({ remote_staging: { action_mapper: { files_endpoint: endpoint } } }),
    )
    const [known] = await wrong([])
    expect(known).toMatchObject({ id: 'galaxy-unreachable', command: `curl -sSI ${origin}` })
    expect(JSON.stringify(known)).not.toContain('secret')
  })

  it('a file system that does not answer: the rest is examined all the same', async () => {
    const shims = await tempDirectory()
    const staging = join(directory, 'staging')
    // As a look at a dead NFS: it never ends, nor by SIGTERM.
    const shim = `#!/bin/sh\ntrap '' TERM\ncase "$*" in *${staging}*) while :; do sleep 1; done;; esac\nexec /usr/bin/stat "$@"\n`
    writeFileSync(join(shims, 'stat'), shim, { mode: 0o755 })
    const found = await wrong([], { PATH: `${shims}${delimiter}${process.env.PATH}` })
    expect(found.map(({ id }) => id)).toEqual(['disk-stuck'])
    expect(found[0]?.message).toBe(`the file system of ${staging} does not answer`)
  })

  it('a mistake on the command line', async () => {
    expect((await doctor(['--config', directory, '--galaxy-url', 'galaxy'])).exitCode).toBe(2)
    expect((await doctor([])).exitCode).toBe(2)
    expect((await doctor(['--config', '/nowhere'])).exitCode).toBe(78)
  })
})

describe('magnetar doctor and a Conda that is not there', () => {
  it('is silent where nobody asked for one, and names it where packages are to be installed', async () => {
    directory = await tempDirectory()
    await writeNodeConfig({ directory }, await freePort())
    writeFileSync(join(directory, 'app.yml'), 'conda_auto_init: false\nconda_auto_install: true\n')
    const found = await wrong([])
    expect(found.map(({ id }) => id)).toEqual(['port-closed', 'conda-missing'])
    const { exitCode } = await runCommand(process.execPath, [
      program,
      ...(found[1]?.command ?? '').split(' ').slice(1),
    ])
    expect(exitCode).toBe(0)
    expect((await wrong([])).map(({ id }) => id)).toEqual(['port-closed'])
  })
})

it('names a server that hangs, and how it goes on', async () => {
  directory = await tempDirectory()
  const server = await startMagnetar({ directory, app: { private_token: 'foo' } })
  chmodSync(join(directory, 'app.yml'), 0o600)
  process.kill(server.pid, 'SIGSTOP')
  const found = await wrong([]).finally(() => process.kill(server.pid, 'SIGCONT'))
  expect(found).toMatchObject([
    {
      id: 'server-silent',
      state: 'fail',
      message: expect.stringContaining(`(process ${server.pid} was stopped)`),
      command: `kill -CONT ${server.pid}`,
    },
  ])
})

describe('magnetar doctor without a server', () => {
  it('says that nothing listens and how to start it, and what else is wrong', async () => {
    directory = await tempDirectory()
    await writeNodeConfig({ directory, app: { private_token: 'foo', managr: 1 } }, await freePort())
    chmodSync(join(directory, 'app.yml'), 0o600)
    const found = await wrong([])
    expect(found.map(({ id }) => id)).toEqual(['config-warning', 'port-closed'])
    expect(found[1]?.command).toBe(
      `${program} serve --config ${directory}${process.getuid?.() === 0 ? ' --allow-root' : ''}`,
    )
  })

  it('something else has the port', async () => {
    directory = await tempDirectory()
    const port = Number(new URL(await startGalaxy(0)).port)
    await writeNodeConfig({ directory }, port)
    expect(await wrong([])).toMatchObject([
      { id: 'port-taken', state: 'fail', command: `kill ${process.pid}` },
    ])
  })
})

it('every line but commands fits into 80 columns', () => {
  const written: string[] = []
  const stream = { isTTY: true, columns: 80, write: (more: string) => void written.push(more) }
  const lines = createDoctorLines(stream, { NO_COLOR: '1' }, false)
  for (const examination of EXAMINATIONS)
    lines.add({
      examination,
      findings: [
        {
          id: examination.id,
          state: 'fail',
          message: 'many words '.repeat(20).trim(),
          fix: { text: 'some words '.repeat(20).trim(), command: 'true' },
        },
      ],
      ms: 1,
    })
  const text = written.join('')
  for (const line of text.split('\n')) expect(widthOf(line), line).toBeLessThan(80)
  for (const { title } of EXAMINATIONS) expect(text).toContain(`✖ ${title} `)
})
