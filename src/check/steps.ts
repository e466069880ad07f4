import type { CheckName, CheckResult, Finding } from './types.js'
import { CheckProblem, LeftOut } from './types.js'

export interface CheckWatcher {
  readonly onStart?: (name: CheckName) => void
  readonly onEnd?: (result: CheckResult) => void
}

type Present<T extends readonly unknown[]> = { [K in keyof T]: NonNullable<T[K]> }

/** Runs checks one after another; whoever needs what a failed one would have found is not tried. */
export interface Steps {
  readonly results: readonly CheckResult[]
  /** undefined: there is no value, and whatever needs it is not tried. */
  run<const N extends readonly unknown[], T>(
    name: CheckName,
    needed: N,
    check: (...needed: Present<N>) => Promise<Finding<T>>,
  ): Promise<T | undefined>
}

export function createSteps(signal: AbortSignal, watcher: CheckWatcher): Steps {
  const results: CheckResult[] = []
  let endedMs = performance.now()
  const end = (result: CheckResult): void => {
    endedMs = performance.now()
    results.push(result)
    watcher.onEnd?.(result)
  }
  return {
    results,
    async run(name, needed, check) {
      if (needed.some((each) => each === undefined)) {
        end({ name, state: 'not-tried', message: 'not tried', ms: 0 })
        return undefined
      }
      signal.throwIfAborted()
      watcher.onStart?.(name)
      // Since the check before: what was found out for this one then is of its time.
      const took = (): number => Math.round(performance.now() - endedMs)
      try {
        // What is needed is there: it was looked at above.
        const { value, message, warning } = await check(...(needed as unknown as Present<typeof needed>))
        end({ name, state: warning ? 'warned' : 'passed', message, ...warning, ms: took() })
        return value
      } catch (error) {
        if (signal.aborted) throw signal.reason
        if (error instanceof LeftOut) end({ name, state: 'left-out', ...error.advice, ms: took() })
        else if (error instanceof CheckProblem)
          end({ name, state: 'failed', ...error.advice, kind: error.kind, ms: took() })
        else throw error
        return undefined
      }
    },
  }
}
