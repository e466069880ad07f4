/** The round trip of a tiny job through Slurm, with the options that jobs of a manager get. */
import { setTimeout as delay } from 'node:timers/promises'
import type { ManagerConfig } from '../../config/types.js'
import { runCommand } from '../../lib/exec.js'
import { quoteForShell } from '../../lib/shell.js'
import { abortAfter } from '../../lib/time-limit.js'
import { SubmitRejected } from '../scheduler.js'
import { isSlurmId } from './command.js'
import { downReason } from './down.js'
import { slurmEnvironment } from './environment.js'
import { buildHeaders } from './headers.js'
import { submitRejection } from './submit-errors.js'

export type RoundTrip =
  | { readonly end: 'completed'; readonly ms: number; readonly node: string | undefined }
  /** Slurm will never take such a job. `kind` as in SubmitRejected. */
  | { readonly end: 'refused'; readonly why: string; readonly kind: string }
  /** It waited longer than was to be waited, and was cancelled. Reason: Slurm's word. */
  | { readonly end: 'waits'; readonly reason: string; readonly state: string }
  /** Where it ran the staging directory is not there, or cannot be written to. */
  | { readonly end: 'no directory'; readonly node: string | undefined }
  | { readonly end: 'not writable'; readonly node: string | undefined }
  | { readonly end: 'failed'; readonly why: string }

export interface RoundTripOptions {
  readonly manager: ManagerConfig
  readonly env: NodeJS.ProcessEnv
  /** The command line that runs another as the user of the node. */
  readonly as: (argv: readonly string[]) => readonly string[]
  readonly waitMs: number
  readonly signal: AbortSignal
}

const NAME = 'magnetar-doctor'
const NO_DIRECTORY = 40
const NOT_WRITABLE = 41
const COMMAND_MS = 8000
const OVER = /^(BOOT_FAIL|CANCELLED|COMPLETED|DEADLINE|FAILED|NODE_FAIL|OUT_OF_MEMORY|PREEMPTED|TIMEOUT)/

/** Sends it and waits for its end; it is cancelled whatever happens. @throws the signal's reason when aborted */
export async function sendTinyJob(options: RoundTripOptions): Promise<RoundTrip> {
  const { signal, waitMs } = options
  const begun = performance.now()
  const id = await submit(options)
  if (typeof id !== 'string') return id
  let last: JobLine = { state: '', reason: '', exitCode: 0, node: undefined }
  try {
    for (let pause = 100; performance.now() - begun < waitMs; pause = Math.min(pause * 1.5, 1000)) {
      const found = await askJob(options, id)
      if (found === 'gone') return { end: 'completed', ms: sinceMs(begun), node: last.node }
      last = found ?? last
      if (OVER.test(last.state)) return judge(last, sinceMs(begun))
      await delay(pause, undefined, { signal })
    }
    return { end: 'waits', reason: last.reason, state: last.state }
  } finally {
    if (!OVER.test(last.state)) await cancel(options, id)
  }
}

function sinceMs(begun: number): number {
  return Math.round(performance.now() - begun)
}

async function submit(
  options: RoundTripOptions,
): Promise<string | Extract<RoundTrip, { end: 'refused' | 'failed' }>> {
  const { manager } = options
  const directory = quoteForShell(manager.stagingDirectory)
  let headers: readonly string[]
  try {
    const job = {
      jobId: NAME,
      name: NAME,
      directory: '/',
      workingDirectory: '/',
      stdout: '/dev/null',
      stderr: '/dev/null',
    }
    headers = buildHeaders(job, {}, manager).lines
  } catch (error) {
    if (error instanceof SubmitRejected) return { end: 'refused', why: error.message, kind: error.kind }
    throw error
  }
  const script = [
    '#!/bin/sh',
    ...headers,
    `test -d ${directory} || exit ${NO_DIRECTORY}`,
    `test -w ${directory} || exit ${NOT_WRITABLE}`,
    '',
  ]
  const result = await run(options, ['sbatch', '--parsable', '-D', '/'], script.join('\n'))
  const down = downReason('sbatch', result)
  if (down) return { end: 'failed', why: down.message }
  if (result.code !== 0) {
    const { message, kind } = submitRejection(result)
    return { end: 'refused', why: message, kind }
  }
  const id = result.stdout.trim().split(';')[0] ?? ''
  return isSlurmId(id) ? id : { end: 'failed', why: `sbatch answered ${JSON.stringify(id)}` }
}

interface JobLine {
  readonly state: string
  readonly reason: string
  readonly exitCode: number
  readonly node: string | undefined
}

/** undefined: no answer now. */
async function askJob(options: RoundTripOptions, id: string): Promise<JobLine | 'gone' | undefined> {
  const { code, stdout, stderr } = await run(options, ['scontrol', '-o', 'show', 'job', id])
  if (code !== 0) return /Invalid job id/i.test(stderr) ? 'gone' : undefined
  return parseJobLine(stdout)
}

/** Of `scontrol -o show job`: NAME=VALUE, separated by blanks. */
export function parseJobLine(stdout: string): JobLine {
  const value = (key: string): string => new RegExp(`(?:^|\\s)${key}=(\\S*)`).exec(stdout)?.[1] ?? ''
  const node = value('BatchHost')
  return {
    state: value('JobState'),
    reason: value('Reason'),
    exitCode: Number(value('ExitCode').split(':')[0]),
    node: node === '' ? undefined : node,
  }
}

function judge({ state, reason, exitCode, node }: JobLine, ms: number): RoundTrip {
  if (state === 'COMPLETED') return { end: 'completed', ms, node }
  if (exitCode === NO_DIRECTORY) return { end: 'no directory', node }
  if (exitCode === NOT_WRITABLE) return { end: 'not writable', node }
  return { end: 'failed', why: `it ended as ${state} (${reason}) on ${node ?? 'no node'}` }
}

/** Also when everything else was stopped: nothing is to stay in the queue. */
async function cancel(options: RoundTripOptions, id: string): Promise<void> {
  await run({ ...options, signal: abortAfter(COMMAND_MS) }, ['scancel', id]).catch(() => {})
}

function run(
  { as, env, signal }: RoundTripOptions,
  argv: readonly string[],
  input?: string,
): ReturnType<typeof runCommand> {
  const [program = '', ...args] = as(argv)
  return runCommand(program, args, {
    timeoutMs: COMMAND_MS,
    signal,
    env: { ...slurmEnvironment(env), LC_ALL: 'C' },
    ...(input === undefined ? {} : { input }),
  })
}
