/**
 * A job that a Python server has started on this machine: its process is found again and noted in J/started, as our own script does,
 * so that from then on it is one of ours.
 */
import { link, lstat, rm, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { errnoOf } from '../lib/errors.js'
import { readOwnFileSoon } from '../lib/own-file.js'
import { isSamePlace } from '../lib/same-place.js'
import { commandLine, hasEnvironment, identify, readProcesses, workingDirectoryOf } from './process-table.js'
import type { Submission } from './scheduler.js'
import { type ProcessIdentity, refusesSecondRun, STARTED_FILE, startedLine } from './started-file.js'

type JobFiles = Pick<Submission, 'directory' | 'script'>

/**
 * Why a job fails that a Python server had started and whose end nobody saw: the exit code of a process is told only to the one that
 * started it (pulsar/managers/unqueued.py:_monitor_execution), and the script leaves none when its command ends the shell.
 */
export const ENDED_UNSEEN =
  'The process of the job ended without leaving a return code: its command ended the shell of the job by itself (exit), or it was killed. Which of them, only the Python Pulsar that had started it could have seen, and that was stopped by then.'

const SHELLS: readonly string[] = ['sh', 'bash', 'dash', 'busybox']

/**
 * Whether J/pid names a live process of the job, or J/started says already that it has begun.
 * @throws the system's error when that cannot be noted
 */
export async function adoptByPid(job: JobFiles): Promise<boolean> {
  if (await isThere(join(job.directory, STARTED_FILE))) return true
  const process = await processOfPidFile(job)
  if (process) await note(job, process)
  return process !== undefined
}

/** Whether J/pid names a live process of the job; nothing is noted. */
export async function livesByPid(job: JobFiles): Promise<boolean> {
  return (await processOfPidFile(job)) !== undefined
}

/** Whether the script that has run is one of a Python server. */
export async function isForeignScript(script: string): Promise<boolean> {
  const text = await readOwnFileSoon(script).catch(() => undefined)
  return text !== undefined && !refusesSecondRun(text)
}

/** The same by the command line, when J/pid is missing or cut off: a look at every process of the machine. */
export async function adoptByScript(job: JobFiles): Promise<boolean> {
  const found = readProcesses().find(
    ({ pid }) => runsScript(pid, job.script) && isSamePlace(pid, job.script) !== false,
  )
  const process = found && identify(found.pid)
  if (process) await note(job, process)
  return process !== undefined
}

/**
 * A pid is used again by the system, and directories are copied to other machines: the process must show by its command line, its
 * environment or the directory it works in that it is this job's. From then on its start time tells it from others.
 */
async function processOfPidFile({ directory, script }: JobFiles): Promise<ProcessIdentity | undefined> {
  // The job may have put anything there, a pipe for instance.
  const text = (await readOwnFileSoon(join(directory, 'pid')).catch(() => undefined)) ?? ''
  // A JSON string; other releases of Pulsar wrote the bare number.
  const pid = Number(/^"?(\d+)"?\s*$/.exec(text)?.[1] ?? 0)
  const found = pid > 1 ? identify(pid) : undefined
  const isOurs =
    runsScript(pid, script) ||
    hasEnvironment(pid, `_GALAXY_JOB_HOME_DIR=${join(directory, 'home')}`) ||
    workingDirectoryOf(pid)?.startsWith(`${directory}/`)
  return isOurs && isSamePlace(pid, directory) !== false ? found : undefined
}

/** `/bin/bash SCRIPT`, or the `/bin/sh -c SCRIPT` that waits for it; not the editor in which somebody reads it. */
function runsScript(pid: number, script: string): boolean {
  const [program = '', first, second] = commandLine(pid)
  if (!SHELLS.includes(basename(program))) return false
  return first === script || (first === '-c' && second === script)
}

/** Whole or not at all, and never over what a script has written itself. */
async function note({ directory }: JobFiles, process: ProcessIdentity): Promise<void> {
  const temporary = join(directory, '.magnetar-started')
  // A new file: the job may have put a link to somebody else's there.
  await rm(temporary, { force: true, recursive: true })
  await writeFile(temporary, startedLine(process), { flag: 'wx' })
  try {
    await link(temporary, join(directory, STARTED_FILE))
  } catch (error) {
    if (errnoOf(error) !== 'EEXIST') throw error
  } finally {
    await rm(temporary, { force: true })
  }
}

async function isThere(file: string): Promise<boolean> {
  try {
    await lstat(file)
    return true
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return false
    throw error
  }
}
