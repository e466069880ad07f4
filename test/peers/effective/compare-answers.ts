import type { Answer } from './our-answer.js'

export interface Difference {
  /** `managers.0.stageIn.maxRetries`; `refused` where only one of the two starts. */
  readonly path: string
  readonly real: unknown
  readonly ours: unknown
}

/** What differs, value by value. Two servers that both refuse to start do not differ. */
export function compareAnswers(real: Answer, ours: Answer): Difference[] {
  if ('refused' in real || 'refused' in ours) {
    if ('refused' in real && 'refused' in ours) return []
    return [{ path: 'refused', real: real.refused, ours: ours.refused }]
  }
  return compareValues('', real, ours)
}

function compareValues(path: string, real: unknown, ours: unknown): Difference[] {
  if (!isObject(real) || !isObject(ours)) return Object.is(real, ours) ? [] : [{ path, real, ours }]
  if (Array.isArray(real) !== Array.isArray(ours)) return [{ path, real, ours }]
  const keys = new Set([...Object.keys(real), ...Object.keys(ours)])
  return [...keys].flatMap((key) =>
    compareValues(path === '' ? key : `${path}.${key}`, real[key] ?? null, ours[key] ?? null),
  )
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null
}
