import { readdir, readFile } from 'node:fs/promises'
import { sep } from 'node:path'
import { runCommand } from '../../lib/exec.js'

/** Jobs of a node that have not ended, whether or not its server runs. */
export interface RunningJobs {
  /** Processes of this machine. */
  readonly here: number
  /** Waiting or running on Slurm; undefined: Slurm does not answer. */
  readonly onSlurm: number | undefined
}

const SQUEUE_TIMEOUT_MS = 10_000
/** As in src/schedulers/slurm/command.ts: in no name and no path. */
const SEPARATOR = '\x1f'
/** What every process of a local job has in its environment (src/schedulers/local-environment.ts). */
const MARKER = '_GALAXY_JOB_DIR='

/** Looks for the jobs whose directories are below `staging`. As anybody but root only one's own processes can be seen. */
export async function findRunningJobs(
  staging: readonly string[],
  usesSlurm: boolean,
  signal: AbortSignal,
): Promise<RunningJobs> {
  const [here, onSlurm] = await Promise.all([
    countProcesses(staging),
    usesSlurm ? countOnSlurm(staging, signal) : 0,
  ])
  return { here, onSlurm }
}

async function countProcesses(staging: readonly string[]): Promise<number> {
  const directories = new Set<string>()
  for (const pid of await readdir('/proc')) {
    if (!/^\d+$/.test(pid)) continue
    // Gone in between, or another user's.
    const environment = await readFile(`/proc/${pid}/environ`, 'utf8').catch(() => '')
    const entry = environment.split('\0').find((each) => each.startsWith(MARKER))
    const job = entry === undefined ? undefined : jobOf(entry.slice(MARKER.length), staging)
    if (job !== undefined) directories.add(job)
  }
  return directories.size
}

async function countOnSlurm(staging: readonly string[], signal: AbortSignal): Promise<number | undefined> {
  const args = ['-h', '-o', ['%A', '%Z'].join(SEPARATOR)]
  const result = await runCommand('squeue', args, {
    timeoutMs: SQUEUE_TIMEOUT_MS,
    signal,
    maxOutputBytes: 64 * 1024 * 1024,
  }).catch(() => undefined)
  signal.throwIfAborted()
  if (result?.code !== 0 || result.timedOut) return undefined
  const directories = result.stdout.split('\n').map((line) => line.split(SEPARATOR)[1] ?? '')
  return directories.filter((directory) => jobOf(directory, staging) !== undefined).length
}

/** The job directory that a working directory is in. */
function jobOf(directory: string, staging: readonly string[]): string | undefined {
  const root = staging.find((each) => directory.startsWith(each + sep))
  if (root === undefined) return undefined
  return root + sep + directory.slice(root.length + 1).split(sep)[0]
}
