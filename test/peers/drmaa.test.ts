import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { type Logger, silentLogger } from '../../src/lib/log.js'
import { createDrmaaScheduler } from '../../src/schedulers/drmaa/drmaa.js'
import { createLibrary, type DrmaaLibrary, type LibraryOptions } from '../../src/schedulers/drmaa/library.js'
import {
  type Scheduler,
  SchedulerDown,
  type SchedulerReport,
  SubmitRejected,
} from '../../src/schedulers/scheduler.js'
import { lineOf, release, reportOf, signal, UNTIL_RELEASED, writeJob } from '../conformance/scheduler-job.js'
import { needs } from '../helpers/needs.js'
import { tempDirectory } from '../helpers/temp-directory.js'
import { waitFor } from '../helpers/wait-for.js'
import { buildDrmaa, drmaaMissing, libraryProgram, type TestDrmaa } from './drmaa/build-library.js'

const missing = drmaaMissing()

describe('DRMAA, when the library does wrong', needs(missing), () => {
  let drmaa: TestDrmaa

  beforeAll(async () => {
    drmaa = await buildDrmaa(await tempDirectory())
  })
  afterEach(() => drmaa.behave())
  afterAll(() => drmaa?.stop())

  interface Opened {
    readonly scheduler: Scheduler
    readonly library: DrmaaLibrary
    readonly lines: string[]
  }

  async function open(
    more: Partial<LibraryOptions> & {
      settleMs?: number
      nativeSpecification?: string
      confirmMs?: number
    } = {},
  ): Promise<Opened> {
    const lines: string[] = []
    const note = (...line: unknown[]) => void lines.push(String(line.at(-1)))
    const log: Logger = { ...silentLogger, warn: note, info: note }
    const { settleMs = 0, nativeSpecification, confirmMs = 100, ...limits } = more
    const library = createLibrary({
      path: drmaa.library,
      log,
      program: libraryProgram,
      callLimitMs: 1000,
      firstPauseMs: 10,
      maxPauseMs: 100,
      ...limits,
    })
    await library.open()
    const options = { nativeSpecification, minPollingIntervalMs: 20, confirmMs, settleMs }
    const scheduler = createDrmaaScheduler(options, library, log)
    onTestFinished(() => scheduler.close())
    return { scheduler, library, lines }
  }

  function waitForState(
    scheduler: Scheduler,
    id: string,
    state: 'running' | 'ended',
  ): Promise<SchedulerReport> {
    return waitFor(
      async () => {
        const report = await reportOf(scheduler, id).catch(expectDown)
        return report?.state === state && report
      },
      { what: `state ${state} of ${id}`, timeoutMs: 30_000 },
    )
  }

  /** As the jobs room does it. */
  function submitUntilAnswered(
    scheduler: Scheduler,
    job: Parameters<Scheduler['submit']>[0],
  ): Promise<string> {
    return waitFor(() => scheduler.submit(job, signal).catch(expectDown), { what: `submit of ${job.jobId}` })
  }

  it('keeps every state, says so once, and goes on in a new process when the library crashes', async () => {
    const { scheduler, library, lines } = await open()
    const job = await writeJob(scheduler, await tempDirectory(), 'a1', UNTIL_RELEASED)
    const id = await scheduler.submit(job, signal)
    await waitForState(scheduler, id, 'running')
    const { pid } = library
    await drmaa.tell('crash-job_ps')
    await waitFor(
      async () => {
        await reportOf(scheduler, id).catch(() => {})
        return lines.length > 0
      },
      {
        what: 'word of the crash',
      },
    )
    const during = await scheduler.states([id], signal).catch((error: unknown) => error)
    if (during instanceof Map) expect([undefined, { state: 'running' }]).toContainEqual(during.get(id))
    else expect(during).toBeInstanceOf(SchedulerDown)
    drmaa.untell('crash-job_ps')
    await release(job)
    expect(await waitForState(scheduler, id, 'ended')).toEqual({ state: 'ended' })
    expect(library.pid).not.toBe(pid)
    expect(lines).toEqual([
      expect.stringMatching(
        /^the DRMAA library fails: drmaa_job_ps ended its process \(signal SIGSEGV: .*crash in job_ps\); jobs keep their state/,
      ),
      expect.stringContaining('answers again'),
    ])
  })

  it('ends a process that hangs, within the time limit, and nothing else waits for it', async () => {
    const { scheduler, library, lines } = await open({ callLimitMs: 300 })
    const job = await writeJob(scheduler, await tempDirectory(), 'b1', UNTIL_RELEASED)
    const id = await scheduler.submit(job, signal)
    await waitForState(scheduler, id, 'running')
    const pid = library.pid ?? 0
    await drmaa.tell('hang-control')
    await expect(scheduler.cancel(id, signal)).rejects.toBeInstanceOf(SchedulerDown)
    expect(lines[0]).toContain('drmaa_control was not answered within 0.3 s')
    await waitFor(() => !isThere(pid), { what: 'end of the process that hangs' })
    drmaa.untell('hang-control')
    await waitFor(
      () =>
        scheduler.cancel(id, signal).then(
          () => true,
          () => false,
        ),
      { what: 'cancel' },
    )
    await waitForState(scheduler, id, 'ended')
  })

  it.each([
    ['before', '1', 0],
    ['after', '1 after', 1],
  ])('hands a job over once when the library crashes %s it took it', async (_when, text, taken) => {
    const { scheduler } = await open()
    const before = (await drmaa.jobs()).length
    const job = await writeJob(scheduler, await tempDirectory(), `c${taken}`, UNTIL_RELEASED)
    await drmaa.tell('crash-run_job', text)
    const first = await scheduler.submit(job, signal).catch((error: unknown) => error)
    expect(first).toBeInstanceOf(SchedulerDown)
    // What the DRM started says so in J/started.
    if (taken === 1) await lineOf(job, 'runs')
    const id = await submitUntilAnswered(scheduler, job)
    await waitForState(scheduler, id, 'running')
    expect((await drmaa.jobs()).length).toBe(before + 1)
    await release(job)
    await waitForState(scheduler, id, 'ended')
    expect(await lineOf(job, 'runs')).toBe('run')
  })

  it('runs a job once that was taken twice, as it waited where nobody can look, and gives up its first id', async () => {
    const { scheduler } = await open()
    const job = await writeJob(scheduler, await tempDirectory(), 'd1', UNTIL_RELEASED)
    await drmaa.tell('late')
    await drmaa.tell('crash-run_job', '1 after')
    await expect(scheduler.submit(job, signal)).rejects.toBeInstanceOf(SchedulerDown)
    const id = await submitUntilAnswered(scheduler, job)
    drmaa.untell('late')
    await lineOf(job, 'runs')
    await release(job)
    await waitForState(scheduler, id, 'ended')
    expect(await lineOf(job, 'runs')).toBe('run')
  })

  it('waits for a sign of a job whose submit was not answered before it submits it again', async () => {
    const { scheduler } = await open({ settleMs: 60_000 })
    const job = await writeJob(scheduler, await tempDirectory(), 'e1', ':')
    await drmaa.tell('crash-run_job', '1')
    await expect(scheduler.submit(job, signal)).rejects.toBeInstanceOf(SchedulerDown)
    await waitFor(
      () => scheduler.submit(job, signal).catch((error: Error) => /waiting for a sign/.test(error.message)),
      { what: 'the reason' },
    )
    const asked = (await drmaa.calls('run_job')).filter((name) => name === job.name)
    expect(asked).toEqual([job.name])
  })

  it('fails a job at whose submit the library crashes each time, and its script never runs', async () => {
    const { scheduler } = await open()
    const job = await writeJob(scheduler, await tempDirectory(), 'f1', ':')
    await drmaa.tell('crash-run_job')
    await expect(submitUntilAnswered(scheduler, job)).rejects.toMatchObject({
      name: 'SubmitRejected',
      message: expect.stringContaining('ended its process 3 times'),
    })
    expect(await readFile(join(job.directory, 'started'), 'utf8')).toMatch(/^:0:0:/)
  })

  it('finds a job by the id that its library process left when the server was killed before the answer', async () => {
    const { scheduler, library } = await open()
    const job = await writeJob(scheduler, await tempDirectory(), 'g1', UNTIL_RELEASED)
    await drmaa.tell('hang-run_job')
    const answer = scheduler.submit(job, signal).catch((error: unknown) => error)
    await waitFor(async () => (await drmaa.calls('run_job')).includes(job.name), { what: 'the call' })
    const pid = library.pid ?? 0
    // The end of the server, as its library process sees it.
    await scheduler.close()
    const { scheduler: next } = await open()
    const request = { ...job, externalId: undefined }
    await expect(next.recover([request], signal)).rejects.toBeInstanceOf(SchedulerDown)
    drmaa.untell('hang-run_job')
    await waitFor(() => !isThere(pid), { what: 'end of the former library process' })
    const id = (await next.recover([request], signal)).get(job.jobId) ?? ''
    expect(JSON.parse(await readFile(join(job.directory, 'external_id'), 'utf8'))).toBe(id)
    expect((await drmaa.calls('run_job')).filter((name) => name === job.name)).toHaveLength(1)
    await release(job)
    await waitForState(next, id, 'ended')
    void answer
  })

  it('takes up a job of a Python Pulsar by its external_id', async () => {
    const { scheduler } = await open()
    const job = await writeJob(scheduler, await tempDirectory(), 'h1', UNTIL_RELEASED)
    const id = await scheduler.submit(job, signal)
    await writeFile(join(job.directory, 'external_id'), JSON.stringify(id))
    const { scheduler: other } = await open()
    expect(await other.recover([{ ...job, externalId: undefined }], signal)).toEqual(new Map([['h1', id]]))
    await release(job)
    await waitForState(other, id, 'ended')
  })

  it.each([
    ['done', '0x30'],
    ['failed', '0x40'],
    ['gone', 'gone'],
  ])('does not believe at its first word that a job is %s', async (_word, text) => {
    const { scheduler } = await open({ confirmMs: 60_000 })
    const job = await writeJob(scheduler, await tempDirectory(), `i${text}`, UNTIL_RELEASED)
    const id = await scheduler.submit(job, signal)
    await waitForState(scheduler, id, 'running')
    await drmaa.tell(`say-${id}`, text)
    await waitFor(async () => (await reportOf(scheduler, id)) === undefined, { what: 'doubt' })
    drmaa.untell(`say-${id}`)
    // Half of confirmMs later it is asked again; another job's question is not held up by that.
    expect(await reportOf(scheduler, id)).toBeUndefined()
    await release(job)
  })

  it('takes a state that it does not know, or that the library does not, for unknown, and a suspended job for queued', async () => {
    const { scheduler } = await open()
    const job = await writeJob(scheduler, await tempDirectory(), 'j1', ':')
    const id = await scheduler.submit(job, signal)
    const words = [
      ['0x11', { state: 'queued' }],
      ['0x99', undefined],
      ['0x22', { state: 'queued' }],
      ['0', undefined],
      ['0x23', { state: 'queued' }],
    ] as const
    for (const [word, report] of words) {
      const asked = (await drmaa.calls('job_ps')).length
      await drmaa.tell(`say-${id}`, word)
      await waitFor(
        async () => {
          await scheduler.states([id], signal)
          return (await drmaa.calls('job_ps')).length > asked
        },
        { what: 'question' },
      )
      expect(await reportOf(scheduler, id), word).toEqual(report)
    }
  })

  it('reports a job that was killed as one to be explained, whatever exit code DRMAA has for it', async () => {
    const { scheduler } = await open()
    const job = await writeJob(scheduler, await tempDirectory(), 'k1', 'kill -9 $$')
    const id = await scheduler.submit(job, signal)
    const report = await waitForState(scheduler, id, 'ended')
    expect(report).toEqual({ state: 'ended', unexplained: expect.stringContaining('ended from outside') })
  })

  it.each([
    ['--bogus', 'other', 'Unsupported option: --bogus'],
    ['-p nosuch', 'partition', 'Invalid partition name specified'],
  ] as const)('refuses a job with the native specification %s for good', async (nativeSpecification, kind, words) => {
    const { scheduler, lines } = await open({ nativeSpecification })
    const job = await writeJob(scheduler, await tempDirectory(), 'l1', ':')
    const refusal = await scheduler.submit(job, signal).catch((error: unknown) => error)
    expect(refusal).toBeInstanceOf(SubmitRejected)
    expect(refusal).toMatchObject({ kind, message: expect.stringContaining(words) })
    expect(lines).toEqual([])
  })

  it('keeps every state while the DRM does not answer the library', async () => {
    const { scheduler, library, lines } = await open()
    const job = await writeJob(scheduler, await tempDirectory(), 'm1', UNTIL_RELEASED)
    const { pid } = library
    await drmaa.tell(
      'fail-run_job',
      '17 slurm_submit_batch_job error: Unable to contact slurm controller (connect failure)',
    )
    await expect(scheduler.submit(job, signal)).rejects.toBeInstanceOf(SchedulerDown)
    drmaa.untell('fail-run_job')
    const id = await submitUntilAnswered(scheduler, job)
    await waitForState(scheduler, id, 'running')
    await drmaa.tell('fail-job_ps', '2 Failed to connect to the DRM')
    await waitFor(
      async () => {
        await reportOf(scheduler, id).catch(() => {})
        return lines.length === 3
      },
      {
        what: 'word of the outage',
      },
    )
    drmaa.untell('fail-job_ps')
    await release(job)
    await waitForState(scheduler, id, 'ended')
    expect(library.pid).toBe(pid)
    expect(lines.map((line) => line.replace(/ after \d+ s$/, ''))).toEqual([
      expect.stringContaining('Unable to contact slurm controller'),
      'the DRMAA library answers again',
      expect.stringContaining('Failed to connect to the DRM'),
      'the DRMAA library answers again',
    ])
  })

  it('asks for a job at which the library crashes each time only now and then', async () => {
    const { scheduler, lines } = await open()
    const root = await tempDirectory()
    const [poison, other] = [
      await writeJob(scheduler, root, 'n1', UNTIL_RELEASED),
      await writeJob(scheduler, root, 'n2', UNTIL_RELEASED),
    ]
    const poisonId = await scheduler.submit(poison, signal)
    const otherId = await scheduler.submit(other, signal)
    await drmaa.tell(`crash-job_ps-${poisonId}`)
    const ask = () => scheduler.states([poisonId, otherId], signal).catch(() => undefined)
    await waitFor(
      async () => (await ask()) && lines.some((line) => line.includes('asked every 10 minutes')),
      { what: 'patience', timeoutMs: 30_000 },
    )
    await release(other)
    await waitFor(async () => (await ask())?.get(otherId)?.state === 'ended', {
      what: 'end of the other job',
    })
    await release(poison)
  })

  it.each([
    ['is missing', async () => '/nowhere/libdrmaa.so', /there is no such file/],
    ['is no library', async () => libraryProgram, /file|ELF|header/],
    [
      'is of another version of DRMAA',
      async () => {
        await drmaa.tell('version', '2')
        return drmaa.library
      },
      /it speaks DRMAA 2\.0/,
    ],
    [
      'ends the process at once',
      async () => {
        await drmaa.tell('crash-init')
        return drmaa.library
      },
      /drmaa_init ended its process \(signal SIGSEGV/,
    ],
  ])('is of no use when it %s', async (_how, make, words) => {
    const library = createLibrary({ path: await make(), log: silentLogger, program: libraryProgram })
    onTestFinished(() => library.close())
    await expect(library.open()).rejects.toThrow(words)
  })

  it('may be of use later when its DRM does not answer at the start', async () => {
    await drmaa.tell('fail-init', '2 Failed to connect to the DRM')
    const { scheduler, library } = await open()
    expect(await scheduler.probe(signal)).toMatchObject({
      ok: false,
      detail: expect.stringContaining('Failed to connect'),
    })
    drmaa.untell('fail-init')
    const job = await writeJob(scheduler, await tempDirectory(), 'o1', ':')
    await waitForState(scheduler, await submitUntilAnswered(scheduler, job), 'ended')
    expect(library.info).toMatchObject({ version: '1.0', system: 'TESTS 1.0' })
  })

  it('leaves no process behind when it is closed', async () => {
    const { scheduler, library } = await open()
    const pid = library.pid ?? 0
    expect(isThere(pid)).toBe(true)
    const exits = (await drmaa.calls('exit')).length
    await scheduler.close()
    await waitFor(() => !isThere(pid), { what: 'end of the process' })
    expect((await drmaa.calls('exit')).length).toBe(exits + 1)
  })
})

/** Passes over what the jobs room takes for "nothing is known". */
function expectDown(error: unknown): undefined {
  if (!(error instanceof SchedulerDown)) throw error
}

function isThere(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}
