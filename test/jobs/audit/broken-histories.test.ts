import { mkdirSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { beforeEach, describe, expect, it } from 'vitest'
import { auditStore } from '../../../src/jobs/audit/run-audit.js'
import type { AuditReport } from '../../../src/jobs/audit/types.js'
import type { JobNews, JournalEvent } from '../../../src/jobs/journal/event.js'
import { appendEvent } from '../../../src/jobs/journal/note.js'
import { activeKey, endedKey, type JobRecord } from '../../../src/jobs/record.js'
import type { JobStatus } from '../../../src/jobs/types.js'
import { openMemoryStore } from '../../../src/store/memory-store.js'
import type { Store } from '../../../src/store/store.js'
import { tempDirectory } from '../../helpers/temp-directory.js'

let store: Store
let staging: string
let clock: number

beforeEach(async () => {
  store = openMemoryStore()
  staging = await tempDirectory()
  clock = 1_000_000
  await node('a')
})

async function append(event: JournalEvent): Promise<void> {
  await store.write([appendEvent(event)])
}

const node = (bootId: string) =>
  append({ kind: 'node-started', atMs: ++clock, version: '1.0', bootId, pid: 1 })

async function tell(job: string, ...news: JobNews[]): Promise<void> {
  for (const each of news) await append({ atMs: ++clock, manager: 'm', job, ...each })
}

const record = (id: string, status: JobStatus, more: Partial<JobRecord> = {}): JobRecord => ({
  ...{ id, status, sequence: 1, submittedAtMs: clock, ...more },
})

async function active(id: string, status: JobStatus, more: Partial<JobRecord> = {}): Promise<void> {
  await store.write([{ type: 'put', key: activeKey('m', id), value: record(id, status, more) }])
  mkdirSync(path.join(staging, id), { recursive: true })
}

async function ended(id: string, status: JobStatus, more: Partial<JobRecord> = {}): Promise<void> {
  await store.write([{ type: 'put', key: endedKey('m', id), value: record(id, status, more) }])
}

const audit = (filter = {}): Promise<AuditReport> =>
  auditStore(store, [{ name: 'm', stagingDirectory: staging }], filter)

const found = async (): Promise<string[]> =>
  (await audit()).violations.map(({ rule, job, message }) => `${rule}: ${job ?? '-'} ${message}`)

const submitted: JobNews = { kind: 'submitted' }
const queued: JobNews = { kind: 'state', to: 'queued' }
const running: JobNews = { kind: 'state', to: 'running' }
const launched: JobNews = { kind: 'launched', externalId: 'x1' }
const complete: JobNews = { kind: 'ended', status: 'complete', returnCode: 0 }
const cancelled: JobNews = { kind: 'cancelled' }
const stopped: JobNews = { kind: 'stopped' }
const cleaned: JobNews = { kind: 'cleaned' }
const failed: JobNews = { kind: 'ended', status: 'failed', reason: 'why' }

describe('an audit finds nothing in', () => {
  it('an empty store', async () => {
    expect(await auditStore(openMemoryStore(), [])).toMatchObject({
      hasJournal: false,
      violations: [],
      examined: { jobs: 0, events: 0, starts: 0 },
    })
  })

  it('jobs in all phases, after crashes, and one of an id that was used before', async () => {
    await tell('1', submitted, queued, launched, running, complete, cleaned, submitted)
    await active('1', 'queued')
    await tell('2', submitted, queued, launched, running)
    await active('2', 'running')
    await tell('3', submitted, cancelled)
    await active('3', 'cancelled', { stopping: true })
    await tell('4', submitted, { kind: 'launched', externalId: 'x4' })
    await node('a')
    await tell('4', { kind: 'launch-again', began: false }, { kind: 'launched', externalId: 'x4' }, running)
    for (const why of [{ killed: true }, { local: true }] as const)
      await tell(
        '4',
        { kind: 'launch-again', began: false, ...why },
        { kind: 'launched', externalId: 'x4' },
        running,
      )
    await tell('4', { kind: 'state', to: 'queued' }, running, cancelled, stopped)
    await ended('4', 'cancelled')
    await append({ kind: 'node-stopped', atMs: ++clock })
    await node('b')
    await node('c')
    const report = await audit()
    expect(report.violations).toEqual([])
    expect(report.examined).toMatchObject({ jobs: 4, starts: 4, afterCrash: 2, afterReboot: 1, active: 3 })
  })

  it('a cancelled job that was cleaned before its end could be recorded', async () => {
    await tell('1', submitted, queued, launched, running, cancelled, cleaned)
    const cancelledRecord = record('1', 'cancelled', { cleaned: true })
    await store.write([{ type: 'put', key: activeKey('m', '1'), value: cancelledRecord }])
    expect(await found()).toEqual([])
  })

  it('a job of which the journal has forgotten the beginning, and one that is older than the journal', async () => {
    await tell('0', submitted)
    await tell('1', queued, complete)
    await ended('1', 'complete', { submittedAtMs: 5 })
    await store.write([
      { type: 'del', key: 'journal/0000000000000001' },
      { type: 'del', key: 'journal/0000000000000002' },
      { type: 'put', key: 'journal-rotated', value: { below: 3 } },
      { type: 'put', key: activeKey('m', '0'), value: record('0', 'queued', { submittedAtMs: 5 }) },
    ])
    mkdirSync(path.join(staging, '0'))
    const report = await audit()
    expect(report.violations).toEqual([])
    expect(report.examined.rotated).toBe(true)
  })

  it('a job that a Python Pulsar had meanwhile', async () => {
    await tell('1', submitted, queued, launched, running, { kind: 'handed-over', index: 'active' })
    await append({ kind: 'node-stopped', atMs: ++clock })
    await node('a')
    await tell('1', { kind: 'taken-over', status: 'running' }, { kind: 'ended', status: 'complete' })
    await ended('1', 'complete')
    expect(await found()).toEqual([])
  })

  it('a failed delivery that somebody asked to repeat', async () => {
    const due = { kind: 'delivering', due: 2 } as const
    const file = (name: string) => ({ kind: 'delivered', file: name, name, bytes: 1 }) as const
    await tell('1', { ...submitted, stagesOut: true }, launched, running)
    await tell('1', { kind: 'ran', status: 'complete', returnCode: 0 }, due, file('a'), failed)
    await tell('1', { kind: 'retry-stage-out' }, due, file('a'))
    await tell('1', { kind: 'not-wanted', file: 'b', name: 'b' }, complete)
    await ended('1', 'complete')
    expect(await found()).toEqual([])
  })
})

describe('an audit finds that', () => {
  it('a submit was acknowledged a second time', async () => {
    await tell('1', submitted, submitted)
    await active('1', 'queued')
    expect(await found()).toEqual([
      'submitted-once: 1 was acknowledged a second time, without having been cleaned',
    ])
  })

  it.each<[string, JobNews[], string]>([
    ['twice', [launched, launched], 'was launched a second time'],
    ['after its end', [complete, launched], 'was launched after it was over'],
    ['after it had stopped', [cancelled, stopped, launched], 'was launched after it was over'],
    [
      'again although it had begun',
      [launched, { kind: 'launch-again', began: true }, launched],
      'was to be launched again after a restart, although it had begun to run',
    ],
    [
      'again although it had run',
      [launched, running, { kind: 'launch-again', began: false }, launched],
      'was to be launched again after a restart, although it had begun to run',
    ],
  ])('a job was launched %s', async (_what, news, message) => {
    await tell('1', submitted, ...news)
    if (news.includes(complete)) await ended('1', 'complete')
    else if (news.includes(cancelled)) await ended('1', 'cancelled')
    else await active('1', 'queued')
    expect(await found()).toEqual([`launched-once: 1 ${message}`])
  })

  it.each<[string, JobNews[], string, JobStatus]>([
    ['ended twice', [complete, failed], 'ended as failed after it had ended as complete', 'failed'],
    [
      'was cancelled at its end',
      [complete, cancelled],
      'was cancelled after it had ended as complete',
      'cancelled',
    ],
    [
      'completed when cancelled',
      [cancelled, complete],
      'ended as complete after it had ended as cancelled',
      'complete',
    ],
    ['ended in no end', [{ kind: 'ended', status: 'queued' }], 'ended as queued, which is no end', 'queued'],
    ['stopped by itself', [stopped], 'was stopped, although nobody had cancelled it', 'cancelled'],
  ])('a job %s', async (_what, news, message, status) => {
    await tell('1', submitted, ...news)
    await ended('1', status)
    expect(await found()).toEqual([`one-end: 1 ${message}`])
  })

  it.each<[string, JobNews[], string]>([
    ['from its end', [complete, running], 'became running after it had ended as complete'],
    [
      'from its deliveries',
      [{ kind: 'ran', status: 'complete' }, running, complete],
      'went from postprocessing back to running',
    ],
    [
      'to its inputs',
      [running, { kind: 'state', to: 'preprocessing' }, complete],
      'went from running back to preprocessing',
    ],
    [
      'to its deliveries',
      [complete, { kind: 'retry-stage-out' }, complete],
      'was delivered again, although it had not failed',
    ],
  ])('a job went back %s', async (_what, news, message) => {
    await tell('1', submitted, ...news)
    await ended('1', 'complete')
    expect(await found()).toEqual([`never-backwards: 1 ${message}`])
  })

  it('a job was complete before its outputs had arrived', async () => {
    const begun: JobNews[] = [
      { ...submitted, stagesOut: true },
      { kind: 'ran', status: 'complete' },
    ]
    const one: JobNews = { kind: 'delivered', file: 'a', name: 'a', bytes: 1 }
    await tell('1', ...begun, { kind: 'delivering', due: 2 }, one, one, complete)
    await tell('2', ...begun, complete)
    for (const id of ['1', '2']) await ended(id, 'complete')
    expect(await found()).toEqual([
      'delivered-first: 1 is complete with 1 of its 2 outputs delivered',
      'delivered-first: 2 is complete, and nobody looked which outputs are to be delivered',
    ])
  })

  it('nobody knows how a job ended', async () => {
    await tell('1', submitted, { kind: 'ended', status: 'complete' })
    await tell('2', submitted, { kind: 'ended', status: 'failed' })
    await tell('3', submitted, { kind: 'ended', status: 'lost', reason: '' })
    for (const [id, status] of [
      ['1', 'complete'],
      ['2', 'failed'],
      ['3', 'lost'],
    ] as const)
      await ended(id, status)
    expect(await found()).toEqual([
      'end-explained: 1 is complete, and nobody knows its return code',
      'end-explained: 2 is failed, and nothing says why',
      'end-explained: 3 is lost, and nothing says why',
    ])
  })

  it('a job has vanished', async () => {
    await tell('1', submitted, queued)
    await tell('2', submitted, complete)
    await tell('3', submitted, cleaned)
    expect(await found()).toEqual([
      'nobody-vanished: 1 was acknowledged and never cleaned, and there is no record of it',
      'nobody-vanished: 2 was acknowledged and never cleaned, and there is no record of it',
      'nobody-vanished: 3 was removed while it was alive',
    ])
  })

  it('records and journal do not agree', async () => {
    await tell('1', submitted, complete)
    await active('1', 'running')
    await tell('2', submitted, complete)
    await ended('2', 'failed')
    await tell('3', submitted)
    await ended('3', 'complete')
    await tell('4', submitted, complete, cleaned)
    await ended('4', 'complete')
    await ended('5', 'complete')
    await tell('6', submitted, cancelled)
    await active('6', 'running')
    await tell('7', submitted)
    await active('7', 'queued')
    await ended('7', 'complete')
    const all = await found()
    for (const text of [
      '1 has ended as complete, and is still among the unfinished jobs',
      '2 is failed in the records, and complete in the journal',
      '3 is complete in the records, and alive in the journal',
      '4 was cleaned, and is still in the records',
      '5 is in the records, and the journal has no submit of it',
      '6 was cancelled, and its record says running',
      '7 is among the unfinished jobs and among the finished ones',
    ])
      expect(all).toContain(`records-agree: ${text}`)
  })

  it('the directory of an unfinished job is gone', async () => {
    await tell('1', submitted)
    await store.write([{ type: 'put', key: activeKey('m', '1'), value: record('1', 'queued') }])
    expect(await found()).toEqual([`directory-there: 1 has no job directory ${staging}/1`])
  })

  it('an input that was fetched is not whole', async () => {
    const { nameOf } = await import('../../../src/jobs/move-files.js')
    const action = { action_type: 'remote_transfer', url: 'http://galaxy/x?key=1', path: '/g/a.dat' }
    const base = path.join(staging, '1', 'inputs')
    const file = nameOf('in', action, { base, components: ['a.dat'] })
    await tell(
      '1',
      { ...submitted, stagesIn: true },
      { kind: 'fetched', file, name: 'input a.dat', bytes: 5 },
    )
    await active('1', 'preprocessing', { stagesIn: true })
    mkdirSync(base)
    const staged = { setup: [{ name: 'a.dat', type: 'input', action }] }
    writeFileSync(path.join(staging, '1', 'launch_config'), JSON.stringify({ remote_staging: staged }))
    writeFileSync(path.join(base, 'a.dat'), 'whole')
    expect(await found()).toEqual([])
    writeFileSync(path.join(base, 'a.dat'), 'who')
    expect(await found()).toEqual(['input-complete: 1 input a.dat was fetched with 5 bytes, and has 3 bytes'])
  })

  it("two jobs have one of the scheduler's ids", async () => {
    await tell('1', submitted, launched)
    await active('1', 'queued', { externalId: 'x1' })
    await tell('2', submitted, launched)
    await active('2', 'queued', { externalId: 'x1' })
    expect(await found()).toEqual([
      "external-id-once: 2 has the scheduler's id x1, which job 1 has too",
      "external-id-once: 2 has the scheduler's id x1, which job 1 has too",
    ])
    await tell('1', complete, cleaned)
    await store.write([{ type: 'del', key: activeKey('m', '1') }])
    await tell('3', submitted, { kind: 'launched', externalId: '3' })
    await active('3', 'queued', { externalId: '3' })
    expect(await found()).toHaveLength(1)
  })

  it('events are missing', async () => {
    await tell('1', submitted, queued, running, complete, cleaned)
    await store.write([
      { type: 'del', key: 'journal/0000000000000003' },
      { type: 'del', key: 'journal/0000000000000004' },
    ])
    expect(await found()).toEqual(['no-gap: - events 3 to 4 are missing, and no rotation took them'])
    await store.write([{ type: 'del', key: 'journal/0000000000000001' }])
    expect(await found()).toContain('no-gap: - event 1 is missing, and no rotation took it')
  })
})

describe('an audit', () => {
  it('tells the timeline of what is broken, and of a job that is asked for', async () => {
    await tell('1', submitted, launched, launched)
    await active('1', 'queued')
    await tell('2', submitted)
    await active('2', 'queued')
    const [violation] = (await audit()).violations
    expect(violation?.timeline.map(({ number, text }) => `${number} ${text}`)).toEqual([
      '2 submit on disk and acknowledged',
      '3 launched as x1',
      '4 launched as x1',
    ])
    const second = await audit({ job: '2' })
    expect(second.violations).toEqual([])
    expect(second.timeline).toHaveLength(1)
    await expect(audit({ job: '3' })).rejects.toMatchObject({ code: 'JOB_UNKNOWN' })
    expect((await audit({ sinceMs: clock + 1 })).violations).toEqual([])
  })
})
