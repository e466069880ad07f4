import { existsSync, readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { expect, it } from 'vitest'
import { generated } from '../helpers/job-files/content.js'
import { startJobFilesServer } from '../helpers/job-files-server.js'
import { createPulsarClient } from '../helpers/pulsar-client.js'
import { tempDirectory } from '../helpers/temp-directory.js'
import { waitFor } from '../helpers/wait-for.js'
import { startMagnetar } from '../peers/magnetar-server.js'

const JOBS = 20
const FILES = 50
const FILE_BYTES = 64 * 1024
/** transfers_at_once */
const AT_ONCE = 8
/** What each of them may hold open: its connection, the file, its directory, and the same of one that is just ending. */
const DESCRIPTORS_EACH = 6
/** Threads that were started meanwhile, jobs that run, this client's connections. */
const DESCRIPTORS_MORE = 48

/** Measured 197 to 230, of which 66 before the first job. */
const MOST_MIB = 256

/** Open descriptors and the most memory that a process has had, MiB. */
function usageOf(pid: number): { readonly descriptors: number; readonly peakMib: number } {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8')
  return {
    descriptors: readdirSync(`/proc/${pid}/fd`).length,
    peakMib: Number(/^VmHWM:\s+(\d+) kB/m.exec(status)?.[1]) / 1024,
  }
}

it('stages twenty jobs of fifty files at once with few connections, descriptors and memory', async () => {
  const directory = await tempDirectory()
  const galaxy = await startJobFilesServer()
  const server = await startMagnetar({
    directory,
    app: { manager: { num_concurrent_jobs: 4, preprocess_action_interval_start: 0.1 } },
  })
  const client = createPulsarClient(server.url)
  const ids = Array.from({ length: JOBS }, (_, at) => `job-${at}`)
  const names = Array.from({ length: FILES }, (_, at) => `f${at}.dat`)
  for (const [at, name] of names.entries()) galaxy.serve(`/galaxy/${name}`, generated(FILE_BYTES, at))
  const before = usageOf(server.pid)
  const most = { connections: 0, requests: 0, descriptors: 0 }
  let open = 0
  let isHeld = true
  galaxy.events.on('request', () => {
    open++
    most.requests = Math.max(most.requests, open)
    most.connections = Math.max(most.connections, galaxy.connections.size)
    most.descriptors = Math.max(most.descriptors, usageOf(server.pid).descriptors)
  })
  galaxy.events.on('over', () => open--)
  // Until all jobs are there nothing ends, so that all of them are staging at once.
  galaxy.plan = () => (isHeld ? { kind: 'slow', bytesPerSecond: 1 } : undefined)
  for (const id of ids) {
    const job = await client.setup(id)
    const setup = names.map((name) => ({
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
      setup,
      action_mapper: { default_action: 'remote_transfer', files_endpoint: galaxy.endpoint, paths: [] },
      client_outputs: {
        working_directory: `/galaxy/${id}`,
        output_files: names.map((name) => `/galaxy/${id}/${name}`),
      },
    }
    const query = new URLSearchParams({
      job_id: id,
      remote_staging: JSON.stringify(staging),
      command_line: `cp '${job.inputs_directory}'/* '${job.outputs_directory}'`,
    })
    const response = await fetch(new URL(`jobs/${id}/submit?${query}`, server.url), { method: 'POST' })
    expect(response.status).toBe(200)
  }
  await waitFor(() => open === AT_ONCE, { what: 'as many transfers as are allowed' })
  isHeld = false
  for (const socket of galaxy.connections) socket.destroy()
  for (const id of ids)
    expect(await client.untilDone(id)).toMatchObject({ status: 'complete', returncode: 0 })
  const after = usageOf(server.pid)
  expect(galaxy.uploads.size).toBe(JOBS * FILES)
  expect(new Set([...galaxy.uploads.values()].map(({ bytes }) => bytes))).toEqual(new Set([FILE_BYTES]))
  expect(existsSync(path.join(directory, 'staging', 'job-0', 'inputs', 'f49.dat'))).toBe(true)
  expect(most.requests).toBe(AT_ONCE)
  expect(most.connections).toBeLessThanOrEqual(AT_ONCE)
  expect(most.descriptors - before.descriptors).toBeLessThanOrEqual(
    AT_ONCE * DESCRIPTORS_EACH + DESCRIPTORS_MORE,
  )
  expect(after.peakMib).toBeLessThan(MOST_MIB)
  await server.stop()
}, 120_000)
