import { setTimeout as delay } from 'node:timers/promises'

/** What a check job goes through, in this order. */
export type CheckStage =
  | 'connect'
  | 'token'
  | 'setup'
  | 'upload'
  | 'submit'
  | 'queue'
  | 'run'
  | 'output'
  | 'clean'

/** The job did not go through: at which stage, and why. */
export class CheckFailed extends Error {
  readonly stage: CheckStage
  /** The states seen before. */
  readonly states: readonly string[]
  constructor(stage: CheckStage, message: string, states: readonly string[], cause?: unknown) {
    super(message, { cause })
    this.name = 'CheckFailed'
    this.stage = stage
    this.states = states
  }
}

/** Why a job waits; `hopeless`: it will go on waiting. */
export interface QueueReason {
  readonly text: string
  readonly hopeless: boolean
}

/** Of the answer to GET /jobs/ID/status. */
export interface StatusDocument {
  readonly status: string
  readonly complete: string
  readonly returncode?: number | null
  readonly stdout?: string | null
  readonly stderr?: string | null
  readonly job_stderr?: string | null
  readonly pulsar_version?: string
  readonly working_directory_contents?: readonly string[]
  readonly metadata_directory_contents?: readonly string[]
  readonly outputs_directory_contents?: readonly string[]
  readonly realized_dynamic_file_sources?: readonly { readonly contents?: string }[]
}

export interface FollowOptions {
  ask(): Promise<StatusDocument>
  onStatus(status: string): void
  readonly signal: AbortSignal
  readonly queueLimitMs: number
  readonly runLimitMs: number
  whyQueued?(): Promise<QueueReason | undefined>
  /** How long it waits before that is asked, and again. Default 5 s. */
  readonly whyAfterMs?: number | undefined
}

const POLL_MS = 50
const WHY_AFTER_MS = 5000

/**
 * Polls until the job has ended.
 * @throws CheckFailed at stage queue or run when it takes too long, or waits without hope
 */
export async function followJob(options: FollowOptions): Promise<StatusDocument> {
  const { signal, queueLimitMs, runLimitMs, whyAfterMs = WHY_AFTER_MS } = options
  const startedMs = performance.now()
  let runningMs: number | undefined
  let askWhyMs = startedMs + whyAfterMs
  const seen: string[] = []
  for (;;) {
    const found = await options.ask()
    if (found.status !== seen.at(-1)) {
      seen.push(found.status)
      options.onStatus(found.status)
    }
    if (found.complete === 'true') return found
    const nowMs = performance.now()
    if (found.status === 'running') runningMs ??= nowMs
    if (runningMs !== undefined) {
      if (nowMs - runningMs > runLimitMs)
        throw new CheckFailed('run', `it is still ${found.status} after ${seconds(runLimitMs)}`, seen)
    } else if (nowMs > Math.min(askWhyMs, startedMs + queueLimitMs)) {
      const why = await options.whyQueued?.()
      askWhyMs = performance.now() + whyAfterMs
      if (why?.hopeless) throw new CheckFailed('queue', why.text, seen)
      if (nowMs - startedMs > queueLimitMs) {
        const because = why ? `: ${why.text}` : ''
        throw new CheckFailed(
          'queue',
          `it is still ${found.status} after ${seconds(queueLimitMs)}${because}`,
          seen,
        )
      }
    }
    await delay(POLL_MS, undefined, { signal })
  }
}

function seconds(ms: number): string {
  return `${Math.round(ms / 1000)} s`
}
