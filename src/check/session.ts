import { randomBytes } from 'node:crypto'
import { explainCall } from './explain-answer.js'
import type { QueueReason } from './follow-job.js'
import type { NodeClient } from './node-client.js'
import { createPulsarCalls, type PulsarCalls, type SetUpJob } from './pulsar-calls.js'
import type { Target } from './target.js'
import type { ProblemKind } from './types.js'

/** How long things may take, in milliseconds. */
export interface CheckLimits {
  readonly connectMs: number
  readonly answerMs: number
  /** For a job to get its place and then to run, each. */
  readonly jobMs: number
}

/** What the checks of one run share. */
export interface Session {
  readonly target: Target
  readonly client: NodeClient
  readonly calls: PulsarCalls
  readonly signal: AbortSignal
  readonly limits: CheckLimits
  /** Asked while a job waits; only where the node's scheduler is at hand. */
  readonly whyQueued: ((jobId: string, signal: AbortSignal) => Promise<QueueReason | undefined>) | undefined
  /** Jobs that the node may have, by their ids. */
  readonly jobs: Set<string>
  /** An id that no Galaxy gives: theirs are numbers or UUIDs. */
  newJobId(purpose: string): string
  /** Runs calls; what fails is explained as something of this kind. `what`: "the upload of …". */
  explained<T>(kind: ProblemKind, what: string, run: () => Promise<T>): Promise<T>
  /** Sets a job up, to be removed in the end. */
  setUp(jobId: string): Promise<SetUpJob>
}

const GRACE_MS = 2000

export function createSession(
  options: Pick<Session, 'target' | 'client' | 'signal' | 'limits' | 'whyQueued'>,
): Session {
  const { target, client, signal, limits } = options
  // A call under way when somebody stops this may be one that makes a job: it is let end, so that the job can be removed after it.
  const late = new AbortController()
  signal.addEventListener('abort', () => setTimeout(() => late.abort(), GRACE_MS).unref(), { once: true })
  const calls = createPulsarCalls(client, late.signal)
  const run = `${Date.now()}-${randomBytes(3).toString('hex')}`
  const jobs = new Set<string>()
  const session: Session = {
    ...options,
    calls,
    jobs,
    newJobId: (purpose) => `magnetar-check-${run}-${purpose}`,
    async explained(kind, what, work) {
      try {
        const found = await work()
        signal.throwIfAborted()
        return found
      } catch (error) {
        signal.throwIfAborted()
        throw explainCall(error, { target, kind, what, timeoutMs: limits.answerMs })
      }
    },
    async setUp(jobId) {
      // It may be there although no answer says so.
      jobs.add(jobId)
      const job = await session.explained('files', 'the setup of a job', () => calls.setUp(jobId))
      if (job.job_id !== jobId) {
        // With `assign_ids: uuid` the node chooses.
        jobs.delete(jobId)
        jobs.add(job.job_id)
      }
      return job
    },
  }
  return session
}
