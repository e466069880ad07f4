import { messageOf } from '../lib/errors.js'
import { quoteForShell } from '../lib/shell.js'
import {
  CheckFailed,
  type CheckStage,
  followJob,
  type QueueReason,
  type StatusDocument,
} from './follow-job.js'
import type { NodeClient } from './node-client.js'
import { createPulsarCalls, type PulsarCalls, Refused, removeJob, type SetUpJob } from './pulsar-calls.js'

export interface CheckReport {
  /** submitted, queued, running, complete: as they were seen. */
  readonly states: readonly string[]
  /** From the submit to the end. */
  readonly ms: number
  /** The host that the job ran on. */
  readonly node: string
  /** Cores that the job was given (GALAXY_SLOTS). */
  readonly slots: string
  /** What was sent with the job, as it came back. */
  readonly greeting: string
}

export interface CheckOptions {
  readonly client: NodeClient
  readonly signal: AbortSignal
  /** At each change of state. */
  readonly onStatus?: (status: string) => void
  /** How long it may wait for a place to run, and then run. Default: two minutes, one minute. */
  readonly queueLimitMs?: number
  readonly runLimitMs?: number
  /** Asked while the job waits: after five seconds, or `whyAfterMs`, and again and again. */
  readonly whyQueued?: (jobId: string, signal: AbortSignal) => Promise<QueueReason | undefined>
  readonly whyAfterMs?: number
  /** How long the job takes on purpose, so that its running can be seen. Default 0.2. */
  readonly seconds?: number
}

const QUEUE_LIMIT_MS = 120_000
const RUN_LIMIT_MS = 60_000
const MAX_PROBLEM = 500
const GREETING = 'Hello from Galaxy'

/**
 * Sends one real job through a node, as a client would: set up, upload, submit, watch, fetch, clean. It is removed again
 * whatever happens.
 * @throws CheckFailed with the stage; the signal's reason when aborted
 */
export async function runCheckJob(options: CheckOptions): Promise<CheckReport> {
  const { client, signal } = options
  const states: string[] = []
  let stage: CheckStage = 'connect'
  let jobId: string | undefined
  const calls = createPulsarCalls(client, signal)
  const note = (status: string): void => {
    states.push(status)
    options.onStatus?.(status)
  }
  try {
    await calls.version()
    stage = 'setup'
    jobId = `magnetar-check-${Date.now()}-${process.pid}`
    const job = await calls.setUp(jobId)
    // With `assign_ids: uuid` the node chooses.
    jobId = job.job_id
    stage = 'upload'
    await calls.upload(jobId, { name: 'greeting', type: 'input' }, GREETING)
    stage = 'submit'
    const startedMs = performance.now()
    await calls.submit(jobId, { command_line: commandOf(job, options.seconds ?? 0.2) })
    note('submitted')
    stage = 'queue'
    const ended = await follow(options, jobId, calls, note)
    const ms = Math.round(performance.now() - startedMs)
    stage = 'run'
    if (ended.status !== 'complete' || ended.returncode !== 0)
      throw new CheckFailed(stage, describeEnd(ended), states)
    stage = 'output'
    const output = (await calls.download(jobId, { name: 'answer', type: 'output' })).toString('utf8')
    const [greeting = '', node = '', slots = ''] = output.split('\n')
    if (greeting !== GREETING || node === '')
      throw new CheckFailed(stage, `it came back as ${JSON.stringify(output.slice(0, MAX_PROBLEM))}`, states)
    stage = 'clean'
    await calls.clean(jobId)
    jobId = undefined
    return { states, ms, node, slots, greeting }
  } catch (error) {
    if (signal.aborted) throw signal.reason
    if (error instanceof CheckFailed) throw new CheckFailed(error.stage, error.message, states, error)
    const isToken = error instanceof Refused && error.status === 401
    throw new CheckFailed(isToken ? 'token' : stage, messageOf(error), states, error)
  } finally {
    if (jobId !== undefined) await removeJob(client, jobId)
  }
}

function follow(
  options: CheckOptions,
  jobId: string,
  calls: PulsarCalls,
  note: (status: string) => void,
): Promise<StatusDocument> {
  const { signal, queueLimitMs = QUEUE_LIMIT_MS, runLimitMs = RUN_LIMIT_MS, whyQueued, whyAfterMs } = options
  return followJob({
    ask: () => calls.status(jobId),
    onStatus: note,
    signal,
    queueLimitMs,
    runLimitMs,
    whyAfterMs,
    ...(whyQueued ? { whyQueued: () => whyQueued(jobId, signal) } : {}),
  })
}

function commandOf(job: SetUpJob, seconds: number): string {
  const input = quoteForShell(`${job.inputs_directory}/greeting`)
  const output = quoteForShell(`${job.outputs_directory}/answer`)
  return `sleep ${seconds} && { cat ${input} && echo && uname -n && echo "$GALAXY_SLOTS"; } > ${output}`
}

function describeEnd({ status, returncode, stderr }: StatusDocument): string {
  const end = status === 'complete' ? `it ended with return code ${returncode}` : `it ended as ${status}`
  const said = (stderr ?? '').trim().slice(-MAX_PROBLEM)
  return said === '' ? end : `${end}: ${said}`
}
