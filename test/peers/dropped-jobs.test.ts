import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import { readProcesses, workingDirectoryOf } from '../../src/schedulers/process-table.js'
import { contentOf } from '../helpers/job-files/content.js'
import { startJobFilesServer } from '../helpers/job-files-server.js'
import { needs } from '../helpers/needs.js'
import { createPulledJob, wrongOutputs } from '../helpers/pulled-job.js'
import { createPulsarClient } from '../helpers/pulsar-client.js'
import type { ServerProcess } from '../helpers/server-process.js'
import { tempDirectory } from '../helpers/temp-directory.js'
import { waitFor } from '../helpers/wait-for.js'
import { startMagnetar } from './magnetar-server.js'
import { findPulsarVenv } from './pulsar-venv.js'
import { startPythonPulsar } from './python-pulsar.js'

// A Python server that is started while its jobs run drops them from its index and lets them go on: then Magnetar comes.

const found = findPulsarVenv()
const IDS = ['runs', 'pulled', 'ends-early', 'pulled-ends-early', 'cancelled', 'cleaned'] as const
const TIMEOUT_MS = 30_000

/** By its group, as in a power cut of the service. */
async function kill(server: ServerProcess): Promise<void> {
  process.kill(-server.pid, 'SIGKILL')
  await server.kill9()
}

it(
  'jobs that a restarted Python server has dropped while they run go on in Magnetar, end right, can be ended, and ran once',
  needs(found.missing),
  async () => {
    const { venv } = found
    if (!venv) throw new Error(found.missing)
    const directory = await tempDirectory()
    const galaxy = await startJobFilesServer()
    mkdirSync(path.join(directory, 'gates'))
    mkdirSync(path.join(directory, 'counts'))
    const gate = (id: string): string => path.join(directory, 'gates', id)
    const count = (id: string): string => {
      const file = path.join(directory, 'counts', id)
      return existsSync(file) ? readFileSync(file, 'utf8') : ''
    }
    const processesOf = (id: string): number[] =>
      readProcesses().flatMap(({ pid }) =>
        workingDirectoryOf(pid)?.startsWith(path.join(directory, 'staging', id)) ? [pid] : [],
      )
    onTestFinished(() => {
      for (const pid of processesOf('')) process.kill(pid, 'SIGKILL')
    })
    const pulled = new Map(
      IDS.filter((id) => id.startsWith('pulled')).map((id) => {
        const file = { action: 'remote_transfer', content: contentOf(`input of ${id}\n`) } as const
        return [id as string, createPulledJob(galaxy, id, [file], ['remote_transfer'], begin(id))] as const
      }),
    )
    function begin(id: string): string {
      return `echo run >> '${directory}/counts/${id}'; read -r _ < '${gate(id)}'; echo passed >> '${directory}/counts/${id}'`
    }
    const open = (id: string): void => writeFileSync(gate(id), 'go\n')

    const first = await startPythonPulsar(venv, { directory })
    const before = createPulsarClient(first.url)
    for (const id of IDS) {
      execFileSync('mkfifo', [gate(id)])
      const job = pulled.get(id)
      await before.setup(id)
      await before.submit(id, job?.commandLine ?? `${begin(id)}; (exit 3)`, job?.remoteStaging)
    }
    for (const id of IDS)
      await waitFor(async () => (await before.status(id)).status === 'running' && count(id) !== '', {
        what: `run of ${id}`,
        timeoutMs: TIMEOUT_MS,
      })
    await kill(first)
    const second = await startPythonPulsar(venv, { directory })
    const index = path.join(directory, 'persisted_data', '_default_-active-jobs')
    await waitFor(() => readdirSync(index).length === 0, {
      what: 'index without the jobs',
      timeoutMs: TIMEOUT_MS,
    })
    for (const id of ['ends-early', 'pulled-ends-early']) {
      open(id)
      await waitFor(() => existsSync(path.join(directory, 'staging', id, 'return_code')), {
        what: `end of ${id}`,
        timeoutMs: TIMEOUT_MS,
      })
    }
    await kill(second)

    const magnetar = await startMagnetar({ directory })
    const client = createPulsarClient(magnetar.url)
    for (const id of ['runs', 'pulled', 'cancelled', 'cleaned'])
      await waitFor(async () => (await client.status(id)).status === 'running', {
        what: `${id} that is watched`,
        timeoutMs: TIMEOUT_MS,
      })
    await client.submit('runs', begin('runs'))
    await client.cancel('cancelled')
    await client.clean('cleaned')
    for (const id of ['cancelled', 'cleaned'])
      await waitFor(() => processesOf(id).length === 0, {
        what: `end of the processes of ${id}`,
        timeoutMs: TIMEOUT_MS,
      })
    for (const id of ['runs', 'pulled']) open(id)
    for (const id of ['runs', 'pulled', 'ends-early', 'pulled-ends-early']) {
      const job = pulled.get(id)
      expect(await client.untilDone(id), id).toMatchObject({ status: 'complete', returncode: job ? 0 : 3 })
      if (job) expect(wrongOutputs(galaxy, job), id).toEqual([])
      expect(count(id), id).toBe('run\npassed\n')
    }
    for (const id of ['cancelled', 'cleaned']) expect(count(id), id).toBe('run\n')
    expect((await client.status('cancelled')).status).toBe('cancelled')
    expect(existsSync(path.join(directory, 'staging', 'cleaned'))).toBe(false)
    expect(await magnetar.stop()).toBe(0)
  },
)
