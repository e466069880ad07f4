/** The native specification of a job: a comment line of its script, in which it can be read, and from which it is submitted. */
import type { SubmitParams } from '../scheduler.js'
import { checkText } from '../slurm/params.js'

const PREFIX = '#DRMAA native_specification: '

export interface ChosenSpecification {
  readonly line: string | undefined
  /** The request's, dropped because the manager has its own (pulsar/managers/base/base_drmaa.py). */
  readonly dropped: string | undefined
}

/** The manager's, if it has one, else that of the request (`submit_native_specification`). @throws SubmitRejected for what is no line */
export function chooseSpecification(manager: string | undefined, params: SubmitParams): ChosenSpecification {
  const own = manager?.trim() || undefined
  const asked = params.native_specification?.trim() || undefined
  const chosen = own ?? asked
  return {
    line: chosen === undefined ? undefined : `${PREFIX}${checkText(chosen, 'native specification')}`,
    dropped: own === undefined ? undefined : asked,
  }
}

/** The specification that stands in a job script below its first line. */
export function readSpecification(script: string): string | undefined {
  const second = script.split('\n', 2)[1]
  return second?.startsWith(PREFIX) ? second.slice(PREFIX.length) : undefined
}
