/** Why a job's script could not be started, as a sentence that says what to do. */
import { constants } from 'node:fs'
import { access, open, stat } from 'node:fs/promises'
import { errnoOf, messageOf } from '../lib/errors.js'
import type { StuckStart } from './job-runner.js'
import type { StartProblem } from './job-runner-wire.js'
import type { Submission } from './scheduler.js'

/** The script could not be started, and will not be; the message says why and what to do. */
export class StartFailed extends Error {}

const HINTS: Readonly<Record<string, string>> = {
  EAGAIN: 'the process limit of the user or of the machine is reached (ulimit -u, TasksMax)',
  ENOMEM: 'the machine has no memory left',
  EMFILE: 'the server has no file descriptors left (ulimit -n, LimitNOFILE)',
  ENFILE: 'the machine has no file descriptors left',
  EACCES: 'permission denied',
  ENOENT: 'the script, its directory or /bin/bash does not exist',
  ENOSPC: 'no space left on the disk that holds the job directories',
  EDQUOT: 'the disk quota of the user is used up',
}

/** Words for what the system says (`error` has an errno) or for our own. */
export function startFailed(job: Submission, error: unknown): StartFailed {
  const errno = errnoOf(error)
  const why = (errno && HINTS[errno]) ?? messageOf(error)
  return new StartFailed(`The job could not be started (${errno ?? 'error'}): ${why}; script ${job.script}`, {
    cause: error,
  })
}

/** A start that is under way for too long, and what an admin can do about it. */
export function explainStuck({ jobId, ms, helper, leader }: StuckStart): string {
  const waits = `Job ${jobId} has been its turn for ${Math.round(ms / 1000)} s`
  if (leader !== undefined)
    return `${waits}, but process ${leader}, which does it, hangs: perhaps with the file system of its directory. kill -9 ${leader} gives the job up.`
  if (helper === undefined) return `${waits}, but the process that starts jobs is not there.`
  return `${waits}, but process ${helper}, which starts jobs, hangs. kill -9 ${helper} has the server make another; jobs go on.`
}

/** The helper only knows what it could not do: the system is asked once more for the reason. */
export async function explainProblem(job: Submission, problem: StartProblem): Promise<StartFailed> {
  if (problem === 'fork') return startFailed(job, Object.assign(new Error('cannot fork'), { code: 'EAGAIN' }))
  try {
    await attempt(job, problem)
  } catch (error) {
    return startFailed(job, error)
  }
  return startFailed(
    job,
    new Error(`${NAMES[problem]} could not be opened, but can be now; run the job again`),
  )
}

const NAMES: Readonly<Record<Exclude<StartProblem, 'fork'>, string>> = {
  script: 'the job script',
  directory: 'the working directory',
  streams: 'the files for standard output and error',
}

async function attempt(job: Submission, problem: Exclude<StartProblem, 'fork'>): Promise<void> {
  if (problem === 'script') return access(job.script, constants.R_OK)
  if (problem === 'directory') {
    await access(job.workingDirectory, constants.X_OK)
    if (!(await stat(job.workingDirectory)).isDirectory())
      throw new Error(`${job.workingDirectory} is not a directory`)
    return
  }
  for (const file of [job.stdout, job.stderr]) await (await open(file, 'a')).close()
}
