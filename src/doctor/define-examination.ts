import type { DoctorFacts, Examination, Finding, FindingMeaning, Group } from './types.js'

const TIMEOUT_MS = 8000

interface Definition<Id extends string, Known extends string> {
  readonly id: Id
  readonly title: string
  readonly group: Group
  readonly timeoutMs?: number
  readonly findings: Readonly<Record<Known, FindingMeaning>>
  examine(facts: DoctorFacts, signal: AbortSignal): Promise<readonly Finding<NoInfer<Id | Known>>[]>
}

/** An examination whose findings are all in its table. */
export function defineExamination<Id extends string, Known extends string>(
  definition: Definition<Id, Known>,
): Examination {
  return { timeoutMs: TIMEOUT_MS, ...definition }
}
