import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { silentLogger } from '../../../src/lib/log.js'
import { SchedulerDown, type SchedulerReport, SubmitRejected } from '../../../src/schedulers/scheduler.js'
import { NotAsked } from '../../../src/schedulers/slurm/breaker.js'
import type { SlurmService } from '../../../src/schedulers/slurm/service.js'
import { createSlurmScheduler } from '../../../src/schedulers/slurm/slurm.js'
import type { SlurmRecord } from '../../../src/schedulers/slurm/squeue.js'
import type { WantedJobs } from '../../../src/schedulers/slurm/state-query.js'
import { tempDirectory } from '../../helpers/temp-directory.js'

const { signal } = new AbortController()
const answered = { code: 0, signal: null, stdout: '55\n', stderr: '', timedOut: false, truncated: false }

async function setUp() {
  const directory = await tempDirectory()
  const workingDirectory = join(directory, 'working')
  await mkdir(workingDirectory)
  const job = {
    jobId: '7',
    name: 'n7',
    directory,
    workingDirectory,
    script: join(directory, 's'),
    stdout: '/o',
    stderr: '/e',
  }
  const world = {
    sbatches: 0,
    lists: 0,
    queue: [] as SlurmRecord[],
    failure: undefined as Error | undefined,
    scancels: 0,
    asked: [] as WantedJobs[],
    answers: new Map<string, SchedulerReport>(),
    warnings: [] as string[],
  }
  const service: SlurmService = {
    async run({ program }) {
      if (program === 'scancel') world.scancels += 1
      else world.sbatches += 1
      if (world.failure) throw world.failure
      return answered
    },
    stateQuery: {
      isNew: () => {},
      async ask(_client, jobs) {
        world.asked.push(jobs)
        return world.answers
      },
      async list() {
        world.lists += 1
        return world.queue
      },
      forget: () => {},
    },
    submitsPerSecond: () => 0,
    probe: async () => ({ ok: true, summary: 'slurm' }),
    close: () => {},
  }
  const log = { ...silentLogger, warn: (...args: unknown[]) => world.warnings.push(String(args.at(-1))) }
  const manager = { jobParameters: { walltime: '5' }, nativeSpecification: '-p ours' }
  return { world, job, scheduler: createSlurmScheduler(manager, service, log) }
}

function queued(job: { name: string; workingDirectory: string }, id: string, state = 'PENDING'): SlurmRecord {
  const { name, workingDirectory } = job
  return { id, baseId: id, state, reason: 'None', exitStatus: undefined, name, workingDirectory }
}

describe('submitting to Slurm', () => {
  it('finds the job that a Python server submitted, from its own directory, by its script', async () => {
    const { world, job, scheduler } = await setUp()
    world.queue.push({ ...queued({ name: 'other', workingDirectory: '/srv' }, '44'), script: job.script })
    const found = await scheduler.recover([{ ...job, externalId: undefined }], signal)
    expect(found.get(job.jobId)).toBe('44')
  })

  it('looks whether the job is there before it submits again after an sbatch without an answer', async () => {
    const { world, job, scheduler } = await setUp()
    world.failure = new SchedulerDown('sbatch did not answer in time')
    await expect(scheduler.submit(job, signal)).rejects.toThrow(SchedulerDown)
    world.failure = undefined
    world.queue.push(
      queued({ ...job, workingDirectory: '/elsewhere' }, '40'),
      queued(job, '41', 'COMPLETED'),
      queued(job, '42'),
    )
    expect(await scheduler.submit(job, signal)).toBe('42')
    expect(world).toMatchObject({ sbatches: 1, lists: 1 })
  })

  it('takes the id that the running script has written', async () => {
    const { world, job, scheduler } = await setUp()
    world.failure = new SchedulerDown('sbatch did not answer in time')
    await expect(scheduler.submit(job, signal)).rejects.toThrow(SchedulerDown)
    await writeFile(join(job.directory, 'started'), '43:1:2:ab-cd\n')
    expect(await scheduler.submit(job, signal)).toBe('43')
    expect(world).toMatchObject({ sbatches: 1, lists: 0 })
  })

  it('submits again when the job is not there, and at once when it was never asked for', async () => {
    const { world, job, scheduler } = await setUp()
    world.failure = new SchedulerDown('no answer')
    await expect(scheduler.submit(job, signal)).rejects.toThrow(SchedulerDown)
    world.failure = undefined
    expect(await scheduler.submit(job, signal)).toBe('55')
    expect(world).toMatchObject({ sbatches: 2, lists: 1 })
    world.failure = new NotAsked('still down')
    await expect(scheduler.submit(job, signal)).rejects.toThrow(SchedulerDown)
    world.failure = undefined
    expect(await scheduler.submit(job, signal)).toBe('55')
    expect(world.lists).toBe(1)
  })

  it('gives the ids of a restart back as they are recorded, and looks for the others only', async () => {
    const { world, job, scheduler } = await setUp()
    const recorded = { ...job, jobId: '8', externalId: '80' }
    expect(await scheduler.recover([recorded], signal)).toEqual(new Map([['8', '80']]))
    expect(world.lists).toBe(0)
    world.queue.push(queued(job, '42', 'RUNNING'))
    const found = await scheduler.recover([recorded, { ...job, externalId: undefined }], signal)
    expect(found).toEqual(
      new Map([
        ['8', '80'],
        ['7', '42'],
      ]),
    )
  })

  it('warns once of parameters that it does not know, and of a native specification that it drops', async () => {
    const { world, job, scheduler } = await setUp()
    expect(world.warnings).toEqual([expect.stringContaining('job_walltime')])
    expect(scheduler.headers(job, { native_specification: '-p theirs' })).not.toContain('#SBATCH -p theirs')
    expect(world.warnings).toEqual([expect.anything(), expect.stringContaining('-p theirs')])
    expect(() => scheduler.headers({ ...job, stdout: 'a\0' }, {})).toThrow(SubmitRejected)
  })
})

describe('an id that Slurm, back without its newest state, has given again', () => {
  it('is asked for with what makes the job ours, also after its end was told', async () => {
    const { world, job, scheduler } = await setUp()
    const id = await scheduler.submit(job, signal)
    world.answers.set(id, { state: 'ended', exitCode: 0 })
    await scheduler.states([id], signal)
    await scheduler.states([id], signal)
    const { name, workingDirectory, script } = job
    expect(world.asked.map((jobs) => jobs.get(id))).toEqual([
      { name, workingDirectory, script },
      { name, workingDirectory, script },
    ])
  })

  it('is not cancelled, as it means the job of somebody else', async () => {
    const { world, job, scheduler } = await setUp()
    const id = await scheduler.submit(job, signal)
    world.answers.set(id, { state: 'gone', forgotten: true })
    await scheduler.cancel(id, signal)
    expect(world.scancels).toBe(0)
    world.answers.set(id, { state: 'queued' })
    await scheduler.cancel(id, signal)
    expect(world.scancels).toBe(1)
  })

  it('is given back after a restart to the one of two jobs that has it in the queue', async () => {
    const { world, job, scheduler } = await setUp()
    const earlier = { ...job, jobId: '6', name: 'n6', script: '/j/6/s', externalId: '55' }
    world.queue.push(queued(job, '55'))
    const found = await scheduler.recover([earlier, { ...job, externalId: '55' }], signal)
    expect(found).toEqual(new Map([['7', '55']]))
    await scheduler.states(['55'], signal)
    expect(world.asked[0]?.get('55')).toMatchObject({ name: 'n7' })
  })
})
