/**
 * Until when SchedMD mends a release (https://slurm.schedmd.com/upgrades.html, "Revised End of Support"): the last day of that month.
 * What is older than the table has ended too.
 */
const ENDS: readonly (readonly [release: string, month: string])[] = [
  ['23.02', '2024-11'],
  ['23.11', '2025-05'],
  ['24.05', '2025-11'],
  ['24.11', '2026-05'],
  ['25.05', '2026-11'],
  ['25.11', '2027-05'],
]

/** What to know about a version of Slurm, as a fragment; undefined: nothing. No warning: distributions mend old releases themselves. */
export function noteOnVersion(version: string, now: Date): string | undefined {
  const release = /^\d+\.\d+/.exec(version)?.[0]
  const [oldest] = ENDS
  if (release === undefined || oldest === undefined) return undefined
  const month = now.toISOString().slice(0, 7)
  const end = ENDS.find(([each]) => each === release)?.[1] ?? (release < oldest[0] ? oldest[1] : undefined)
  if (end === undefined || end >= month) return undefined
  return `SchedMD no longer mends ${release}, only distributions do`
}
