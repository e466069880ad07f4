/**
 * The contract between the jobs room and whatever runs jobs. One file (or folder) per scheduler, one conformance
 * suite (test/conformance/scheduler.ts) that runs on every one of them.
 */

/** What a scheduler knows of a job. A job it has forgotten is `gone`: the job script's own files then decide. */
export type SchedulerState = 'queued' | 'running' | 'ended' | 'gone'

export interface SchedulerReport {
  readonly state: SchedulerState
  /**
   * Of one that is `gone`: this scheduler shows for a while what has ended or was removed, so it has forgotten the job. Others answer
   * the same when somebody has removed it.
   */
  readonly forgotten?: true
  /** Of one that has ended: its process went by a signal, or nobody knows how, and its script had not come to its first line. */
  readonly unbegun?: true
  /**
   * Set when the node, not the tool, ended the job: walltime, memory, node failure, cancelled from outside, launch
   * failure. A sentence for the admin, in Slurm's own words where there are some.
   */
  readonly failure?: string
  /** Why the job failed, should its script have left no return code: the scheduler cannot tell a tool that failed from one that was killed. */
  readonly unexplained?: string
  /** Exit code as the scheduler saw it (negative: signal), when it knows; the script's return_code file goes before it. */
  readonly exitCode?: number
}

/** Everything needed to run one job's script. */
export interface Submission {
  readonly jobId: string
  /** Name unique to the job within this node, shown by squeue: lets a crash between submit and its record be reconciled. */
  readonly name: string
  /** The job directory, absolute. */
  readonly directory: string
  /** The job script, absolute, executable, complete with scheduler headers. */
  readonly script: string
  readonly workingDirectory: string
  /** Files that take the script's own streams. */
  readonly stdout: string
  readonly stderr: string
  /** Where this machine runs the script: awaited before it is started. Rejects when it is not to be started any more. */
  readonly willStart?: () => Promise<void>
}

/** A submission whose external id was never recorded, or whose process must be found again after a restart. */
export interface RecoverRequest extends Submission {
  readonly externalId: string | undefined
}

export interface SchedulerProbe {
  readonly ok: boolean
  /** "slurm 22.05.8", "local, 4 at a time" */
  readonly summary: string
  /** What is wrong and how to fix it, when not ok. */
  readonly detail?: string
}

export interface Scheduler {
  /** `#SBATCH …` lines to stand under the first line of the job script; empty where there are none. Pure. */
  headers(job: Omit<Submission, 'script'>, params: SubmitParams): readonly string[]
  /**
   * Hands the job over; resolves with the external id once the scheduler has it.
   * @throws SubmitRejected when it will never take this job (bad partition …): the job fails with that reason.
   * @throws SchedulerDown when it cannot be reached: the caller tries again. SchedulerClosed: likewise, and other jobs need not wait.
   */
  submit(job: Submission, signal: AbortSignal): Promise<string>
  /**
   * The state of all these jobs in one call. An id that is left out was not answered for: "unknown, keep asking".
   * @throws SchedulerDown when it cannot be reached: every job keeps its state.
   */
  states(externalIds: readonly string[], signal: AbortSignal): Promise<ReadonlyMap<string, SchedulerReport>>
  /** Stops a job and everything it started. Idempotent: a job that ended or is unknown is no error. @throws SchedulerDown */
  cancel(externalId: string, signal: AbortSignal): Promise<void>
  /**
   * After a restart: the external ids of those jobs which the scheduler has (queued or running, or ended and still
   * known). A job left out was never handed over, or is forgotten. @throws SchedulerDown
   */
  recover(jobs: readonly RecoverRequest[], signal: AbortSignal): Promise<ReadonlyMap<string, string>>
  /** Calls back with an external id whenever its state is known to have changed; returns how to stop that. */
  onChange(listener: (externalId: string) => void): () => void
  /** How soon to ask again, given the age of the youngest job without news; Infinity: onChange tells everything. */
  pollIntervalMs(youngestAgeMs: number): number
  probe(signal: AbortSignal): Promise<SchedulerProbe>
  /** Lets go of timers and listeners. Running jobs go on. */
  close(): Promise<void>
}

/** Parameters of one submit: `submit_params` of the request, already free of the `submit_` prefix. */
export type SubmitParams = Readonly<Record<string, string>>

/** The scheduler refuses this job for good. The message reaches the admin and Galaxy. */
export class SubmitRejected extends Error {
  readonly kind: 'partition' | 'account' | 'qos' | 'memory' | 'node' | 'time' | 'script' | 'other'
  constructor(kind: SubmitRejected['kind'], message: string) {
    super(message)
    this.name = 'SubmitRejected'
    this.kind = kind
  }
}

/** The scheduler does not answer; nothing is known, and nothing may be concluded. */
export class SchedulerDown extends Error {
  constructor(message: string) {
    super(message)
    this.name = 'SchedulerDown'
  }
}

/** The scheduler answers, and takes no such job for now (a partition that is drained); others it may take. */
export class SchedulerClosed extends SchedulerDown {}
