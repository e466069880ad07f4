/** How soon to ask squeue again. Starts and ends are seen by the script's own files: this is the safety net under them. */

const MIN_MS = 250
const MAX_MS = 10_000
/** At a high rate of submits, squeue runs at most once per so many of them … */
const SUBMITS_PER_QUERY = 5
/** … but never more rarely than this on their account. */
const MAX_BUSY_MS = 1000

/** Half the age of the youngest job without news, from 0.25 s to 10 s, longer while many jobs are being submitted. */
export function slurmPollIntervalMs(youngestAgeMs: number, submitsPerSecond: number): number {
  const byAge = Math.min(Math.max(youngestAgeMs / 2, MIN_MS), MAX_MS)
  if (submitsPerSecond < 2) return byAge
  return Math.max(byAge, Math.min(MAX_BUSY_MS, (SUBMITS_PER_QUERY * 1000) / submitsPerSecond))
}
