import { setTimeout as delay } from 'node:timers/promises'
import { messageOf } from '../lib/errors.js'
import type { DoctorFacts, Examination, Finding } from './types.js'

export interface ExaminationResult {
  readonly examination: Examination
  readonly findings: readonly Finding[]
  readonly ms: number
}

export interface DoctorRun {
  readonly results: readonly ExaminationResult[]
  readonly ms: number
}

/** What any examination can come to. */
export const COMMON_FINDINGS = {
  'no-answer': {
    state: 'fail',
    meaning: 'an examination did not end in time: a file system, a name server or a command hangs',
    fix: 'the message says which; the others were examined all the same',
  },
  'examination-failed': {
    state: 'warn',
    meaning: 'an examination could not be made',
    fix: 'the message has the reason of the system',
  },
} as const

/**
 * Makes all examinations at once, each within its own time, and tells each as soon as those before it are told. What one of them
 * throws, or that it hangs, is a finding; it is then left behind.
 * @throws the signal's reason when aborted
 */
export async function runDoctor(
  examinations: readonly Examination[],
  facts: DoctorFacts,
  signal: AbortSignal,
  onEnd: (result: ExaminationResult) => void = () => {},
): Promise<DoctorRun> {
  const begun = performance.now()
  const pending = examinations.map((each) => examineInTime(each, facts, signal))
  // Awaited one after the other: one that fails meanwhile (only by the signal) has somebody who waits for it.
  for (const each of pending) each.catch(() => {})
  const results: ExaminationResult[] = []
  for (const each of pending) {
    const result = await each
    results.push(result)
    onEnd(result)
  }
  return { results, ms: Math.round(performance.now() - begun) }
}

async function examineInTime(
  examination: Examination,
  facts: DoctorFacts,
  signal: AbortSignal,
): Promise<ExaminationResult> {
  const begun = performance.now()
  const late = new AbortController()
  const done = new AbortController()
  const { timeoutMs, title } = examination
  const limit = AbortSignal.any([signal, late.signal])
  const timeUp = delay(timeoutMs, undefined, { signal: AbortSignal.any([signal, done.signal]) }).then(() => {
    late.abort(new Error('its time is up'))
    return [noAnswer(title, timeoutMs)]
  })
  timeUp.catch(() => {})
  let findings: readonly Finding[]
  try {
    findings = await Promise.race([examination.examine(facts, limit), timeUp])
  } catch (error) {
    signal.throwIfAborted()
    findings = late.signal.aborted ? [noAnswer(title, timeoutMs)] : [failed(error)]
  } finally {
    done.abort()
  }
  return { examination, findings, ms: Math.round(performance.now() - begun) }
}

function noAnswer(title: string, timeoutMs: number): Finding {
  return {
    id: 'no-answer',
    state: 'fail',
    message: `${title}: no answer within ${timeoutMs / 1000} s`,
    fix: {
      text: 'A file system, a name server or a command hangs; these processes wait for a disk:',
      command: HANGING,
    },
  }
}

const HANGING = "ps -eo pid,stat,wchan:20,args | awk '$2 ~ /^D/'"

function failed(error: unknown): Finding {
  return {
    id: 'examination-failed',
    state: 'warn',
    message: `could not be examined: ${messageOf(error)}`,
    fix: { text: 'The reason is that of the system; the rest was examined all the same.' },
  }
}
