/** Ids that the job scripts themselves have written (J/started). */
import { join } from 'node:path'
import { messageOf } from '../../lib/errors.js'
import { createLimit } from '../../lib/limit.js'
import { readOwnFileSoon } from '../../lib/own-file.js'
import { SchedulerDown, type Submission } from '../scheduler.js'
import { parseStarted, STARTED_FILE } from '../started-file.js'

const MAX_READING = 16

/** Job id → the scheduler's id, for the jobs whose script has begun. @throws SchedulerDown when a file is there but cannot be read. */
export async function startedIds(
  jobs: readonly Submission[],
  signal: AbortSignal,
): Promise<Map<string, string>> {
  const found = new Map<string, string>()
  const limited = createLimit(MAX_READING)
  await Promise.all(
    jobs.map(({ jobId, directory }) =>
      limited(async () => {
        signal.throwIfAborted()
        const id = parseStarted(await readIfThere(join(directory, STARTED_FILE)))?.schedulerJobId
        if (id !== undefined) found.set(jobId, id)
      }),
    ),
  )
  return found
}

async function readIfThere(path: string): Promise<string> {
  try {
    return (await readOwnFileSoon(path)) ?? ''
  } catch (error) {
    throw new SchedulerDown(`cannot read ${path}: ${messageOf(error)}`)
  }
}
