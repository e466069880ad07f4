import { type CheckReport, runCheckJob } from '../../check/check-job.js'
import { CheckFailed, type CheckStage } from '../../check/follow-job.js'
import { lookUpUser, type User } from '../../lib/accounts.js'
import { MagnetarError } from '../../lib/errors.js'
import { recentComplaints } from '../services/server-log.js'
import type { Answers, Facts, NodePaths } from '../types.js'
import { type CheckServer, startCheckServer } from './check-server.js'
import { type NodeAccess, readNodeAccess } from './node-access.js'
import { whySlurmWaits } from './slurm-reason.js'
import { askHealth } from './wait-healthy.js'

export interface VerifyOptions {
  readonly paths: NodePaths
  readonly answers: Pick<Answers, 'service' | 'start' | 'user'>
  readonly facts: Pick<Facts, 'account'>
  readonly signal: AbortSignal
  /** At each change of the job's state: submitted, queued, running, complete. */
  readonly onStatus?: (status: string) => void
  /** How long the job may wait for its place. Default: two minutes. */
  readonly queueLimitMs?: number
}

export type VerifyResult =
  | { readonly ran: true; readonly states: readonly string[]; readonly ms: number; readonly node: string }
  /** `why` is a sentence: the node is not started. */
  | { readonly ran: false; readonly why: string }

/** VERIFY_FAILED, with what a program wants to know. */
export class VerifyFailed extends MagnetarError {
  readonly stage: CheckStage
  /** Of the job, as they were seen before. */
  readonly states: readonly string[]
  constructor(message: string, fix: string, failure: CheckFailed) {
    super('VERIFY_FAILED', message, { fix, cause: failure })
    this.stage = failure.stage
    this.states = failure.states
  }
}

/**
 * Proves with a real job, sent with the real token over HTTP, that the node works. A node without a service gets a server for as long as
 * that takes, run by its own user, unless one answers already.
 * @throws VerifyFailed with the stage and what to do; MagnetarError for a configuration that cannot be read
 */
export async function verifyNode(options: VerifyOptions): Promise<VerifyResult> {
  const { paths, answers, signal } = options
  if (!answers.start) return { ran: false, why: 'no job was sent through the node: it is not started yet' }
  const access = await readNodeAccess(paths, signal)
  let server: CheckServer | undefined
  try {
    if (answers.service === 'none') server = await startUnlessThere(options, access)
    await demandToken(access, signal)
    const { states, ms, node } = await sendJob(options, access)
    return { ran: true, states, ms, node }
  } catch (error) {
    if (error instanceof CheckFailed) throw await explain(error, options)
    throw error
  } finally {
    await server?.stop()
  }
}

async function startUnlessThere(
  { paths, answers, facts, signal }: VerifyOptions,
  access: NodeAccess,
): Promise<CheckServer | undefined> {
  const problem = await askHealth(access, signal)
  if (problem === undefined) return undefined
  if (problem.final) throw new CheckFailed('connect', problem.message, [])
  let user: User | undefined
  if (facts.account.isRoot) {
    user = await lookUpUser(answers.user, signal)
    // Never as root.
    if (!user) throw new CheckFailed('connect', `there is no user ${answers.user} to run the server`, [])
  }
  return startCheckServer({ paths, access, user, signal })
}

/** A node that lets anybody run commands is not what was set up. */
async function demandToken({ client, config }: NodeAccess, signal: AbortSignal): Promise<void> {
  if (config.privateToken === undefined) return
  const { status } = await client
    .call('GET', 'healthz', { anonymous: true, signal })
    .catch((error: Error) => {
      if (signal.aborted) throw error
      throw new CheckFailed('connect', error.message, [], error)
    })
  if (status === 200)
    throw new CheckFailed('token', 'the server answers without the private_token that app.yml has', [])
}

function sendJob(
  { signal, onStatus, queueLimitMs }: VerifyOptions,
  { client, config }: NodeAccess,
): Promise<CheckReport> {
  const usesSlurm = config.managers.some(({ type }) => type === 'slurm' || type === 'queued_cli')
  return runCheckJob({
    client,
    signal,
    ...(onStatus ? { onStatus } : {}),
    ...(queueLimitMs === undefined ? {} : { queueLimitMs }),
    ...(usesSlurm ? { whyQueued: whySlurmWaits } : {}),
  })
}

const STAGES: Readonly<Record<CheckStage, string>> = {
  connect: 'the node could not be reached',
  token: 'the token was refused',
  setup: 'the job could not be set up',
  upload: 'its input could not be sent',
  submit: 'it could not be submitted',
  queue: 'it did not get to run',
  run: 'it did not run well',
  output: 'its output could not be fetched',
  clean: 'it could not be removed afterwards',
}

async function explain(failure: CheckFailed, { paths }: VerifyOptions): Promise<VerifyFailed> {
  const log = (await recentComplaints(paths.serverLog)).slice(-5)
  const said =
    log.length === 0 ? '' : `\n  The server says:\n${log.map((line) => `    | ${line}`).join('\n')}`
  const message = `a job sent through the node failed, ${STAGES[failure.stage]}: ${failure.message}${said}`
  return new VerifyFailed(message, adviceFor(failure.stage, paths), failure)
}

function adviceFor(stage: CheckStage, paths: NodePaths): string {
  const log = `tail ${paths.serverLog}`
  const advice: Readonly<Record<CheckStage, string>> = {
    connect: `See whether it runs and what it says: ${log}`,
    token: `The server runs with another token than ${paths.appYml} has: restart it.`,
    setup: `The node's user must be able to write to ${paths.jobs} and ${paths.active}; see: ls -ld ${paths.jobs}; ${log}`,
    upload: `There must be room below ${paths.jobs}; see: df -h ${paths.jobs}; ${log}`,
    submit: `The scheduler refused it; its words are above and in the log: ${log}`,
    queue: 'Run setup again when the reason is gone; --no-verify leaves this check out.',
    run: `Its words are above; what the scheduler runs must see ${paths.jobs}; see: ${log}`,
    output: `Where jobs run, ${paths.jobs} must be the same directory as here (a shared file system); see: ${log}`,
    clean: `See: ls -ld ${paths.jobs}; ${log}`,
  }
  return advice[stage]
}
