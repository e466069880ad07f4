import { MagnetarError, messageOf } from '../lib/errors.js'
import type { Job, ManagerContext } from './job.js'

/** What the Python server takes for "asks for nothing" (pulsar/managers/stateful.py), and a description without requirements. */
export function hasRequirements(description: unknown): boolean {
  if (!description) return false
  if (typeof description !== 'object' || Array.isArray(description)) return true
  const { requirements } = description as { readonly requirements?: unknown }
  return Array.isArray(requirements)
    ? requirements.length > 0
    : requirements !== undefined && requirements !== null
}

/**
 * The shell lines that provide what the job's tool requires. A cancel ends it. Until then the job is `queued`, and no place in the queue of
 * launches is taken: an environment may take minutes to be made.
 * @throws MagnetarError REQUIREMENTS_INVALID, REQUIREMENTS_FAILED; the signal's reason
 */
export async function provideRequirements(
  context: ManagerContext,
  job: Job,
  description: unknown,
): Promise<readonly string[]> {
  const { dependencies } = context
  if (!dependencies) return []
  job.providing = new AbortController()
  // A cancel may have come before.
  if (job.stopping) job.providing.abort(new Error('cancelled'))
  try {
    return await dependencies.resolve({
      description,
      jobDirectory: job.directory.path,
      log: context.log.child({ job: job.id }),
      signal: AbortSignal.any([context.signal, job.providing.signal]),
    })
  } finally {
    job.providing = undefined
  }
}

/** Why the job failed, when its requirements are the reason. */
export function requirementsReason(error: unknown): string {
  const message = messageOf(error).replace(/^t/, 'T')
  const fix = error instanceof MagnetarError && error.fix !== undefined ? `\n${error.fix}` : ''
  return `${message}${fix}`
}
