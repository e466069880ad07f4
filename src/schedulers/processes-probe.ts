/** Processes of jobs on this machine, for `magnetar doctor`. */
import { readFile, stat } from 'node:fs/promises'
import { sep } from 'node:path'
import { type ProcessEntry, readProcess as readEntry, readProcesses } from './process-table.js'

export interface JobProcess {
  readonly pid: number
  /** The job directory that it was started for. */
  readonly directory: string
}

/** What every process of a job has in its environment (local-environment.ts, the job script). */
const MARKER = '_GALAXY_JOB_DIR='

/** One process, undefined when it is not there or dead. */
export function readProcess(pid: number): ProcessEntry | undefined {
  return readEntry(pid)
}

/** Those started for jobs whose directories are below `staging`. As anybody but root only one's own can be seen. */
export async function findJobProcesses(staging: readonly string[]): Promise<JobProcess[]> {
  const found: JobProcess[] = []
  for (const { pid } of readProcesses()) {
    // Gone in between, or another user's.
    const environment = await readFile(`/proc/${pid}/environ`, 'utf8').catch(() => '')
    const entry = environment.split('\0').find((each) => each.startsWith(MARKER))
    const job = entry === undefined ? undefined : jobOf(entry.slice(MARKER.length), staging)
    if (job && (await isSamePlace(pid, job.root))) found.push({ pid, directory: job.directory })
  }
  return found
}

/** Whether a process means the same directory by this path: in a container it may be another one. */
async function isSamePlace(pid: number, directory: string): Promise<boolean> {
  try {
    const [theirs, ours] = await Promise.all([stat(`/proc/${pid}/root${directory}`), stat(directory)])
    return theirs.dev === ours.dev && theirs.ino === ours.ino
  } catch {
    // Gone in between, or there is no such directory on one side.
    return false
  }
}

function jobOf(
  directory: string,
  staging: readonly string[],
): { readonly root: string; readonly directory: string } | undefined {
  const root = staging.find((each) => directory.startsWith(each + sep))
  if (root === undefined) return undefined
  return { root, directory: root + sep + directory.slice(root.length + 1).split(sep)[0] }
}
