/** Reading JSON that came over the wire: each mistake becomes a sentence with the place of the value, never the value itself. */

export type WireRecord = Readonly<Record<string, unknown>>

export interface WireProblems {
  readonly list: string[]
  /** `where` must be what was `wanted`. */
  wrong(where: string, wanted: string): void
}

export function collectProblems(): WireProblems {
  const list: string[] = []
  return { list, wrong: (where, wanted) => void list.push(`${where} must be ${wanted}`) }
}

export function isMissing(value: unknown): value is null | undefined {
  return value === undefined || value === null
}

/** An object; an empty one for what is missing or is none. */
export function readRecord(value: unknown, where: string, problems: WireProblems): WireRecord {
  if (isMissing(value)) return {}
  if (typeof value === 'object' && !Array.isArray(value)) return value as WireRecord
  problems.wrong(where, 'a JSON object')
  return {}
}

/** An object that must be there; an empty one when it is not. */
export function requireRecord(value: unknown, where: string, problems: WireProblems): WireRecord {
  if (isMissing(value)) problems.wrong(where, 'a JSON object')
  return readRecord(value, where, problems)
}

/** A list; an empty one for what is missing or is none. */
export function readList(value: unknown, where: string, problems: WireProblems): readonly unknown[] {
  if (isMissing(value)) return []
  if (Array.isArray(value)) return value
  problems.wrong(where, 'a JSON list')
  return []
}

/** Text; undefined for what is missing or is none. */
export function readText(value: unknown, where: string, problems: WireProblems): string | undefined {
  if (isMissing(value)) return undefined
  if (typeof value === 'string') return value
  problems.wrong(where, 'text')
  return undefined
}

/** Text that must be there; empty when it is not. */
export function requireText(value: unknown, where: string, problems: WireProblems): string {
  if (typeof value === 'string') return value
  problems.wrong(where, 'text')
  return ''
}

/** A list of texts. */
export function readTexts(value: unknown, where: string, problems: WireProblems): readonly string[] {
  return readList(value, where, problems).map((item, at) => requireText(item, `${where}[${at}]`, problems))
}

/** Text or a number; undefined for what is missing or is none. */
export function readTextOrNumber(
  value: unknown,
  where: string,
  problems: WireProblems,
): string | number | undefined {
  if (isMissing(value)) return undefined
  if (typeof value === 'string' || typeof value === 'number') return value
  problems.wrong(where, 'text or a number')
  return undefined
}
