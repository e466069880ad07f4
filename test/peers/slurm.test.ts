import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { silentLogger } from '../../src/lib/log.js'
import { type Scheduler, SchedulerDown, SubmitRejected } from '../../src/schedulers/scheduler.js'
import { openSlurm } from '../../src/schedulers/slurm/service.js'
import { createSlurmScheduler } from '../../src/schedulers/slurm/slurm.js'
import { describeScheduler } from '../conformance/scheduler.js'
import {
  lineOf,
  release,
  reportOf,
  signal,
  UNTIL_RELEASED,
  waitForState,
  writeJob,
} from '../conformance/scheduler-job.js'
import { needs } from '../helpers/needs.js'
import { tempDirectory } from '../helpers/temp-directory.js'
import { waitFor } from '../helpers/wait-for.js'
import { findSlurm } from './find-slurm.js'
import { type PrivateSlurm, startPrivateSlurm } from './private-slurm.js'

const { missing } = findSlurm()
let slurm: PrivateSlurm | undefined

beforeAll(async () => {
  if (missing === undefined) slurm = await startPrivateSlurm(await tempDirectory())
})
afterAll(() => slurm?.stop())

function theSlurm(): PrivateSlurm {
  if (!slurm) throw new Error('no private Slurm')
  return slurm
}

async function open(nativeSpecification?: string, log = silentLogger): Promise<Scheduler> {
  const timeoutsMs = { sbatch: 3000, squeue: 3000, scancel: 3000, scontrol: 1000 }
  const service = openSlurm({ log, env: { ...process.env, ...theSlurm().env }, timeoutsMs })
  return createSlurmScheduler({ jobParameters: {}, nativeSpecification }, service, log)
}

describeScheduler('Slurm', {
  missing,
  open: () => open(),
  openBlocked: () => open('--hold'),
  unknownId: '66000000',
  tells: false,
  // Without cgroups Slurm knows a job's processes by their group only.
  endsOtherSessions: false,
})

describe('Slurm', needs(missing), () => {
  it('says which Slurm it is', async () => {
    const probe = await (await open()).probe(signal)
    expect(probe.summary).toMatch(/^slurm \d+\.\d+\S*, partition debug, 1 node$/)
  })

  it.each([
    ['partition', '--partition=nosuch', 'invalid partition specified: nosuch'],
    ['memory', '--mem=900G', 'Memory specification can not be satisfied'],
    ['node', '--nodelist=nosuch', 'Invalid node name specified'],
    ['time', '--time=soon', 'Invalid --time specification'],
    ['other', '--bogus', "unrecognized option '--bogus'"],
  ] as const)('refuses a job with a wrong %s for good, in the words of Slurm', async (kind, native, words) => {
    const scheduler = await open(native)
    const job = await writeJob(scheduler, await tempDirectory(), 'r1', ':')
    const refusal = await scheduler.submit(job, signal).catch((error: unknown) => error)
    expect(refusal).toBeInstanceOf(SubmitRejected)
    expect(refusal).toMatchObject({ kind, message: expect.stringContaining(words) })
  })

  it('keeps --no-requeue, the name and the directory, whatever the native specification says', async () => {
    const scheduler = await open('--requeue --job-name=other --chdir=/')
    const job = await writeJob(scheduler, await tempDirectory(), 'k1', UNTIL_RELEASED)
    const id = await scheduler.submit(job, signal)
    const shown = await theSlurm().run('scontrol', 'show', 'job', id)
    expect(shown).toContain('Requeue=0')
    expect(shown).toContain(`JobName=${job.name}`)
    expect(shown).toContain(`WorkDir=${job.workingDirectory}\n`)
    await scheduler.cancel(id, signal)
  })

  it('reports a job that others cancelled as ended by Slurm', async () => {
    const scheduler = await open()
    const job = await writeJob(scheduler, await tempDirectory(), 'l1', UNTIL_RELEASED)
    const id = await scheduler.submit(job, signal)
    await waitForState(scheduler, id, 'running')
    await theSlurm().run('scancel', id)
    const report = await waitForState(scheduler, id, 'ended')
    expect(report.failure).toContain('CANCELLED')
    expect(report.exitCode).toBe(-15)
  })

  it('reports output files that cannot be made, and a script killed by a signal', async () => {
    const scheduler = await open()
    const root = await tempDirectory()
    const unwritable = await writeJob(scheduler, root, 'm1', ':')
    const broken = { ...unwritable, stdout: join(root, 'missing', 'out') }
    const text = (await readFile(unwritable.script, 'utf8')).replaceAll(unwritable.stdout, broken.stdout)
    const { writeFile } = await import('node:fs/promises')
    await writeFile(unwritable.script, text)
    const killed = await writeJob(scheduler, root, 'm2', 'kill -9 $$')
    const [brokenId, killedId] = [
      await scheduler.submit(broken, signal),
      await scheduler.submit(killed, signal),
    ]
    expect((await waitForState(scheduler, brokenId, 'ended')).failure).toContain('could not start the job')
    const report = await waitForState(scheduler, killedId, 'ended')
    expect(report).toMatchObject({ exitCode: -9, failure: expect.stringContaining('signal 9') })
  })

  it('reports the failure of a node, without running the job again', async () => {
    const scheduler = await open()
    const job = await writeJob(scheduler, await tempDirectory(), 'n1', UNTIL_RELEASED)
    const id = await scheduler.submit(job, signal)
    await waitForState(scheduler, id, 'running')
    await lineOf(job, 'runs')
    const { run, nodeName } = theSlurm()
    await run('scontrol', 'update', `nodename=${nodeName}`, 'state=down', 'reason=test')
    onTestFinished(async () => {
      await waitFor(
        async () => {
          await run('scontrol', 'update', `nodename=${nodeName}`, 'state=resume').catch(() => {})
          return /idle/.test(await run('sinfo', '-h', '-o', '%T'))
        },
        { what: 'node that is up again', timeoutMs: 30_000 },
      )
    })
    expect((await waitForState(scheduler, id, 'ended')).failure).toContain('NODE_FAIL')
    expect(await lineOf(job, 'runs')).toBe('run')
  })

  it('counts a suspended job as queued', async () => {
    const scheduler = await open()
    const job = await writeJob(scheduler, await tempDirectory(), 'o1', UNTIL_RELEASED)
    const id = await scheduler.submit(job, signal)
    await waitForState(scheduler, id, 'running')
    await theSlurm().run('scontrol', 'suspend', id)
    expect(await waitForState(scheduler, id, 'queued')).toEqual({ state: 'queued' })
    await theSlurm().run('scontrol', 'resume', id)
    await release(job)
    await waitForState(scheduler, id, 'ended')
  })

  it('finds queued jobs, whose script has left no trace yet, by script, or name and directory', async () => {
    const before = await open('--hold')
    const job = await writeJob(before, await tempDirectory(), 'p1', ':')
    const id = await before.submit(job, signal)
    await before.close()
    const after = await open()
    const unknown = { ...job, externalId: undefined }
    const found = await after.recover(
      [
        unknown,
        // A Python Pulsar has submitted it from another directory.
        { ...unknown, jobId: 'p2', workingDirectory: '/' },
        { ...unknown, jobId: 'p3', script: '/elsewhere/command.sh' },
        { ...unknown, jobId: 'p4', script: '/elsewhere/command.sh', workingDirectory: '/' },
      ],
      signal,
    )
    expect(found).toEqual(new Map(['p1', 'p2', 'p3'].map((each) => [each, id])))
    await after.cancel(id, signal)
  })

  it('takes an id that means another job now for gone', async () => {
    const scheduler = await open()
    const job = await writeJob(scheduler, await tempDirectory(), 'q1', ':')
    const id = await scheduler.submit(job, signal)
    await waitForState(scheduler, id, 'ended')
    const after = await open()
    const another = { ...job, name: 'another', script: '/another/command.sh', externalId: id }
    await after.recover([another], signal)
    expect(await reportOf(after, id)).toEqual({ state: 'gone', forgotten: true })
  })
})

