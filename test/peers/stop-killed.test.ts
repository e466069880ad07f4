import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { realpath } from 'node:fs/promises'
import path from 'node:path'
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest'
import {
  compileFaults,
  createFaultLayer,
  type Fault,
  type FaultLayer,
  missingCompiler,
} from '../chaos/faults/faults.js'
import { needs } from '../helpers/needs.js'
import { createPulsarClient } from '../helpers/pulsar-client.js'
import type { ServerProcess } from '../helpers/server-process.js'
import { tempDirectory } from '../helpers/temp-directory.js'
import { waitFor } from '../helpers/wait-for.js'
import { startMagnetar } from './magnetar-server.js'
import { findPulsarVenv } from './pulsar-venv.js'
import { startPythonPulsar } from './python-pulsar.js'

// A clean stop leaves jobs to a Python Pulsar, and for that touches what they write. Wherever it ends, no output is lost.

const found = findPulsarVenv()
const RUNNING = ['one']
const APP = { managers: { _default_: { type: 'queued_python', num_concurrent_jobs: RUNNING.length } } }

let node: string
let go: string

beforeEach(async () => {
  const directory = await realpath(await tempDirectory())
  node = path.join(directory, 'node')
  go = path.join(directory, 'go')
  mkdirSync(node)
})

const stagingFile = (...names: string[]): string => path.join(node, 'staging', ...names)
const start = (env: Readonly<Record<string, string>> = {}): Promise<ServerProcess> =>
  startMagnetar({ directory: node, app: APP, env })

/** One job that runs, has written something and will write more, and one that waits. */
async function submitJobs({ url }: ServerProcess): Promise<void> {
  const client = createPulsarClient(url)
  for (const id of [...RUNNING, 'waits']) {
    await client.setup(id)
    const wait = `until [ -e '${go}' ]; do sleep 0.05; done`
    await client.submit(
      id,
      `printf x >> '${node}/${id}.runs'; echo ${id}; echo ${id} >&2; ${wait}; echo more; echo more >&2; (exit 3)`,
    )
  }
  for (const id of RUNNING)
    await waitFor(() => readStream(id, 'job_stderr') === `${id}\n`, { what: `output of ${id}` })
}

async function expectAllRight({ url }: ServerProcess): Promise<void> {
  writeFileSync(go, '')
  const client = createPulsarClient(url)
  for (const id of [...RUNNING, 'waits']) {
    const text = `${id}\nmore\n`
    expect(await client.untilDone(id)).toMatchObject({
      status: 'complete',
      returncode: 3,
      job_stdout: text,
      job_stderr: text,
    })
  }
}

function readStream(id: string, name: string): string {
  const file = stagingFile(id, 'metadata', name)
  return existsSync(file) ? readFileSync(file, 'utf8') : `no ${name}`
}

/** What the running jobs have written, as a client would be shown it. */
function streams(): string[] {
  return RUNNING.flatMap((id) => ['job_stdout', 'job_stderr'].map((name) => readStream(id, name)))
}

const WRITTEN = RUNNING.flatMap((id) => [`${id}\n`, `${id}\n`])

describe('a stop that is cut off', needs(missingCompiler()), () => {
  /** Every step of a stop that another program can see is one of these. */
  const STEPS = ['create', 'rename', 'unlink', 'symlink'] as const
  let layer: FaultLayer

  beforeEach(() => {
    const beside = path.join(path.dirname(node), 'faults')
    mkdirSync(beside)
    const { library } = compileFaults(beside) as { library: string }
    layer = createFaultLayer(library, beside, node)
    onTestFinished(() => layer.close())
  })

  async function startBelow(): Promise<ServerProcess> {
    layer.reset()
    return start(layer.env)
  }

  /** Starts a server and stops it; with `fault`, that is met after `from`. */
  async function stopWith(server: ServerProcess, fault: Fault): Promise<boolean> {
    layer.arm(fault)
    await server.stop()
    return layer.disarm().met > 0
  }

  it('loses no output, whichever step was its last, of the stop or of the start after it', {
    timeout: 300_000,
  }, async () => {
    let server = await startBelow()
    await submitJobs(server)
    let met = true
    let at = 0
    while (met) {
      at += 1
      met = await stopWith(server, { operations: STEPS, at, effect: 'kill before' })
      server = await startBelow()
      expect(streams(), `killed before step ${at}`).toEqual(WRITTEN)
    }
    expect(at).toBeGreaterThan(15)
    await expectAllRight(server)
  })

  it('nor does the start that takes the jobs back', async () => {
    let server = await startBelow()
    await submitJobs(server)
    let met = true
    for (let at = 1; met; at++) {
      await server.stop()
      layer.reset()
      layer.arm({ operations: ['rename'], at, effect: 'kill before' })
      const started = await start(layer.env).catch(() => undefined)
      met = layer.disarm().met > 0
      await started?.kill9()
      server = await startBelow()
      expect(streams(), `killed before step ${at}`).toEqual(WRITTEN)
    }
    await expectAllRight(server)
  })

  it(
    'leaves jobs that a Python Pulsar finds to it, and what that makes of them counts',
    needs(found.missing),
    async () => {
      if (!found.venv) throw new Error(found.missing)
      const server = await startBelow()
      await submitJobs(server)
      // The first says that jobs are about to be left, the second that they have been.
      expect(await stopWith(server, { operations: ['sync'], at: 2, effect: 'kill before' })).toBe(true)
      const python = await startPythonPulsar(found.venv, { directory: node, app: APP })
      await expectAllRight(python)
      await python.stop()
      await expectAllRight(await start())
      for (const id of [...RUNNING, 'waits'])
        expect(readFileSync(path.join(node, `${id}.runs`), 'utf8')).toBe('x')
    },
  )
})

it('a job that cannot be put into the index of a Python Pulsar keeps its output', async () => {
  const index = path.join(node, 'persisted_data', '_default_-active-jobs')
  const server = await start()
  await submitJobs(server)
  rmSync(index, { recursive: true })
  writeFileSync(index, 'not a directory')
  await server.stop()
  expect(streams()).toEqual(WRITTEN)
  rmSync(index)
  await expectAllRight(await start())
})
