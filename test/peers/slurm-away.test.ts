import { mkdir, readFile, realpath, rm } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { describe, expect, it } from 'vitest'
import { runCommand } from '../../src/lib/exec.js'
import { runSlurm } from '../chaos/kinds/slurm.js'
import { needs } from '../helpers/needs.js'
import { createPulsarClient } from '../helpers/pulsar-client.js'
import { tempDirectory } from '../helpers/temp-directory.js'
import { waitFor } from '../helpers/wait-for.js'
import { findSlurm } from './find-slurm.js'
import { startMagnetar } from './magnetar-server.js'
import { startPrivateSlurm } from './private-slurm.js'

/* The second is a sample of what `npm run test:chaos -- --kind slurm` does for as long as it is told to. */
const SEED = 3

describe('a node whose Slurm is taken away', needs(findSlurm().missing), () => {
  it('waits, and says for what, when jobs are submitted and run while the controller is down', async () => {
    const directory = await tempDirectory()
    const cluster = await startPrivateSlurm(await tempDirectory())
    try {
      const app = { managers: { _default_: { type: 'slurm' } } }
      const server = await startMagnetar({ directory, app, env: cluster.env })
      const client = createPulsarClient(server.url)
      await client.setup('runs')
      await client.submit('runs', `until [ -e '${directory}/go' ]; do sleep 0.1; done`)
      await waitFor(async () => (await client.status('runs')).status === 'running', { what: 'running job' })
      await cluster.signal('slurmctld', 'TERM')
      await client.setup('comes')
      await client.submit('comes', 'true')
      const reasons = async (): Promise<Record<string, string | undefined>> => {
        const args = [resolve('bin', 'magnetar.js'), 'jobs', '--json', '--config', directory]
        const { stdout } = await runCommand(process.execPath, args, { timeoutMs: 60_000 })
        const { jobs } = JSON.parse(stdout) as { jobs: readonly { id: string; reason?: string }[] }
        return Object.fromEntries(jobs.map(({ id, reason }) => [id, reason]))
      }
      const seen = await waitFor(
        async () => {
          const found = await reasons()
          return found.comes && found.runs ? found : undefined
        },
        { what: 'reasons', timeoutMs: 60_000 },
      )
      expect(seen.comes).toMatch(/^not handed over yet, .*slurm controller/i)
      expect(seen.runs).toMatch(/^keeps its state until the scheduler answers: .*slurm controller/i)
      await cluster.startController()
      await runCommand('touch', [`${directory}/go`], { timeoutMs: 10_000 })
      for (const id of ['comes', 'runs'])
        expect(await client.untilDone(id)).toMatchObject({ status: 'complete', returncode: 0 })
    } finally {
      await cluster.stop()
    }
  })

  it('launches a job again, once, of which a controller that comes back without its state knows nothing', async () => {
    const [directory, place] = [await tempDirectory(), await tempDirectory()]
    const cluster = await startPrivateSlurm(place)
    try {
      const app = { managers: { _default_: { type: 'slurm', return_code_wait: 1 } } }
      const server = await startMagnetar({ directory, app, env: cluster.env })
      const client = createPulsarClient(server.url)
      const setNode = (...words: string[]): Promise<string> =>
        cluster.run('scontrol', 'update', `NodeName=${cluster.nodeName}`, ...words)
      await setNode('State=DRAIN', 'Reason=held')
      await client.setup('7')
      await client.submit('7', `echo run >> '${directory}/runs'`)
      const ids = (): Promise<string> => cluster.run('squeue', '-h', '-o', '%i')
      await waitFor(async () => (await ids()) !== '', { what: 'job in the queue' })
      await cluster.signal('slurmctld', 'TERM')
      await rm(join(place, 'state'), { recursive: true })
      await mkdir(join(place, 'state'))
      await cluster.startController()
      await setNode('State=RESUME').catch(() => {})
      expect(await client.untilDone('7')).toMatchObject({ status: 'complete', returncode: 0 })
      expect(await readFile(join(directory, 'runs'), 'utf8')).toBe('run\n')
      expect(server.logs()).toContain('never began: it is launched again')
      expect(await server.stop()).toBe(0)
    } finally {
      await cluster.stop()
    }
  })

  it('ends each job right, or failed with the true reason, once', async () => {
    const { violations, counts } = await runSlurm(
      {
        seed: SEED,
        deadlineMs: 0,
        signal: new AbortController().signal,
        directory: await realpath(await tempDirectory()),
        most: 1,
        note() {},
      },
      { jobs: 8, troubles: 4 },
    )
    expect(violations).toEqual([])
    expect(counts.jobs).toBe(8)
  })
})
