/** Processes of jobs on this machine, for `magnetar doctor`. */
import { readFile } from 'node:fs/promises'
import { sep } from 'node:path'
import { isSamePlace } from '../lib/same-place.js'
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
    if (job && isSamePlace(pid, job.root)) found.push({ pid, directory: job.directory })
  }
  return found
}

function jobOf(
  directory: string,
  staging: readonly string[],
): { readonly root: string; readonly directory: string } | undefined {
  const root = staging.find((each) => directory.startsWith(each + sep))
  if (root === undefined) return undefined
  return { root, directory: root + sep + directory.slice(root.length + 1).split(sep)[0] }
}
