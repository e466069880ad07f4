import { describe, expect, it } from 'vitest'
import type { ManagerConfig } from '../../src/config/types.js'
import { type Logger, silentLogger } from '../../src/lib/log.js'
import { createScheduler, createSlurmService, isLocal } from '../../src/schedulers/index.js'
import { managerConfig } from '../helpers/manager.js'
import { libraryProgram } from '../peers/drmaa/build-library.js'

const base = managerConfig('/s', { numConcurrentJobs: 4 })

const job = {
  jobId: '1',
  name: 'n',
  directory: '/j',
  workingDirectory: '/j/w',
  stdout: '/j/o',
  stderr: '/j/e',
}

async function create(config: Partial<ManagerConfig>, hasSlurm = false, log = silentLogger) {
  const slurm = createSlurmService({ log: silentLogger })
  try {
    return await createScheduler(
      { ...base, ...config },
      { log, slurm, hasSlurm: async () => hasSlurm, drmaaProgram: libraryProgram },
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
  ] as const)('makes Slurm of %j, where there is one', async (config) => {
    const scheduler = await create(config, true)
    expect(scheduler.headers(job, {})).toContain('#SBATCH -J n')
  })

  it.each([
    [{ type: 'queued_external_drmaa' }, 'type: queued_external_drmaa'],
  ] as const)('refuses %j by name', async (config, words) => {
    await expect(create(config)).rejects.toMatchObject({
      code: 'SCHEDULER_UNSUPPORTED',
      message: expect.stringContaining(words),
    })
  })

  it.each([
    'queued_drmaa',
    'queued_drmaa_xsede',
  ] as const)('makes Slurm of %s where its library is missing, says so once, and translates the native specification', async (type) => {
    const lines: [object, string][] = []
    const log: Logger = {
      ...silentLogger,
      warn: (...line: unknown[]) => lines.push(line as never),
      child: () => log,
    }
    const config = {
      type,
      drmaaLibraryPath: '/nowhere/libdrmaa.so',
      nativeSpecification: '--time=1:30 -p long',
    }
    const scheduler = await create(config, true, log)
    expect(scheduler.headers(job, { time: '5' })).toEqual([
      '#SBATCH -o /j/o',
      '#SBATCH -e /j/e',
      '#SBATCH -J n',
      '#SBATCH --time=1:30:00 -p long',
    ])
    expect(lines).toEqual([
      [
        { code: 'DRMAA_UNUSABLE' },
        expect.stringMatching(/nowhere\/libdrmaa\.so.*Slurm's own commands instead/),
      ],
    ])
  })

  it('refuses a DRMAA manager without its library where there is no Slurm, or Slurm may not do', async () => {
    const config = { type: 'queued_drmaa', drmaaLibraryPath: '/nowhere/libdrmaa.so' } as const
    await expect(create(config)).rejects.toMatchObject({
      code: 'DRMAA_UNUSABLE',
      message: expect.stringMatching(/manager _default_: .*nowhere.* no sbatch to use instead/),
    })
    await expect(create({ ...config, drmaaFallback: false }, true)).rejects.toMatchObject({
      code: 'DRMAA_UNUSABLE',
      message: expect.stringContaining('drmaa_fallback: false'),
    })
  })

  it.each([
    [{ type: 'queued_cli', jobPlugin: 'Torque' }, 'job_plugin: Torque'],
    [{ type: 'queued_cli' }, 'job_plugin: (not set)'],
    [{ type: 'queued_cli', jobPlugin: 'Slurm', shellPlugin: 'SecureShell' }, 'shell_plugin: SecureShell'],
    [{ type: 'queued_condor' }, 'type: queued_condor'],
    [{ type: 'coexecution' }, 'type: coexecution'],
  ] as const)('refuses the jobs of %j by name, and concludes nothing of earlier ones', async (config, words) => {
    const scheduler = await create(config)
    const { signal } = new AbortController()
    const job = {
      jobId: '1',
      name: 'n',
      directory: '/j',
      workingDirectory: '/j/w',
      stdout: '/o',
      stderr: '/e',
    }
    const submission = { ...job, script: '/j/command.sh' }
    const message = expect.stringContaining(`cannot run jobs with ${words}`)
    await expect(scheduler.submit(submission, signal)).rejects.toMatchObject({
      name: 'SubmitRejected',
      message,
    })
    const asked = [
      scheduler.states(['7'], signal),
      scheduler.recover([{ ...submission, externalId: '7' }], signal),
      scheduler.cancel('7', signal),
    ]
    for (const each of asked) await expect(each).rejects.toMatchObject({ name: 'SchedulerDown' })
  })

  it('knows which jobs run on this machine', () => {
    expect([
      isLocal({ type: 'unqueued' }),
      isLocal({ type: 'queued_python' }),
      isLocal({ type: 'slurm' }),
    ]).toEqual([true, true, false])
  })
})
