/** A job that the local scheduler runs, and what the system says of it. */
import { askPatiently, type Patience } from './ask-patiently.js'
import { findRunner } from './local-runner.js'
import { isAlive } from './process-table.js'
import type { SchedulerReport, Submission } from './scheduler.js'
import type { ProcessIdentity } from './started-file.js'

/** A job that holds one of the `limit` places. */
export interface RunningJob {
  readonly job: Submission
  /** undefined while it is being started. */
  process: ProcessIdentity | undefined
  /** Settles when the start is through, whatever came of it. */
  starting: Promise<void>
  killing: Promise<void> | undefined
}

/** A script marks its begin before anything else. */
export async function endOf(
  entry: RunningJob,
  exitCode: number | undefined,
  patience: Patience,
): Promise<SchedulerReport> {
  const isKilled = entry.process !== undefined && (exitCode === undefined || exitCode < 0)
  const isUnbegun = isKilled && (await askPatiently(() => findRunner(entry.job), patience)) === 'none'
  return isUnbegun ? { state: 'ended', unbegun: true } : { state: 'ended' }
}

/** Who runs the job's script now, whoever started it. */
export async function runnerOf({ job, process }: RunningJob): Promise<ProcessIdentity | undefined> {
  const found = await findRunner(job)
  return [found === 'none' ? undefined : found, process].find((one) => one && isAlive(one))
}

/** What cannot be looked at just now is looked at again. */
export function mayLive({ process }: RunningJob): boolean {
  try {
    return process !== undefined && isAlive(process)
  } catch {
    return true
  }
}

export function newEntry(job: Submission, process: ProcessIdentity | undefined): RunningJob {
  return { job, process, starting: Promise.resolve(), killing: undefined }
}
