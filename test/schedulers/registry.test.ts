import { describe, expect, it } from 'vitest'
import type { ManagerConfig } from '../../src/config/types.js'
import { silentLogger } from '../../src/lib/log.js'
import { createScheduler, createSlurmService, isLocal } from '../../src/schedulers/index.js'
import { managerConfig } from '../helpers/manager.js'

const base = managerConfig('/s', { numConcurrentJobs: 4 })

async function create(config: Partial<ManagerConfig>, hasSlurm = false) {
  const slurm = createSlurmService({ log: silentLogger })
  try {
    return await createScheduler(
      { ...base, ...config },
      { log: silentLogger, slurm, hasSlurm: async () => hasSlurm },
    )
  } finally {
    await slurm.close()
  }
}

describe('the registry of schedulers', () => {
  it('makes local schedulers with the limit of the manager', async () => {
    const { signal } = new AbortController()
    expect(await (await create({})).probe(signal)).toEqual({ ok: true, summary: 'local, 4 at a time' })
    const unlimited = await create({ type: 'unqueued', numConcurrentJobs: Number.POSITIVE_INFINITY })
    expect(await unlimited.probe(signal)).toEqual({ ok: true, summary: 'local, no limit' })
    expect(await (await create({ numConcurrentJobs: 0 })).probe(signal)).toMatchObject({ ok: false })
  })

  it.each([
    { type: 'slurm' },
    { type: 'queued_cli', jobPlugin: 'Slurm' },
    { type: 'queued_cli', jobPlugin: 'Slurm', shellPlugin: 'LocalShell' },
    { type: 'queued_drmaa' },
    { type: 'queued_drmaa_xsede' },
  ] as const)('makes Slurm of %j, where there is one', async (config) => {
    const scheduler = await create(config, true)
    const job = {
      jobId: '1',
      name: 'n',
      directory: '/j',
      workingDirectory: '/j/w',
      stdout: '/j/o',
      stderr: '/j/e',
    }
    expect(scheduler.headers(job, {})).toContain('#SBATCH -J n')
  })

  it.each([
    [{ type: 'queued_cli', jobPlugin: 'Torque' }, 'job_plugin: Torque'],
    [{ type: 'queued_cli' }, 'job_plugin: (not set)'],
    [{ type: 'queued_cli', jobPlugin: 'Slurm', shellPlugin: 'SecureShell' }, 'shell_plugin: SecureShell'],
    [{ type: 'queued_drmaa' }, 'type: queued_drmaa where there is no sbatch'],
    [{ type: 'queued_external_drmaa' }, 'type: queued_external_drmaa'],
    [{ type: 'queued_condor' }, 'type: queued_condor'],
    [{ type: 'coexecution' }, 'type: coexecution'],
  ] as const)('refuses %j by name', async (config, words) => {
    await expect(create(config)).rejects.toMatchObject({
      code: 'SCHEDULER_UNSUPPORTED',
      message: expect.stringContaining(words),
    })
  })

  it('knows which jobs run on this machine', () => {
    expect([
      isLocal({ type: 'unqueued' }),
      isLocal({ type: 'queued_python' }),
      isLocal({ type: 'slurm' }),
    ]).toEqual([true, true, false])
  })
})
