import { MagnetarError, messageOf } from '../lib/errors.js'
import type { Logger } from '../lib/log.js'
import { untilAborted } from '../lib/until-aborted.js'
import { nameRequirement } from './description.js'
import type { DependenciesDescription, Requirement, Resolution, Resolver } from './types.js'

/** A resolver, and when it may be asked. */
export interface ReadyResolver {
  readonly resolver: Resolver
  /** Never rejects. */
  readonly ready: Promise<void>
}

export interface ResolveJob {
  readonly description: DependenciesDescription
  readonly jobDirectory: string
  /** Whether a job whose requirement nothing provides fails, when that is because a resolver failed. */
  readonly onFailure: 'fail' | 'ignore'
  readonly log: Logger
  readonly signal: AbortSignal
}

export interface ResolvedJob {
  /** In the order in which they were found, which is the order of their shell lines. */
  readonly resolutions: readonly Resolution[]
  readonly missing: readonly Requirement[]
}

interface Failure {
  readonly type: string
  readonly error: unknown
}

/**
 * Asks one resolver after another for what is still open (galaxy.tool_util.deps: DependencyManager.requirements_to_dependencies). A resolver
 * that fails does not keep the others from being asked; if something is missing in the end, its failure is the reason.
 * @throws MagnetarError REQUIREMENTS_FAILED; the signal's reason
 */
export async function resolveDependencies(
  resolvers: readonly ReadyResolver[],
  job: ResolveJob,
): Promise<ResolvedJob> {
  const { description, jobDirectory, log, signal } = job
  const resolutions: Resolution[] = []
  const failures: Failure[] = []
  let open = description.requirements
  for (const { resolver, ready } of resolvers) {
    if (open.length === 0) break
    try {
      await untilAborted(ready, signal)
      const request = { open, description, jobDirectory, log, signal }
      for (const resolution of await untilAborted(resolver.resolve(request), signal)) {
        log.debug(`requirement ${listNames(resolution.requirements)}: ${resolver.type}: ${resolution.what}`)
        resolutions.push(resolution)
        open = open.filter((each) => !resolution.requirements.includes(each))
      }
    } catch (error) {
      if (signal.aborted) throw signal.reason
      log.warn(`the dependency resolver ${resolver.type} failed: ${messageOf(error)}`)
      failures.push({ type: resolver.type, error })
    }
  }
  if (open.length > 0 && failures.length > 0 && job.onFailure === 'fail') throw failed(open, failures)
  return { resolutions, missing: open }
}

export function listNames(requirements: readonly Requirement[]): string {
  return requirements.map(nameRequirement).join(', ')
}

function failed(missing: readonly Requirement[], failures: readonly Failure[]): MagnetarError {
  const [first] = failures
  const reasons = new Set(failures.map(({ type, error }) => `${type}: ${messageOf(error)}`))
  const fix = first?.error instanceof MagnetarError ? first.error.fix : undefined
  return new MagnetarError(
    'REQUIREMENTS_FAILED',
    `the tool requires ${listNames(missing)}, which could not be provided. ${[...reasons].join('\n')}`,
    { ...(fix === undefined ? {} : { fix }), cause: first?.error },
  )
}
