/**
 * Every state word of Slurm (man squeue, JOB STATE CODES; slurm.schedmd.com/job_state_codes.html), its short code where the
 * manual gives one, and what it means here. Some words are flags which hide the base state for as long as they are set.
 */
import type { SchedulerReport } from '../scheduler.js'
import { exitCodeOf } from './exit-status.js'
import type { SlurmRecord } from './squeue.js'

interface SlurmState {
  readonly code?: string
  readonly means: 'queued' | 'running' | 'ended'
  /** Ended by the node or an admin: for people, after the state's word. */
  readonly failure?: string
}

export const SLURM_STATES: Readonly<Record<string, SlurmState>> = {
  BOOT_FAIL: { code: 'BF', means: 'ended', failure: 'the node could not be booted for it' },
  CANCELLED: {
    code: 'CA',
    means: 'ended',
    // By itself: the end of an earlier copy, or of a job that had the id before, counts for the one that waits under this id.
    failure:
      'cancelled with scancel, or by a node that could not start it, as with a full spool directory, or by Slurm itself when its controller came back without its newest state',
  },
  COMPLETED: { code: 'CD', means: 'ended' },
  // The nodes are being made ready: the script does not run yet.
  CONFIGURING: { code: 'CF', means: 'queued' },
  // Some processes or the epilog still run; how it ended is not said before they are through.
  COMPLETING: { code: 'CG', means: 'running' },
  DEADLINE: { code: 'DL', means: 'ended', failure: 'its deadline passed' },
  FAILED: { code: 'F', means: 'ended' },
  NODE_FAIL: { code: 'NF', means: 'ended', failure: 'a node of the job failed or was taken down' },
  OUT_OF_MEMORY: { code: 'OOM', means: 'ended', failure: 'it used more memory than it asked for' },
  PENDING: { code: 'PD', means: 'queued' },
  PREEMPTED: { code: 'PR', means: 'ended', failure: 'a job of higher priority took its place' },
  REQUEUED: { code: 'RQ', means: 'queued' },
  REQUEUE_FED: { code: 'RF', means: 'queued' },
  REQUEUE_HOLD: { code: 'RH', means: 'queued' },
  RESIZING: { code: 'RS', means: 'running' },
  RESV_DEL_HOLD: { code: 'RD', means: 'queued' },
  // Of a federation: another cluster took the job. It is not over; the script's own files tell when it is.
  REVOKED: { code: 'RV', means: 'queued' },
  RUNNING: { code: 'R', means: 'running' },
  SIGNALING: { code: 'SI', means: 'running' },
  SPECIAL_EXIT: { code: 'SE', means: 'queued' },
  STAGE_OUT: { code: 'SO', means: 'running' },
  // slurm-drmaa reports both kinds of stopped jobs as suspended, which Pulsar takes for queued (base_drmaa.py).
  STOPPED: { code: 'ST', means: 'queued' },
  SUSPENDED: { code: 'S', means: 'queued' },
  TIMEOUT: { code: 'TO', means: 'ended', failure: 'walltime limit reached' },
  // Flags without a short code. A failure that Slurm may yet answer by starting the job elsewhere is no end.
  LAUNCH_FAILED: { means: 'queued' },
  POWER_UP_NODE: { means: 'queued' },
  RECONFIG_FAIL: { means: 'queued' },
  UPDATE_DB: { means: 'running' },
}

const BY_CODE: ReadonlyMap<string, string> = new Map([
  ...Object.entries(SLURM_STATES).flatMap(([word, { code }]) => (code ? [[code, word] as const] : [])),
  // sacct's spelling, and squeue's before 17.11.
  ['OO', 'OUT_OF_MEMORY'],
  ['OUT_OF_ME+', 'OUT_OF_MEMORY'],
])

/** The table's word for what a command printed: full, short, cut with "+", or with a suffix ("CANCELLED by 1000"). */
export function stateWord(printed: string): string | undefined {
  const word = printed.trim().split(/[\s(]/)[0]?.toUpperCase() ?? ''
  if (word in SLURM_STATES) return word
  const byCode = BY_CODE.get(word)
  if (byCode) return byCode
  const cut = word.endsWith('+')
    ? Object.keys(SLURM_STATES).filter((full) => full.startsWith(word.slice(0, -1)))
    : []
  return cut.length === 1 ? cut[0] : undefined
}

/** What a record means; undefined for a state word that no table knows: nothing may be concluded from it. */
export function reportOf(record: SlurmRecord): SchedulerReport | undefined {
  const word = stateWord(record.state)
  const state = word === undefined ? undefined : SLURM_STATES[word]
  if (!word || !state) return undefined
  if (state.means !== 'ended') return { state: state.means }
  const { exitStatus } = record
  const failure =
    word === 'FAILED' ? failedSentence(record) : state.failure && sentence(word, state.failure, record.reason)
  // A cancelled job's status is that of scancel's SIGTERM or nothing; 0 would read as success.
  const known = exitStatus && (failure === undefined || exitStatus.code > 0 || exitStatus.signal > 0)
  return {
    state: 'ended',
    ...(failure === undefined ? {} : { failure }),
    ...(known ? { exitCode: exitCodeOf(exitStatus) } : {}),
  }
}

function sentence(word: string, meaning: string, reason: string): string {
  const by = /^by (\d+)$/.exec(reason)
  if (by) return `Slurm ended the job: ${word} (${meaning}) by uid ${by[1]}`
  return `Slurm ended the job: ${word} (${meaning})${isTelling(reason) ? `, reason ${reason}` : ''}`
}

function isTelling(reason: string): boolean {
  return reason !== '' && reason !== 'None' && reason !== 'Unknown' && reason !== 'TimeLimit'
}

/** slurmstepd could not set the job up; the number is its own, no real signal (53: JobLaunchFailure of files or directories). */
const LAUNCH_FAILURE_SIGNAL = 53

/** undefined when the script itself exited with a code: then the tool failed, not the node. */
function failedSentence({ reason, exitStatus }: SlurmRecord): string | undefined {
  const { code = 0, signal = 0 } = exitStatus ?? {}
  if (signal === LAUNCH_FAILURE_SIGNAL) {
    return `Slurm could not start the job: FAILED, reason ${reason} (0:53): its output files or its directory cannot be opened on the node; check that the staging directory is on a file system which the nodes share`
  }
  if (signal > 0 && /^(JobLaunchFailure|RaisedSignal.*|None|NonZeroExitCode)$/.test(reason)) {
    const memory =
      signal === 9 ? '; often memory: the node may have run out, or the job used more than it asked for' : ''
    return `Slurm ended the job: FAILED, reason ${reason}: killed by signal ${signal}${memory}`
  }
  if (code > 0 && (!isTelling(reason) || reason === 'NonZeroExitCode')) return undefined
  if (reason === 'NonZeroExitCode') return undefined
  return `Slurm ended the job: FAILED${isTelling(reason) ? `, reason ${reason}` : ''}`
}

/** One report for all records of a submit: arrays and heterogeneous jobs have several, and end when the last one does. */
export function combineReports(reports: readonly SchedulerReport[]): SchedulerReport | undefined {
  const live =
    reports.find(({ state }) => state === 'running') ?? reports.find(({ state }) => state === 'queued')
  if (live) return live
  return (
    reports.find(({ failure }) => failure !== undefined) ??
    reports.find(({ exitCode }) => exitCode !== undefined && exitCode !== 0) ??
    reports[0]
  )
}
