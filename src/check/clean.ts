import { setTimeout as delay } from 'node:timers/promises'
import { removeJob } from './pulsar-calls.js'
import type { Session } from './session.js'
import { CheckProblem, type Finding } from './types.js'

const LIMIT_MS = 10_000
const POLL_MS = 100

/** Removes all jobs of this run, and sees that they are gone: a node does not know a job without its directory. */
export async function cleanUp(session: Session): Promise<Finding<true>> {
  const { calls, client, jobs, signal, limits } = session
  const count = jobs.size
  for (const jobId of [...jobs]) {
    if (!(await removeJob(client, jobId))) throw stays(jobId, 'the request failed')
    signal.throwIfAborted()
    const endMs = performance.now() + Math.min(LIMIT_MS, limits.jobMs)
    for (;;) {
      const { status } = await session.explained('files', 'the status of a removed job', () =>
        calls.status(jobId),
      )
      if (status === 'lost') break
      if (performance.now() > endMs) throw stays(jobId, `it is still known as ${status}`)
      await delay(POLL_MS, undefined, { signal })
    }
    jobs.delete(jobId)
  }
  return { value: true, message: count === 1 ? '1 job removed' : `${count} jobs removed` }
}

/** Whatever happened before: removes what is left, and resolves with the ids of jobs that could not be removed. */
export async function removeLeftovers({ client, jobs }: Session): Promise<string[]> {
  const removed = await Promise.all(
    [...jobs].map(async (jobId) => [jobId, await removeJob(client, jobId)] as const),
  )
  return removed.filter(([, gone]) => !gone).map(([jobId]) => jobId)
}

function stays(jobId: string, why: string): CheckProblem {
  return new CheckProblem('files', {
    message: `job ${jobId} was not removed: ${why}`,
    why: 'Directories of jobs would stay and fill the disk.',
    fix: `On the node: see ls -ld of staging_directory and what is in ${jobId}; a Python Pulsar removes nothing with "debug: true". Then remove that directory.`,
  })
}
