import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { readProcess } from '../../src/schedulers/process-table.js'
import type { Scheduler } from '../../src/schedulers/scheduler.js'
import { needs } from '../helpers/needs.js'
import { tempDirectory } from '../helpers/temp-directory.js'
import { waitFor } from '../helpers/wait-for.js'
import { lineOf, release, reportOf, signal, UNTIL_RELEASED, waitForState, writeJob } from './scheduler-job.js'

export interface SchedulerUnderTest {
  /** Why it cannot be tested here. */
  readonly missing?: string | undefined
  /** A scheduler on the same system each time: opening it again is what a restart of the server does. */
  open(): Promise<Scheduler>
  /** One in which every job stays queued. */
  openBlocked(): Promise<Scheduler>
  /** An id that was never given. */
  readonly unknownId: string
  /** Whether onChange tells of starts and ends. */
  readonly tells: boolean
  /** Whether cancel reaches processes that left the session of the script. */
  readonly endsOtherSessions: boolean
  /** false: the exit code of a job is for its script alone to tell. */
  readonly tellsExitCodes?: false
}

/** What every scheduler keeps; each runs it against the real thing (test/schedulers, test/peers). */
export function describeScheduler(name: string, subject: SchedulerUnderTest): void {
  async function opened(make: () => Promise<Scheduler> = subject.open): Promise<Scheduler> {
    const scheduler = await make()
    onTestFinished(() => scheduler.close())
    return scheduler
  }

  function ended(exitCode: number): object {
    if (subject.tellsExitCodes !== false) return { state: 'ended', exitCode }
    return exitCode === 0 ? { state: 'ended' } : { state: 'ended', unexplained: expect.any(String) }
  }

  describe(`${name} keeps the contract of schedulers`, needs(subject.missing), () => {
    it('runs a script once in its directory, with its streams in their files, and reports its exit code', async () => {
      const scheduler = await opened()
      const job = await writeJob(scheduler, await tempDirectory(), 'a1', 'pwd; echo complaint >&2; exit 3')
      const id = await scheduler.submit(job, signal)
      expect(await waitForState(scheduler, id, 'ended')).toEqual(ended(3))
      expect(await readFile(job.stdout, 'utf8')).toBe(`${job.workingDirectory}\n`)
      expect(await readFile(job.stderr, 'utf8')).toBe('complaint\n')
      expect(await lineOf(job, 'runs')).toBe('run')
    })

    it('takes directories and files whose names mean something to a shell or a scheduler', async () => {
      const scheduler = await opened()
      for (const odd of ['per%jcent', "sp ace'#q", 'quo"te$x', 'back\\sl%j']) {
        const job = await writeJob(scheduler, await tempDirectory(), odd, 'pwd')
        const id = await scheduler.submit(job, signal)
        expect(await waitForState(scheduler, id, 'ended')).toEqual(ended(0))
        expect(await readFile(job.stdout, 'utf8')).toBe(`${job.workingDirectory}\n`)
      }
    })

    it('says queued, then running, then ended', async () => {
      const blocked = await opened(subject.openBlocked)
      const waiting = await writeJob(blocked, await tempDirectory(), 'b1', UNTIL_RELEASED)
      const waitingId = await blocked.submit(waiting, signal)
      expect(await reportOf(blocked, waitingId)).toEqual({ state: 'queued' })
      await blocked.cancel(waitingId, signal)

      const scheduler = await opened()
      const job = await writeJob(scheduler, await tempDirectory(), 'b2', UNTIL_RELEASED)
      const id = await scheduler.submit(job, signal)
      await waitForState(scheduler, id, 'running')
      await release(job)
      expect(await waitForState(scheduler, id, 'ended')).toEqual(ended(0))
    })

    it('answers for many jobs in one call, and says of an id it never gave that it is gone', async () => {
      const scheduler = await opened()
      const root = await tempDirectory()
      const ids: string[] = []
      for (const jobId of ['c1', 'c2', 'c3']) {
        ids.push(await scheduler.submit(await writeJob(scheduler, root, jobId, ':'), signal))
      }
      expect(new Set(ids).size).toBe(3)
      const all = [...ids, subject.unknownId]
      await Promise.all(ids.map((id) => waitForState(scheduler, id, 'ended')))
      const reports = await scheduler.states(all, signal)
      expect(all.map((id) => reports.get(id)?.state)).toEqual(['ended', 'ended', 'ended', 'gone'])
    })

    it('cancels a queued job, which then never runs', async () => {
      const scheduler = await opened(subject.openBlocked)
      const job = await writeJob(scheduler, await tempDirectory(), 'd1', ':')
      const id = await scheduler.submit(job, signal)
      await scheduler.cancel(id, signal)
      await waitForState(scheduler, id, 'ended', 'gone')
      await expect(readFile(join(job.directory, 'started'))).rejects.toMatchObject({ code: 'ENOENT' })
    })

    it('cancels a running job with all that it started, also what ignores SIGTERM', async () => {
      const scheduler = await opened()
      const body = `bash -c 'trap "" TERM; echo $$ > stubborn; while :; do sleep 0.1; done' &
${subject.endsOtherSessions ? 'setsid ' : ''}bash -c 'bash -c "echo \\$\\$ > distant; while :; do sleep 0.1; done" & wait' &
wait`
      const job = await writeJob(scheduler, await tempDirectory(), 'e1', body)
      const id = await scheduler.submit(job, signal)
      const pids = [Number(await lineOf(job, 'stubborn')), Number(await lineOf(job, 'distant'))]
      expect(pids.map((pid) => readProcess(pid)?.pid)).toEqual(pids)
      await scheduler.cancel(id, signal)
      await waitForState(scheduler, id, 'ended', 'gone')
      await waitFor(() => pids.every((pid) => readProcess(pid) === undefined), { what: 'end of the tree' })
    })

    it('takes a second cancel, and one of an unknown or ended job, as done', async () => {
      const scheduler = await opened()
      const job = await writeJob(scheduler, await tempDirectory(), 'f1', UNTIL_RELEASED)
      const id = await scheduler.submit(job, signal)
      await waitForState(scheduler, id, 'running')
      await Promise.all([scheduler.cancel(id, signal), scheduler.cancel(id, signal)])
      await waitForState(scheduler, id, 'ended', 'gone')
      await scheduler.cancel(id, signal)
      await scheduler.cancel(subject.unknownId, signal)
      expect((await waitForState(scheduler, id, 'ended', 'gone')).state).not.toBe('running')
    })

    it('finds running, queued and ended jobs again after a restart, and not what was never handed over', async () => {
      const before = await opened()
      const root = await tempDirectory()
      const running = await writeJob(before, root, 'g1', `${UNTIL_RELEASED}\necho through > through`)
      const over = await writeJob(before, root, 'g2', ':')
      const never = await writeJob(before, root, 'g3', ':')
      const runningId = await before.submit(running, signal)
      const overId = await before.submit(over, signal)
      await waitForState(before, runningId, 'running')
      await waitForState(before, overId, 'ended')
      await lineOf(running, 'runs')
      await before.close()

      const after = await opened()
      const requests = [running, over, never].map((job) => ({ ...job, externalId: undefined }))
      const found = await after.recover(requests, signal)
      expect(found).toEqual(
        new Map([
          ['g1', runningId],
          ['g2', overId],
        ]),
      )
      expect(await reportOf(after, runningId)).toEqual({ state: 'running' })
      expect((await waitForState(after, overId, 'ended')).failure).toBeUndefined()
      await release(running)
      expect((await waitForState(after, runningId, 'ended')).failure).toBeUndefined()
      expect(await lineOf(running, 'through')).toBe('through')
      expect(await lineOf(running, 'runs')).toBe('run')
    })

    it('lets running jobs go on when it is closed', async () => {
      const scheduler = await opened()
      const job = await writeJob(
        scheduler,
        await tempDirectory(),
        'h1',
        `${UNTIL_RELEASED}\necho through > through`,
      )
      await scheduler.submit(job, signal)
      await lineOf(job, 'runs')
      await scheduler.close()
      await release(job)
      expect(await lineOf(job, 'through')).toBe('through')
    })

    it('runs a script once even when it is handed over twice', async () => {
      const [first, second] = [await opened(), await opened()]
      const job = await writeJob(first, await tempDirectory(), 'i1', UNTIL_RELEASED)
      const firstId = await first.submit(job, signal)
      await lineOf(job, 'runs')
      const secondId = await second.submit(job, signal)
      if (secondId !== firstId) await waitForState(second, secondId, 'ended')
      expect(await reportOf(first, firstId)).toEqual({ state: 'running' })
      await release(job)
      await waitForState(first, firstId, 'ended')
      await waitForState(second, secondId, 'ended')
      expect(await lineOf(job, 'runs')).toBe('run')
    })

    if (subject.tells)
      it('tells of the end of a job without being asked', async () => {
        const scheduler = await opened()
        const job = await writeJob(scheduler, await tempDirectory(), 'j1', UNTIL_RELEASED)
        const told: string[] = []
        const stop = scheduler.onChange((id) => told.push(id))
        const id = await scheduler.submit(job, signal)
        await waitForState(scheduler, id, 'running')
        const before = told.length
        await release(job)
        await waitFor(() => told.length > before, { what: 'word of a change' })
        expect(await reportOf(scheduler, id)).toEqual(ended(0))
        expect(new Set(told)).toEqual(new Set([id]))
        stop()
      })

    it('asks again after a finite time unless it tells by itself, and says what it is', async () => {
      const scheduler = await opened()
      const interval = scheduler.pollIntervalMs(0)
      expect(Number.isFinite(interval)).toBe(!subject.tells)
      expect(interval).toBeGreaterThan(0)
      expect(await scheduler.probe(signal)).toMatchObject({ ok: true, summary: expect.stringMatching(/\w/) })
    })
  })
}
