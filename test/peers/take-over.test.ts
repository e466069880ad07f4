import { execFileSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { beforeEach, describe, expect, it } from 'vitest'
import { contentOf } from '../helpers/job-files/content.js'
import { type JobFilesServer, startJobFilesServer } from '../helpers/job-files-server.js'
import { needs } from '../helpers/needs.js'
import { createPulledJob, wrongOutputs } from '../helpers/pulled-job.js'
import { createPulsarClient } from '../helpers/pulsar-client.js'
import type { ServerProcess } from '../helpers/server-process.js'
import { tempDirectory } from '../helpers/temp-directory.js'
import { waitFor } from '../helpers/wait-for.js'
import { startMagnetar } from './magnetar-server.js'
import { findPulsarVenv } from './pulsar-venv.js'
import { startPythonPulsar } from './python-pulsar.js'

// A node whose files are travelling is stopped in one server, and the other goes on with the job.

const found = findPulsarVenv()

let directory: string
let galaxy: JobFilesServer

beforeEach(async () => {
  directory = await tempDirectory()
  galaxy = await startJobFilesServer()
  galaxy.serve('/galaxy/a.dat', 'first ')
  galaxy.serve('/galaxy/b.dat', 'second')
})

const magnetar = (): Promise<ServerProcess> => startMagnetar({ directory })
const python = async (): Promise<ServerProcess> => {
  if (!found.venv) throw new Error(found.missing)
  return startPythonPulsar(found.venv, { directory })
}
/** As in a power cut: gunicorn alone would wait for transfers for half a minute. */
const kill = async (server: ServerProcess): Promise<void> => {
  process.kill(-server.pid, 'SIGKILL')
  await server.kill9()
}
const stop = async (server: ServerProcess): Promise<void> => {
  expect(await server.stop()).toBe(0)
}

async function submit(server: ServerProcess): Promise<void> {
  const job = await createPulsarClient(server.url).setup('7')
  const inputs = ['a.dat', 'b.dat'].map((name) => ({
    name,
    type: 'input',
    action: {
      path: `/galaxy/${name}`,
      source: { path: `/galaxy/${name}` },
      action_type: 'remote_transfer',
      url: galaxy.fileUrl(`/galaxy/${name}`),
    },
  }))
  const staging = {
    setup: inputs,
    action_mapper: {
      default_action: 'remote_transfer',
      files_endpoint: galaxy.endpoint,
      ssh_user: null,
      ssh_host: null,
      ssh_port: null,
      paths: [],
    },
    client_outputs: {
      working_directory: '/galaxy/w',
      metadata_directory: null,
      job_directory: null,
      work_dir_outputs: [],
      output_files: ['/galaxy/one.dat', '/galaxy/two.dat'],
      version_file: null,
      dynamic_outputs: null,
      dynamic_file_sources: null,
      dataset_collector_descriptions: [],
    },
  }
  const query = new URLSearchParams({
    job_id: '7',
    command_line: [
      `echo run >> '${directory}/runs'`,
      `cat '${job.inputs_directory}/a.dat' '${job.inputs_directory}/b.dat' > '${job.outputs_directory}/one.dat'`,
      `echo more > '${job.outputs_directory}/two.dat'`,
    ].join('; '),
    remote_staging: JSON.stringify(staging),
    setup_params: JSON.stringify({ job_id: '7', tool_id: 'cat1', tool_version: '1.0' }),
  })
  const response = await fetch(new URL(`jobs/7/submit?${query}`, server.url), { method: 'POST' })
  expect(response.status).toBe(200)
}

/** The phase has moved one file and hangs at the next. */
async function untilHanging(server: ServerProcess, file: string): Promise<void> {
  galaxy.plan = (request) => (request.path === file ? { kind: 'hang', after: 3 } : undefined)
  await submit(server)
  const client = createPulsarClient(server.url)
  await waitFor(
    async () => {
      // The Python server without a message queue only moves on when it is asked.
      await client.status('7')
      return galaxy.log.some((request) => request.path === file && request.method !== 'HEAD')
    },
    { what: `request for ${file}`, timeoutMs: 30_000 },
  )
  galaxy.plan = () => undefined
}

async function expectRight(server: ServerProcess): Promise<void> {
  const status = await createPulsarClient(server.url).untilDone('7')
  expect(status).toMatchObject({ status: 'complete', returncode: 0 })
  const delivered = [...galaxy.uploads].map(([name, { content }]) => [name, content?.toString()])
  expect(delivered.sort()).toEqual([
    ['/galaxy/one.dat', 'first second'],
    ['/galaxy/two.dat', 'more\n'],
  ])
  expect(readFileSync(path.join(directory, 'runs'), 'utf8')).toBe('run\n')
}

const indexed = (): string[] =>
  ['active', 'preprocessing', 'postprocessing'].flatMap((kind) =>
    readdirSync(path.join(directory, 'persisted_data', `_default_-${kind}-jobs`)).map(
      (id) => `${kind}/${id}`,
    ),
  )

describe.each([
  { phase: 'inputs are fetched', file: '/galaxy/b.dat', kind: 'preprocessing' },
  { phase: 'outputs are delivered', file: '/galaxy/two.dat', kind: 'postprocessing' },
])('a job whose $phase', needs(found.missing), ({ file, kind }) => {
  it('is ended by the Python server after a clean stop of Magnetar, and stays ended in Magnetar', async () => {
    const first = await magnetar()
    await untilHanging(first, file)
    await stop(first)
    expect(indexed()).toEqual([`${kind}/7`])
    const second = await python()
    await expectRight(second)
    await kill(second)
    const posts = galaxy.log.length
    const third = await magnetar()
    await expectRight(third)
    await stop(third)
    expect(galaxy.log).toHaveLength(posts)
    expect(indexed()).toEqual([])
  })

  it('is ended by Magnetar after the Python server was killed, and goes when it is cleaned', async () => {
    const first = await python()
    await untilHanging(first, file)
    await kill(first)
    expect(indexed()).toEqual([`${kind}/7`])
    const second = await magnetar()
    await expectRight(second)
    expect(indexed()).toEqual([])
    await fetch(new URL('jobs/7', second.url), { method: 'DELETE' })
    expect(existsSync(path.join(directory, 'staging', '7'))).toBe(false)
    await stop(second)
  })

  it('goes on in Magnetar when the Python server, which went on with it, was killed in the same phase', async () => {
    const first = await magnetar()
    await untilHanging(first, file)
    await stop(first)
    const asked = galaxy.log.length
    galaxy.plan = () => ({ kind: 'hang', after: 3 })
    const second = await python()
    await waitFor(() => galaxy.log.length > asked, {
      what: 'request of the Python server',
      timeoutMs: 30_000,
    })
    await kill(second)
    galaxy.plan = () => undefined
    const third = await magnetar()
    await expectRight(third)
    await stop(third)
  })
})

it(
  'a job whose command ends its own shell after the Python server is failed for what is known, with its outputs',
  needs(found.missing),
  async () => {
    const first = await python()
    const gate = path.join(directory, 'gate')
    execFileSync('mkfifo', [gate])
    const job = createPulledJob(
      galaxy,
      '7',
      [{ action: 'remote_transfer', content: contentOf('input\n') }],
      ['remote_transfer'],
    )
    const client = createPulsarClient(first.url)
    await client.setup('7')
    const command = `${job.commandLine}; read -r _ < '${gate}'; exit 3`
    await client.submit('7', command, job.remoteStaging)
    await waitFor(async () => (await client.status('7')).status === 'running', {
      what: 'running job',
      timeoutMs: 30_000,
    })
    await kill(first)
    const second = await magnetar()
    const there = createPulsarClient(second.url)
    await waitFor(async () => (await there.status('7')).status === 'running', { what: 'job that is watched' })
    writeFileSync(gate, 'go\n')
    const status = await there.untilDone('7')
    expect(status).toMatchObject({ status: 'failed', returncode: null })
    expect(status.stderr).toMatch(
      /its command ended the shell of the job by itself \(exit\), or it was killed/,
    )
    expect(wrongOutputs(galaxy, job)).toEqual([])
    await stop(second)
  },
)
