/** How numbers, times and strange texts are shown to people. */

/** Text from jobs and logs, on one line and without what a terminal would obey. */
export function plain(text: string): string {
  return plainLines(text).replace(/\s*[\t\n]\s*/g, ' ')
}

/** The same, with its line breaks. */
export function plainLines(text: string): string {
  return text
    .replace(/\r\n/g, '\n')
    .replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/g, '?')
}

/** At most so many columns; what is cut ends with an ellipsis. */
export function cut(text: string, width: number): string {
  return text.length <= width ? text : `${text.slice(0, Math.max(0, width - 1))}…`
}

const UNITS: readonly [string, number][] = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['m', 60_000],
  ['s', 1000],
]

/** "3d4h", "12m5s", "0s": the two largest units. */
export function showAge(ms: number): string {
  let rest = Math.max(0, ms)
  const parts: string[] = []
  for (const [unit, size] of UNITS) {
    const count = Math.floor(rest / size)
    rest -= count * size
    if (count > 0 || parts.length > 0) parts.push(count > 0 ? `${count}${unit}` : '')
    if (parts.length === 2) break
  }
  return parts.join('') || '0s'
}

/** The clock on the admin's wall: "2026-11-22 20:01:38". */
export function showTime(ms: number): string {
  const date = new Date(ms)
  const two = (value: number): string => String(value).padStart(2, '0')
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())} ${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`
}

const TIME_UNIT_MS: Readonly<Record<string, number>> = {
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
}

/** "90s", "2h", "7d" in milliseconds; undefined: it is no such text. */
export function parseDuration(text: string): number | undefined {
  const [, count, unit = ''] = /^(\d{1,6})([smhdw])$/.exec(text.trim()) ?? []
  return count === undefined ? undefined : Number(count) * (TIME_UNIT_MS[unit] ?? Number.NaN)
}
