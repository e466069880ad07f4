import { setImmediate as nextTurn } from 'node:timers/promises'
import { MagnetarError } from '../../lib/errors.js'
import { logNumber, type Store } from '../../store/store.js'
import { JOURNAL, type JournalEvent, ROTATED_KEY, type Rotated } from '../journal/event.js'
import { activeKey, type JobRecord } from '../record.js'
import { checkFiles } from './check-files.js'
import { compareRecords, type Records } from './compare.js'
import { createReplay, type Replayed } from './replay.js'
import { describeEvent } from './timeline.js'
import { type AuditFilter, type AuditReport, lifeKey, type TimelineEntry, type Violation } from './types.js'

/** Violations that are listed, and events of each timeline: the last ones. */
const LISTED = 100
const TIMELINE = 200
/** So many entries are looked at between two turns of others. */
const AT_ONCE = 250

export interface AuditedManager {
  readonly name: string
  readonly stagingDirectory: string
}

/**
 * Replays the journal, and compares it with the records of jobs and their directories. Changes nothing. On a node that runs, records and
 * journal are those of one moment.
 * @throws MagnetarError JOB_UNKNOWN
 */
export async function auditStore(
  store: Store,
  managers: readonly AuditedManager[],
  { job, sinceMs }: AuditFilter = {},
): Promise<AuditReport> {
  // Takes along what waits for another write.
  await store.write([], { lazy: true })
  const { replayed, records } = await readAll(store)
  const isJob = (key: string): boolean => key.endsWith(`/${job}`)
  const known = [...replayed.lives.keys(), ...records.active.keys(), ...records.ended.keys()]
  if (job !== undefined && !known.some(isJob))
    throw new MagnetarError('JOB_UNKNOWN', `neither journal nor records know a job ${job}`)
  const found: Violation[] = [...replayed.violations, ...compareRecords(replayed, records)]
  for (const { name, stagingDirectory } of managers) {
    for (const [key, record] of records.active) {
      if (!key.startsWith(`${name}/`) || (job !== undefined && record.id !== job)) continue
      const life = replayed.lives.get(key)
      for (const [rule, message] of await checkFiles(stagingDirectory, record, life)) {
        // It may have gone on since the records were read.
        if ((await store.get<JobRecord>(activeKey(name, record.id)))?.sequence !== record.sequence) break
        const atMs = life?.atMs ?? record.submittedAtMs
        found.push({ rule, manager: name, job: record.id, atMs, message })
      }
    }
  }
  const wanted = found
    .filter((each) => (job === undefined || each.job === job) && each.atMs >= (sinceMs ?? 0))
    .sort((a, b) => a.atMs - b.atMs)
  const listed = wanted.slice(0, LISTED)
  const timelines = await readTimelines(store, listed, job)
  const whole = job === undefined ? [] : [...timelines].filter(([key]) => isJob(key))
  return {
    hasJournal: replayed.events > 0,
    examined: {
      jobs: new Set(known).size,
      events: replayed.events,
      ...(replayed.fromMs === undefined ? {} : { fromMs: replayed.fromMs }),
      ...(replayed.toMs === undefined ? {} : { toMs: replayed.toMs }),
      rotated: replayed.isRotated,
      starts: replayed.starts,
      afterCrash: replayed.afterCrash,
      afterReboot: replayed.afterReboot,
      active: records.active.size,
      ended: records.ended.size,
    },
    violations: listed.map((each) => ({ ...each, timeline: timelines.get(keyOf(each)) ?? [] })),
    more: wanted.length - listed.length,
    ...(job === undefined ? {} : { timeline: whole.flatMap(([, timeline]) => timeline) }),
  }
}

/** In one pass: what is read belongs together, whatever a server writes meanwhile. */
async function readAll(store: Store): Promise<{ replayed: Replayed; records: Records }> {
  const active = new Map<string, JobRecord>()
  const ended = new Map<string, JobRecord>()
  let replay = createReplay(undefined)
  let seen = 0
  for await (const [key, value] of store.entries<unknown>('')) {
    if (++seen % AT_ONCE === 0) await nextTurn()
    const [room = ''] = key.split('/', 1)
    const name = key.slice(room.length + 1)
    if (room === 'active') active.set(name, value as JobRecord)
    else if (room === 'ended') ended.set(name, value as JobRecord)
    // It stands before the first event.
    else if (key === ROTATED_KEY) replay = createReplay(value as Rotated)
    else if (room === JOURNAL) replay.add(logNumber(key), value as JournalEvent)
  }
  return { replayed: replay.result(), records: { active, ended } }
}

async function readTimelines(
  store: Store,
  violations: readonly Violation[],
  job: string | undefined,
): Promise<Map<string, TimelineEntry[]>> {
  const timelines = new Map<string, TimelineEntry[]>()
  const wanted = new Set(violations.map(keyOf))
  if (wanted.size === 0 && job === undefined) return timelines
  let seen = 0
  for await (const [key, event] of store.entries<JournalEvent>(`${JOURNAL}/`)) {
    if (++seen % AT_ONCE === 0) await nextTurn()
    if (!('job' in event)) continue
    const name = lifeKey(event.manager, event.job)
    if (!wanted.has(name) && event.job !== job) continue
    const timeline = timelines.get(name) ?? []
    timelines.set(name, timeline)
    timeline.push({ number: logNumber(key), atMs: event.atMs, text: describeEvent(event) })
    if (timeline.length > TIMELINE) timeline.shift()
  }
  return timelines
}

function keyOf({ manager = '', job = '' }: Violation): string {
  return lifeKey(manager, job)
}
