import { join } from 'node:path'
import { quoteForShell } from '../../lib/shell.js'
import { readProcess } from '../../schedulers/processes-probe.js'
import { asNodeUser } from '../as-user.js'
import { defineExamination } from '../define-examination.js'
import { type JobDirectoryState, readJobDirectories } from '../job-directories.js'
import type { DoctorFacts, Finding, Mend } from '../types.js'

/** A job that ends takes its pid file with it a moment later. */
const STALE_PID_MS = 60_000
const OLD_DAYS = 30
const DAY_MS = 86_400_000
const SHOWN = 3

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
      fix: '`magnetar jobs expire --older-than 30d`',
    },
  },
  async examine(facts) {
    const { staging } = facts
    if (staging.length === 0)
      return [{ id: 'jobs', state: 'left-out', message: 'no job directories are known' }]
    const found = (await Promise.all(staging.map(readJobDirectories))).flat()
    const findings = judgeJobs(found, facts, Date.now())
    if (findings.length > 0) return findings
    const count = found.filter(({ isJob }) => isJob).length
    return [{ id: 'jobs', state: 'ok', message: countOf(count) }]
  },
})

function countOf(directories: number): string {
  if (directories === 0) return 'none'
  return directories === 1 ? 'one' : String(directories)
}

type Id = 'jobs' | 'job-directory-foreign' | 'pid-stale' | 'job-directories-old'

/** What is wrong with these directories. */
export function judgeJobs(
  found: readonly JobDirectoryState[],
  facts: Pick<DoctorFacts, 'user' | 'account' | 'configDirectory'>,
  nowMs: number,
): Finding<Id>[] {
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
  const old = found.filter(
    ({ isJob, endedMs }) => isJob && endedMs !== undefined && nowMs - endedMs > OLD_DAYS * DAY_MS,
  )
  if (old.length > 0)
    findings.push({
      id: 'job-directories-old',
      state: 'warn',
      message: `${old.length} of ${found.length} job directories are of jobs that ended more than ${OLD_DAYS} days ago`,
      fix: {
        command: `magnetar jobs expire --older-than ${OLD_DAYS}d --config ${quoteForShell(facts.configDirectory)}`,
      },
    })
  return findings
}

function removal(file: string, isOurs: boolean, facts: Pick<DoctorFacts, 'user' | 'account'>): Mend[] {
  const argv = isOurs ? asNodeUser(facts, ['rm', '-f', '--', file]) : undefined
  return argv ? [{ title: `remove ${file}`, argv }] : []
}

function list(paths: readonly string[]): string {
  const rest = paths.length - SHOWN
  return `${paths.slice(0, SHOWN).join(', ')}${rest > 0 ? ` and ${rest} more` : ''}`
}