describe('Slurm, when its controller is away', needs(missing), () => {
  it.each([
    'STOP',
    'TERM',
  ] as const)('says so at once after the first time (%s), warns once, and goes on when it is back', async (how) => {
    const lines: string[] = []
    const note = (line: unknown) => lines.push(String(line))
    const log = { ...silentLogger, warn: note, info: note }
    const scheduler = await open(undefined, log)
    const job = await writeJob(scheduler, await tempDirectory(), `s${how}`, UNTIL_RELEASED)
    const id = await scheduler.submit(job, signal)
    await waitForState(scheduler, id, 'running')

    await theSlurm().signalController(how)
    await waitFor(
      () =>
        scheduler.states([id], signal).then(
          () => false,
          (error) => error instanceof SchedulerDown,
        ),
      {
        what: 'word that Slurm is down',
      },
    )
    const begunMs = performance.now()
    for (let n = 0; n < 20; n++)
      await expect(scheduler.states([id], signal)).rejects.toBeInstanceOf(SchedulerDown)
    await expect(scheduler.submit(job, signal)).rejects.toBeInstanceOf(SchedulerDown)
    await expect(scheduler.cancel(id, signal)).rejects.toBeInstanceOf(SchedulerDown)
    // 22 calls that block for the 3 s of their timeout would take a minute.
    expect(performance.now() - begunMs).toBeLessThan(20_000)

    if (how === 'STOP') await theSlurm().signalController('CONT')
    else await theSlurm().startController()
    const back = await waitFor(() => reportOf(scheduler, id).catch(() => undefined), {
      what: 'answer of Slurm',
      timeoutMs: 60_000,
    })
    expect(back).toEqual({ state: 'running' })
    expect(lines).toEqual([
      expect.stringContaining('Slurm does not answer'),
      expect.stringContaining('Slurm answers again'),
    ])
    await release(job)
    expect(await waitForState(scheduler, id, 'ended')).toMatchObject({ exitCode: 0 })
  })
})
