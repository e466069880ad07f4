import { setTimeout as delay } from 'node:timers/promises'
import { Refused } from './pulsar-calls.js'
import type { Session } from './session.js'
import { CheckProblem, type Finding } from './types.js'

/** Writes a line five times a second, for five minutes at the most: whether it has really ended is seen by that. */
const COMMAND = 'i=0; while [ $i -lt 1500 ]; do i=$((i+1)); echo $i >> beat; sleep 0.2; done'
const BEAT = { type: 'output_workdir', name: 'beat' } as const
const POLL_MS = 100
/** Five beats. */
const QUIET_MS = 1000
/** Slurm gives a job 30 s between TERM and KILL (KillWait), a file system that is shared some more. */
const GONE_LIMIT_MS = 45_000

/** Cancels a job that runs, and sees that it ends. */
export async function checkCancel(session: Session): Promise<Finding<true>> {
  const { calls, signal, limits } = session
  const { job_id: jobId } = await session.setUp(session.newJobId('cancel'))
  const limitMs = Math.min(GONE_LIMIT_MS, limits.jobMs)
  return session.explained('cancel', 'the job to be cancelled', async () => {
    await calls.submit(jobId, { command_line: COMMAND })
    const ran = await until(signal, limits.jobMs, async () => {
      const { status, complete } = await calls.status(jobId)
      if (complete === 'true') throw problem(`the job to be cancelled ended by itself as ${status}`)
      return status === 'running' && (await beats(session, jobId)) > 0
    })
    await calls.cancel(jobId)
    let last = ''
    const ended = await until(signal, limitMs, async () => {
      const { status, complete } = await calls.status(jobId)
      last = status
      return complete === 'true'
    })
    if (!ended) throw problem(`a cancelled job is still ${last} after ${Math.round(limitMs / 1000)} s`)
    if (last !== 'cancelled') throw problem(`a cancelled job ended as ${last}`)
    if (!ran) return { value: true, message: 'a job that waited is cancelled (it did not get to run)' }
    let before = await beats(session, jobId)
    const silent = await until(signal, limitMs, async () => {
      await delay(QUIET_MS, undefined, { signal })
      const now = await beats(session, jobId)
      const same = now === before
      before = now
      return same
    })
    if (!silent) throw problem('a cancelled job is reported as cancelled, but goes on running')
    return { value: true, message: 'a running job was cancelled, and its processes are gone' }
  })
}

async function beats({ calls, signal }: Session, jobId: string): Promise<number> {
  try {
    return (await calls.download(jobId, BEAT)).length
  } catch (error) {
    signal.throwIfAborted()
    // Not written yet: each server has an answer of its own.
    if (error instanceof Refused) return 0
    throw error
  }
}

/** False when the time is up. */
async function until(signal: AbortSignal, limitMs: number, ask: () => Promise<boolean>): Promise<boolean> {
  const endMs = performance.now() + limitMs
  while (!(await ask())) {
    if (performance.now() > endMs) return false
    await delay(POLL_MS, undefined, { signal })
  }
  return true
}

function problem(message: string): CheckProblem {
  return new CheckProblem('cancel', {
    message,
    why: 'A job that somebody deletes in Galaxy would go on using the cluster.',
    fix: 'On the node, as its user, see whether the scheduler cancels: scancel -v ID, squeue; the log of the server.',
  })
}
