/** Starting one job script as a process of its own that outlives the server, and the J/pid file that goes with it. */
import { type ChildProcess, spawn } from 'node:child_process'
import { open, rm, writeFile } from 'node:fs/promises'
import { constants } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { errnoOf, messageOf } from '../lib/errors.js'
import { localJobEnvironment } from './local-environment.js'
import type { Submission } from './scheduler.js'

export interface StartedProcess {
  readonly pid: number
  /** Resolves at its end: exit code, or the negative number of the signal. */
  readonly ended: Promise<number>
}

/** The script could not be started; the message says why and what to do. */
export class StartFailed extends Error {}

// Another spawn of this process may for a moment hold the descriptor through which the script was written.
const TEXT_BUSY_TRIES = 10
const TEXT_BUSY_WAIT_MS = 10

/**
 * Starts the script in a session of its own: working directory, /dev/null, the two files (created, or emptied), the
 * small environment. `mayStart` is asked last, just before the process would exist.
 * @returns undefined when mayStart said no.
 * @throws StartFailed
 */
export async function startScript(
  job: Submission,
  mayStart: () => boolean,
): Promise<StartedProcess | undefined> {
  const opened = await openStreams(job)
  try {
    for (let tries = 1; ; tries += 1) {
      if (!mayStart()) return undefined
      try {
        return await spawnScript(job, opened[0].fd, opened[1].fd)
      } catch (error) {
        if (errnoOf(error) !== 'ETXTBSY' || tries === TEXT_BUSY_TRIES) throw startFailed(job, error)
        await sleep(TEXT_BUSY_WAIT_MS)
      }
    }
  } finally {
    await Promise.all(opened.map((file) => file.close()))
  }
}

async function openStreams(job: Submission) {
  const stdout = await open(job.stdout, 'w').catch((error: unknown) => {
    throw startFailed(job, error)
  })
  try {
    return [stdout, await open(job.stderr, 'w')] as const
  } catch (error) {
    await stdout.close()
    throw startFailed(job, error)
  }
}

async function spawnScript(job: Submission, stdout: number, stderr: number): Promise<StartedProcess> {
  const child = spawn(job.script, [], {
    cwd: job.workingDirectory,
    detached: true,
    stdio: ['ignore', stdout, stderr],
    env: localJobEnvironment(job.workingDirectory),
  })
  const failed = new Promise<never>((_, reject) => child.on('error', reject))
  // A start that failed is told in the next tick; awaiting it here only when there is no process.
  if (child.pid === undefined) return await failed
  failed.catch(() => {})
  const ended = exitOf(child)
  child.unref()
  return { pid: child.pid, ended }
}

function exitOf(child: ChildProcess): Promise<number> {
  return new Promise((resolve) => {
    child.once('exit', (code, signal) => resolve(code ?? (signal === null ? -1 : -constants.signals[signal])))
  })
}

const START_HINTS: Readonly<Record<string, string>> = {
  EAGAIN: 'the process limit of the user or of the machine is reached (ulimit -u, TasksMax)',
  ENOMEM: 'the machine has no memory left',
  E2BIG: 'the environment is too long',
  EMFILE: 'the server has no file descriptors left (ulimit -n, LimitNOFILE)',
  ENFILE: 'the machine has no file descriptors left',
  EACCES: 'permission denied, or the file system of the staging directory is mounted noexec',
  ENOENT: 'the script, its directory or /bin/bash does not exist',
  ENOSPC: 'no space left on the disk that holds the job directories',
  EDQUOT: 'the disk quota of the user is used up',
}

function startFailed(job: Submission, error: unknown): StartFailed {
  const errno = errnoOf(error)
  const why = (errno && START_HINTS[errno]) ?? messageOf(error)
  return new StartFailed(`The job could not be started (${errno ?? 'error'}): ${why}; script ${job.script}`, {
    cause: error,
  })
}

/** Writes J/pid as the Python Pulsar does (a JSON string): it takes over a job that is running from it. */
export async function writePidFile(jobDirectory: string, pid: number): Promise<void> {
  await writeFile(join(jobDirectory, 'pid'), JSON.stringify(String(pid)))
}

export async function removePidFile(jobDirectory: string): Promise<void> {
  await rm(join(jobDirectory, 'pid'), { force: true })
}
