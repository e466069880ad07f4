import type { ActionSpec } from './action.js'
import { type ActionMapper, chooseAction } from './action-mapper.js'
import { PythonRegexError } from './regex/error.js'
import { TransferError } from './transfer-error.js'

/** Path types of outputs: each names a directory of the job, and is Galaxy's `file_type`. */
export type OutputType = 'output' | 'output_workdir' | 'output_metadata' | 'output_jobdir'

/** One file to be staged out. */
export interface PlannedOutput {
  readonly type: OutputType
  /** Relative to the directory of the type; one file, never a pattern. */
  readonly name: string
  /** Where it belongs on Galaxy's side. */
  readonly remotePath: string
  /** Also those that the client or nobody moves. */
  readonly action: ActionSpec
  /**
   * The tool need not have made it: then Galaxy has an empty dataset, and that is all
   * (pulsar/client/staging/down.py: _allow_collect_failure). Every other failure counts.
   */
  readonly mayBeMissing: boolean
}

/** What a job's outputs are and how each travels, in the order in which the Python server sends them. */
export interface OutputPlan {
  readonly outputs: readonly PlannedOutput[]
  /** Why the collection cannot succeed, whatever becomes of `outputs`: these are sent all the same, and then the job failed. */
  readonly failures: readonly string[]
  /** For the log. */
  readonly warnings: readonly string[]
}

/** A plan that is being made. */
export interface PlanBuilder {
  /** Adds a file, or, when no action can be chosen for it, a failure. */
  add(type: OutputType, name: string, remotePath: string): void
  /** Adds a failure; `subject` is one of perhaps many files that have it. */
  fail(reason: string, subject?: string): void
  warn(sentence: string): void
  /** What was planned until now. */
  result(): OutputPlan
}

export function createPlan(mapper: ActionMapper): PlanBuilder {
  const outputs: PlannedOutput[] = []
  const failures = new Map<string, string[]>()
  const warnings: string[] = []

  function fail(reason: string, subject?: string): void {
    const subjects = failures.get(reason) ?? []
    failures.set(reason, subjects)
    if (subject !== undefined) subjects.push(subject)
  }

  return {
    add(type, name, remotePath) {
      try {
        const action = chooseAction(mapper, remotePath, type)
        outputs.push({ type, name, remotePath, action, mayBeMissing: type === 'output_workdir' })
      } catch (error) {
        if (!(error instanceof TransferError) && !(error instanceof PythonRegexError)) throw error
        fail(error.message, remotePath)
      }
    },
    fail,
    warn: (sentence) => void warnings.push(sentence),
    result: () => ({ outputs, failures: [...failures].map(describeFailure), warnings }),
  }
}

/** Ten thousand files can have the same reason: it is said once, with the first of them. */
function describeFailure([reason, [first, ...more]]: [string, string[]]): string {
  if (first === undefined) return reason
  return `${reason} (${first}${more.length > 0 ? ` and ${more.length} more` : ''})`
}
