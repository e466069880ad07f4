import { expect, it } from 'vitest'
import { slurmPollIntervalMs } from '../../../src/schedulers/slurm/poll-interval.js'

it.each([
  [0, 250],
  [500, 250],
  [4000, 2000],
  [20_000, 10_000],
  [3_600_000, 10_000],
])('asks again after half the age of the youngest job: %i ms → %i ms', (ageMs, intervalMs) => {
  expect(slurmPollIntervalMs(ageMs, 0)).toBe(intervalMs)
})

it('keeps to 1.3 commands per job, sbatch included, while many are submitted', () => {
  for (const rate of [5, 10, 20, 50]) {
    const queriesPerSecond = 1000 / slurmPollIntervalMs(0, rate)
    expect(1 + queriesPerSecond / rate).toBeLessThanOrEqual(1.3)
  }
})
