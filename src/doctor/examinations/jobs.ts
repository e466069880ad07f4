import { basename, join } from 'node:path'
import { quoteForShell } from '../../lib/shell.js'
import { readProcess } from '../../schedulers/processes-probe.js'
import { asNodeUser } from '../as-user.js'
import { defineExamination } from '../define-examination.js'
import { type JobDirectoryState, readJobDirectories } from '../job-directories.js'
import { DAY_MS, OLD_DAYS } from '../server-jobs.js'
import type { DoctorFacts, Finding, Mend, ServerJobs } from '../types.js'

/** A job that ends takes its pid file with it a moment later. */
const STALE_PID_MS = 60_000
/** Files that travel for so long are worth a look; a tool may run for weeks. */
const STUCK_MS = DAY_MS
const STOPPING_MS = 600_000
const SHOWN = 3
const MAX_ASKED = 20

/** The directories of jobs. */
export const jobs = defineExamination({
  id: 'jobs',
  title: 'job directories',
  group: 'Jobs',
  findings: {
    'job-directory-foreign': {
      state: 'fail',
      meaning:
        'a job directory belongs to another user: the server can neither go on with the job nor remove it',
      fix: '`chown -R USER:GROUP DIRECTORY`',
    },
    'pid-stale': {
      state: 'warn',
      meaning:
        'a job’s pid file names a process that is gone. The number may be given to another process, which a Python Pulsar would then take for the job',
      fix: '`rm DIRECTORY/pid`; `--fix` does it',
    },
    'job-directories-old': {
      state: 'warn',
      meaning:
        'directories of jobs that ended more than 30 days ago are still there: Galaxy does not clean them up any more',
      fix: '`magnetar jobs expire --older-than 30d`, which asks the running server',
    },
    'job-directories-unknown': {
      state: 'warn',
      meaning:
        'directories of jobs that ended more than 30 days ago and that the server knows nothing of: another Pulsar left them, or its records were lost',
      fix: 'look at them, then `rm -rf DIRECTORY`',
    },
    'jobs-not-started': {
      state: 'fail',
      meaning:
        'the server has had no local job started for half a minute though one is its turn, or its configuration lets none run',
      fix: 'the message says which process hangs and what to do',
    },
    'job-stuck': {
      state: 'warn',
      meaning:
        'files of a job travel for more than a day, or a cancelled job is still being stopped after 10 minutes',
      fix: '`magnetar jobs show ID` says what it waits for; `magnetar jobs cancel ID` gives it up',
    },
  },
  async examine(facts) {
    const { staging } = facts
    if (staging.length === 0)
      return [{ id: 'jobs', state: 'left-out', message: 'no job directories are known' }]
    const found = (await Promise.all(staging.map(readJobDirectories))).flat()
    const server = await facts.jobs()
    const nowMs = Date.now()
    const unknown = server === undefined ? [] : await findUnknown(findOld(found, nowMs), server)
    const findings = judgeJobs(found, { ...facts, server, unknown }, nowMs)
    if (findings.length > 0) return findings
    const count = found.filter(({ isJob }) => isJob).length
    return [{ id: 'jobs', state: 'ok', message: countOf(count) }]
  },
})

function countOf(directories: number): string {
  if (directories === 0) return 'none'
  return directories === 1 ? 'one' : String(directories)
}

type Id =
  | 'jobs'
  | 'job-directory-foreign'
  | 'pid-stale'
  | 'job-directories-old'
  | 'job-directories-unknown'
  | 'jobs-not-started'
  | 'job-stuck'

type Place = Pick<DoctorFacts, 'user' | 'account' | 'configDirectory'> & {
  /** undefined: it cannot be asked. */
  readonly server: Pick<ServerJobs, 'list' | 'expired' | 'stalled'> | undefined
  /** Old directories that it has no record of. */
  readonly unknown: readonly string[]
}

/** What is wrong with these directories. */
export function judgeJobs(found: readonly JobDirectoryState[], facts: Place, nowMs: number): Finding<Id>[] {
  const { user } = facts
  const findings: Finding<Id>[] = []
  const foreign = user === undefined ? [] : found.filter(({ uid }) => uid !== user.uid)
  if (user !== undefined && foreign.length > 0)
    findings.push({
      id: 'job-directory-foreign',
      state: 'fail',
      message: `not ${user.name}'s: ${list(foreign.map(({ path }) => path))}`,
      fix: {
        command: `chown -R ${quoteForShell(user.name)}:${user.gid} ${foreign.map(({ path }) => quoteForShell(path)).join(' ')}`,
      },
    })
  const stale = found.filter(
    ({ pid }) => pid && nowMs - pid.sinceMs > STALE_PID_MS && readProcess(pid.pid) === undefined,
  )
  if (stale.length > 0) {
    const files = stale.map(({ path }) => join(path, 'pid'))
    const mends = stale.flatMap(({ path, uid, isJob }) =>
      removal(join(path, 'pid'), isJob && uid === user?.uid, facts),
    )
    findings.push({
      id: 'pid-stale',
      state: 'warn',
      message: `names a process that is gone: ${list(files)}`,
      fix: {
        command: `rm -f ${files.map(quoteForShell).join(' ')}`,
        ...(mends.length > 0 ? { mends } : {}),
      },
    })
  }
  const old = findOld(found, nowMs)
  findings.push(...judgeOld(old, found.length, facts), ...judgeStalled(facts), ...judgeStuck(facts, nowMs))
  return findings
}

