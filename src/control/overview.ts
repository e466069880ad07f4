import { stat } from 'node:fs/promises'
import { type JobSummary, summarize } from '../jobs/describe.js'
import type { JobRecord } from '../jobs/record.js'
import type { JobStatus } from '../jobs/types.js'
import { readDiskRoom } from '../lib/disk-space.js'
import type { DiskSpace, JobCounts, JobFilter, JobList } from './types.js'

/** Where the jobs of one manager are read: a running manager, or the records that one left. */
export interface JobSource {
  readonly name: string
  readonly type: string
  readonly running: boolean
  live(): Promise<readonly JobSummary[]>
  ended(): AsyncIterable<JobRecord>
}

/** What can be listed at once of the jobs that are over. */
const MAX_ENDED = 10_000
const FAILURES = 5
/** A look through the records may take this part of the time. */
const SHARE = 10

export interface Overview {
  list(filter: JobFilter): Promise<JobList>
  counts(source: JobSource): Promise<JobCounts>
  lastFailures(): Promise<readonly JobSummary[]>
}

interface Scan {
  readonly counts: JobCounts
  readonly jobs: readonly JobSummary[]
  /** Of the states asked for. */
  readonly total: number
}

/**
 * Reads jobs and counts them. Records of jobs that are over are looked through at most a tenth of the time, however often somebody
 * asks: with many of them the answer may be some moments old.
 */
export function createOverview(sources: readonly JobSource[]): Overview {
  const scans = new Map<string, { readonly scan: Promise<Scan>; tookMs: number; readonly atMs: number }>()

  function scanOf(source: JobSource, states: readonly JobStatus[] | undefined): Promise<Scan> {
    const key = JSON.stringify([source.name, states])
    const last = scans.get(key)
    const nowMs = performance.now()
    if (last && nowMs - last.atMs < last.tookMs * SHARE) return last.scan
    const scan = scanEnded(source, states)
    // Whoever asks while it is under way gets the same.
    const entry = { scan, tookMs: Number.POSITIVE_INFINITY, atMs: nowMs }
    if (scans.size > 50) scans.clear()
    scans.set(key, entry)
    const done = (): void => {
      entry.tookMs = performance.now() - nowMs
    }
    scan.then(done, () => scans.delete(key))
    return scan
  }

  async function countsOf(source: JobSource, live: readonly JobSummary[]): Promise<JobCounts> {
    const { counts } = await scanOf(source, undefined)
    const all: Partial<Record<JobStatus, number>> = { ...counts }
    for (const { status } of live) all[status] = (all[status] ?? 0) + 1
    return all
  }

  return {
    async list({ states, manager, ended }) {
      const wanted = sources.filter(({ name }) => manager === undefined || name === manager)
      const live: JobSummary[] = []
      const over: JobSummary[] = []
      const counts: Partial<Record<JobStatus, number>> = {}
      let total = 0
      for (const source of wanted) {
        const alive = await source.live()
        const ids = new Set(alive.map(({ id }) => id))
        live.push(...alive.filter(({ status }) => states?.includes(status) ?? true))
        add(counts, await countsOf(source, alive))
        const scan = await scanOf(source, states)
        total += scan.total
        // One that was delivered again since.
        over.push(...scan.jobs.filter(({ id }) => !ids.has(id)))
      }
      const shown = over.sort(newestFirst).slice(0, Math.min(ended, MAX_ENDED))
      const running = sources.every((each) => each.running)
      return { running, jobs: [...live, ...shown], counts, left: Math.max(0, total - shown.length) }
    },
    counts: async (source) => countsOf(source, await source.live()),
    async lastFailures() {
      const all = await Promise.all(sources.map((source) => scanOf(source, ['failed', 'lost'])))
      return all
        .flatMap(({ jobs }) => jobs.slice(0, FAILURES))
        .sort(newestFirst)
        .slice(0, FAILURES)
    },
  }
}

async function scanEnded(source: JobSource, states: readonly JobStatus[] | undefined): Promise<Scan> {
  const counts: Partial<Record<JobStatus, number>> = {}
  let jobs: JobSummary[] = []
  let total = 0
  for await (const record of source.ended()) {
    counts[record.status] = (counts[record.status] ?? 0) + 1
    if (states !== undefined && !states.includes(record.status)) continue
    total++
    jobs.push(summarize(source.name, record))
    if (jobs.length >= 2 * MAX_ENDED) jobs = jobs.sort(newestFirst).slice(0, MAX_ENDED)
  }
  return { counts, jobs: jobs.sort(newestFirst).slice(0, MAX_ENDED), total }
}

function newestFirst(a: JobSummary, b: JobSummary): number {
  return b.sinceMs - a.sinceMs
}

function add(counts: Partial<Record<JobStatus, number>>, more: JobCounts): void {
  for (const [status, count] of Object.entries(more) as [JobStatus, number][])
    counts[status] = (counts[status] ?? 0) + count
}

/** The room on the disks of the directories, each disk once; what cannot be asked is left out. */
export async function readDisks(
  directories: readonly { readonly what: string; readonly directory: string }[],
): Promise<DiskSpace[]> {
  const found = await Promise.all(
    directories.map(async ({ what, directory }) => {
      try {
        const { dev } = await stat(directory)
        return [{ dev, disk: { what, directory, ...(await readDiskRoom(directory)) } }]
      } catch {
        return []
      }
    }),
  )
  const disks = new Map<number, DiskSpace>()
  for (const { dev, disk } of found.flat()) {
    const other = disks.get(dev)
    const what = other && !other.what.includes(disk.what) ? `${other.what}, ${disk.what}` : disk.what
    disks.set(dev, other ? { ...other, what } : disk)
  }
  return [...disks.values()]
}
