import { createLimit } from '../../lib/limit.js'
import type { Logger } from '../../lib/log.js'
import { createRecent } from '../../lib/recent.js'
import { untilAborted } from '../../lib/until-aborted.js'
import type { CondaTool } from './conda-tool.js'
import { createEnvironment } from './create-environment.js'
import type { CondaSettings } from './settings.js'
import type { CondaTarget } from './targets.js'

/** Makes each environment once, however many ask for it at the same time. */
export interface EnvironmentMaker {
  /**
   * Resolves when it is there. Whoever aborts only stops waiting; when nobody waits any more, the work is ended.
   * @throws MagnetarError as createEnvironment, for a moment also without trying again; the signal's reason
   */
  make(request: {
    readonly name: string
    readonly targets: readonly CondaTarget[]
    readonly tool: CondaTool
    readonly log: Logger
    readonly signal: AbortSignal
  }): Promise<void>
}

interface Work {
  readonly done: Promise<void>
  readonly controller: AbortController
  waiting: number
}

/** A thousand jobs of one tool must not each run a solve that cannot succeed; what mends it is seen soon all the same. */
const FAILURE_MEMORY_MS = 30_000

export function createEnvironmentMaker(
  settings: CondaSettings,
  { create = createEnvironment, memoryMs = FAILURE_MEMORY_MS } = {},
): EnvironmentMaker {
  const working = new Map<string, Work>()
  const failures = createRecent<{ readonly error: unknown; readonly atMs: number }>(1000)
  const oneAtATime = createLimit(1)

  function begin(request: Parameters<EnvironmentMaker['make']>[0]): Work {
    const { name } = request
    const controller = new AbortController()
    const { signal } = controller
    const work: Work = {
      controller,
      waiting: 0,
      done: oneAtATime(async () => {
        signal.throwIfAborted()
        await create({ ...request, settings, signal })
        failures.delete(name)
      })
        .catch((error: unknown) => {
          if (!signal.aborted) failures.set(name, { error, atMs: performance.now() })
          throw error
        })
        .finally(() => {
          if (working.get(name) === work) working.delete(name)
        }),
    }
    // Nobody may be waiting any more when it fails.
    work.done.catch(() => {})
    working.set(name, work)
    return work
  }

  return {
    async make(request) {
      const { name, signal } = request
      signal.throwIfAborted()
      const failed = failures.get(name)
      if (failed && performance.now() - failed.atMs < memoryMs) throw failed.error
      const work = working.get(name) ?? begin(request)
      work.waiting++
      try {
        await untilAborted(work.done, signal)
      } finally {
        work.waiting--
        if (work.waiting === 0 && signal.aborted) {
          working.delete(name)
          work.controller.abort(signal.reason)
        }
      }
    },
  }
}