function findOld(found: readonly JobDirectoryState[], nowMs: number): JobDirectoryState[] {
  return found.filter(
    ({ isJob, endedMs }) => isJob && endedMs !== undefined && nowMs - endedMs > OLD_DAYS * DAY_MS,
  )
}

/** Only what the server has a record of can it remove. */
async function findUnknown(old: readonly JobDirectoryState[], server: ServerJobs): Promise<string[]> {
  const unknown: string[] = []
  for (const { path } of old.filter((each) => !server.expired.includes(each.path)).slice(0, MAX_ASKED))
    if (!(await server.has(basename(path)))) unknown.push(path)
  return unknown
}

function judgeOld(
  old: readonly JobDirectoryState[],
  all: number,
  { unknown, server, configDirectory }: Place,
): Finding<Id>[] {
  const expired = old.filter(({ path }) => server === undefined || server.expired.includes(path))
  const findings: Finding<Id>[] = []
  const at = quoteForShell(configDirectory)
  if (expired.length > 0)
    findings.push({
      id: 'job-directories-old',
      state: 'warn',
      message: `${expired.length} of ${all} job directories are of jobs that ended more than ${OLD_DAYS} days ago`,
      fix: {
        ...(server === undefined ? { text: 'When the server runs:' } : {}),
        command: `magnetar jobs expire --older-than ${OLD_DAYS}d --config ${at}`,
      },
    })
  if (unknown.length > 0)
    findings.push({
      id: 'job-directories-unknown',
      state: 'warn',
      message: `of jobs that ended more than ${OLD_DAYS} days ago, and the server knows nothing of them: ${list(unknown)}`,
      fix: {
        text: 'Another Pulsar left them, or the records were lost. When nobody needs them:',
        command: `rm -rf ${unknown.map(quoteForShell).join(' ')}`,
      },
    })
  return findings
}

function judgeStalled({ server, configDirectory }: Place): Finding<Id>[] {
  return (server?.stalled ?? []).map(({ manager, why }) => ({
    id: 'jobs-not-started',
    state: 'fail',
    message: `manager ${manager} starts no jobs. ${why}`,
    fix: { command: `magnetar status --config ${quoteForShell(configDirectory)}` },
  }))
}

function judgeStuck({ server, configDirectory }: Place, nowMs: number): Finding<Id>[] {
  const stuck = (server?.list ?? []).filter(({ status, sinceMs, stopping }) => {
    const ms = nowMs - sinceMs
    return stopping ? ms > STOPPING_MS : /^(pre|post)processing$/.test(status) && ms > STUCK_MS
  })
  const [first] = stuck
  if (first === undefined) return []
  const what = first.stopping ? 'is still being stopped' : `is ${first.status}`
  const others = stuck.length === 1 ? '' : `, and ${stuck.length - 1} more`
  const days = Math.floor((nowMs - first.sinceMs) / DAY_MS)
  const long = days === 0 ? '' : days === 1 ? ' since yesterday' : ` for ${days} days`
  const why = first.reason === undefined ? '' : `: ${first.reason.split('\n', 1)[0]}`
  return [
    {
      id: 'job-stuck',
      state: 'warn',
      message: `job ${first.id} ${what}${long}${others}${why}`,
      fix: {
        text: '"magnetar jobs cancel" gives such a job up. What it waits for:',
        command: `magnetar jobs show ${quoteForShell(first.id)} --config ${quoteForShell(configDirectory)}`,
      },
    },
  ]
}

function removal(file: string, isOurs: boolean, facts: Pick<DoctorFacts, 'user' | 'account'>): Mend[] {
  const argv = isOurs ? asNodeUser(facts, ['rm', '-f', '--', file]) : undefined
  return argv ? [{ title: `remove ${file}`, argv }] : []
}

function list(paths: readonly string[]): string {
  const rest = paths.length - SHOWN
  return `${paths.slice(0, SHOWN).join(', ')}${rest > 0 ? ` and ${rest} more` : ''}`
}
