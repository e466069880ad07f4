/** One squeue for all jobs of all managers: questions of the same moment share one answer. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { CommandResult } from '../../lib/exec.js'
import { SchedulerDown, type SchedulerReport } from '../scheduler.js'
import type { Accounting } from './accounting.js'
import { FIELD_SEPARATOR, isSlurmId, type SlurmCommand } from './command.js'
import { firstError } from './down.js'
import { buildSqueue, isUnknownUser, parseSqueue, type SlurmRecord } from './squeue.js'
import { combineReports, reportOf } from './states.js'

/** What a job was submitted with. Slurm gives an id again after a cold start: then these differ, and the job is gone. */
export interface JobIdentity {
  readonly name: string
  readonly workingDirectory: string
  /** Alone tells whose a job is that a Python server submitted: in a directory, and maybe under a name, of its own. */
  readonly script?: string
}

export type WantedJobs = ReadonlyMap<string, JobIdentity | undefined>

export interface StateQuery {
  /** @throws SchedulerDown */
  ask(client: object, jobs: WantedJobs): Promise<ReadonlyMap<string, SchedulerReport>>
  /** Every job of this user that squeue shows. @throws SchedulerDown */
  list(): Promise<readonly SlurmRecord[]>
  /** Slurm has given this id just now, maybe for the second time: what is known of it, or asked now, is of an earlier job. */
  isNew(id: string): void
  forget(client: object): void
}

export interface StateQueryDeps {
  run(command: SlurmCommand): Promise<CommandResult>
  readonly accounting: Accounting
  readonly userId: number | undefined
  /** A state word that no table has. */
  onUnknownState(word: string): void
}

/** Questions that come within this are asked together. */
const GATHER_MS = 3
/** An answer is good for other managers, whose ticks fall at other moments, for this long. */
const SHARE_MS = 200
/** A manager that has not asked for so long has no jobs left (its ticks are at most 10 s apart). */
const FORGET_MS = 20_000
/** More ids than this are not listed: squeue then sends all of the user's jobs. */
const MAX_IDS = 1000
/** What squeue has forgotten stays so: not asked for again for a while. */
const GONE_MS = 30_000

interface Answer {
  readonly at: number
  readonly reports: ReadonlyMap<AskKey, SchedulerReport>
  readonly asked: ReadonlySet<AskKey>
}

/** One id may mean a job to each of two managers: only one of them is right. */
interface Asked {
  readonly id: string
  readonly identity: JobIdentity | undefined
}
/** Of an id and an identity. */
type AskKey = string

export function createStateQuery(deps: StateQueryDeps): StateQuery {
  const wanted = new Map<object, { readonly jobs: WantedJobs; readonly at: number }>()
  const gone = new Map<
    AskKey,
    { readonly id: string; readonly report: SchedulerReport; readonly at: number }
  >()
  /** Ids that were given while Slurm was asked: the answer may be older. */
  const renewed = new Set<string>()
  let userId = deps.userId
  let last: Answer | undefined
  let next: Promise<Answer> | undefined
  let current: Promise<unknown> = Promise.resolve()

  async function records(
    ids: readonly string[] | undefined,
    everybody: boolean,
  ): Promise<readonly SlurmRecord[]> {
    const command = buildSqueue({ ids, userId: everybody ? undefined : userId })
    const result = await deps.run(command)
    if (userId !== undefined && !everybody && isUnknownUser(result)) {
      userId = undefined
      return records(ids, everybody)
    }
    const parsed = parseSqueue(result)
    if (!parsed) throw new SchedulerDown(`squeue: ${firstError(result.stderr)}`)
    return parsed
  }

  async function answer(): Promise<Answer> {
    await current.catch(() => {})
    await sleep(GATHER_MS)
    next = undefined
    const at = performance.now()
    renewed.clear()
    const query = reportAll(mergeWanted(at), at)
    current = query
    const reports = await query
    last = { at, ...reports }
    return last
  }

  function mergeWanted(now: number): Map<AskKey, Asked> {
    const merged = new Map<AskKey, Asked>()
    for (const [client, { jobs, at }] of wanted) {
      if (now - at > FORGET_MS) wanted.delete(client)
      else for (const [id, identity] of jobs) merged.set(keyOf(id, identity), { id, identity })
    }
    return merged
  }

  async function reportAll(jobs: Map<AskKey, Asked>, now: number): Promise<Omit<Answer, 'at'>> {
    const reports = new Map<AskKey, SchedulerReport>()
    for (const [key, { report, at }] of gone) {
      if (now - at > GONE_MS) gone.delete(key)
      else if (jobs.has(key)) reports.set(key, report)
    }
    const open = [...jobs].filter(([key]) => !reports.has(key))
    let missing = take(open, open.length === 0 ? [] : await records(idsOf(open), false))
    // Before a job is given up: it may belong to the user under whom the server ran before.
    if (missing.length > 0 && userId !== undefined) {
      missing = take(missing, await records(idsOf(missing), true))
    }
    if (missing.length > 0) {
      const ended = await deps.accounting.lookUp([...new Set(missing.map(([, { id }]) => id))])
      for (const [key, { id, identity }] of missing) {
        const report = lastReport(id, identity, ended)
        reports.set(key, report)
        gone.set(key, { id, report, at: now })
      }
    }
    const asked = new Set(jobs.keys())
    for (const [key, { id }] of jobs) {
      if (!renewed.has(id)) continue
      for (const known of [reports, gone, asked]) known.delete(key)
    }
    return { reports, asked }

    /** Reports those of `asked` that are in `found`; returns the others. */
    function take(asked: readonly [AskKey, Asked][], found: readonly SlurmRecord[]): [AskKey, Asked][] {
      const byId = index(found)
      return asked.filter(([key, { id, identity }]) => {
        const own = (byId.get(id) ?? []).filter((record) => isSameJob(record, identity))
        if (own.length === 0) return true
        const known = own.map(reportOf)
        own.forEach((record, at) => {
          if (!known[at]) deps.onUnknownState(record.state)
        })
        const clear = known.filter((report) => report !== undefined)
        // A state nobody knows: left out, which means "keep asking".
        const report = clear.length === known.length ? combineReports(clear) : undefined
        if (report) reports.set(key, report)
        return false
      })
    }
  }

  return {
    async ask(client, jobs) {
      const valid = new Map([...jobs].filter(([id]) => isSlurmId(id)))
      wanted.set(client, { jobs: valid, at: performance.now() })
      let shared = last
      const fresh = shared && performance.now() - shared.at < SHARE_MS
      if (valid.size > 0 && !(fresh && [...valid].every((job) => shared?.asked.has(keyOf(...job))))) {
        next ??= answer()
        shared = await next
      }
      const own = new Map<string, SchedulerReport>()
      for (const [id, identity] of jobs) {
        const report = valid.has(id) ? shared?.reports.get(keyOf(id, identity)) : ({ state: 'gone' } as const)
        if (report) own.set(id, report)
      }
      return own
    },
    list: () => records(undefined, false),
    isNew(id) {
      for (const [key, earlier] of gone) if (earlier.id === id) gone.delete(key)
      renewed.add(id)
      last = undefined
    },
    forget: (client) => {
      wanted.delete(client)
    },
  }
}

function keyOf(id: string, identity: JobIdentity | undefined): AskKey {
  return identity
    ? [id, identity.name, identity.workingDirectory, identity.script ?? ''].join(FIELD_SEPARATOR)
    : id
}

/** undefined: too many to be listed. */
function idsOf(asked: readonly [AskKey, Asked][]): string[] | undefined {
  const ids = new Set(asked.map(([, { id }]) => id))
  return ids.size > MAX_IDS ? undefined : [...ids]
}

/** Records by their own id and by that of the array or heterogeneous job they are part of. */
function index(records: readonly SlurmRecord[]): Map<string, SlurmRecord[]> {
  const byId = new Map<string, SlurmRecord[]>()
  for (const record of records) {
    for (const id of new Set([record.id, record.baseId])) {
      const list = byId.get(id)
      if (list) list.push(record)
      else byId.set(id, [record])
    }
  }
  return byId
}

/** Accounting has no directory, and leaves names out that it cannot write. */
export function isSameJob(record: SlurmRecord, identity: JobIdentity | undefined): boolean {
  if (!identity) return true
  const { name, workingDirectory, script } = record
  if (script !== undefined && script === identity.script) return true
  return (
    name === identity.name && (workingDirectory ?? identity.workingDirectory) === identity.workingDirectory
  )
}

function lastReport(
  id: string,
  identity: JobIdentity | undefined,
  ended: readonly SlurmRecord[],
): SchedulerReport {
  const record = ended.filter((other) => other.id === id && isSameJob(other, identity)).at(-1)
  const report = record && reportOf(record)
  // Accounting may still call a job running whose end it missed.
  return report?.state === 'ended' ? report : { state: 'gone', forgotten: true }
}
