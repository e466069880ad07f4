import { Chalk } from 'chalk'
import { describe, expect, it } from 'vitest'
import { renderTable } from '../../../src/cli/jobs/table.js'
import { parseDuration, plain, plainLines, showAge } from '../../../src/cli/node/show.js'
import type { JobSummary } from '../../../src/control/types.js'
import { withState } from '../../../src/jobs/history.js'

const palette = new Chalk({ level: 0 })
const nowMs = 10 * 86_400_000

function job(id: string, more: Partial<JobSummary> = {}): JobSummary {
  const base = { manager: '_default_', toolId: 'cat1', toolVersion: '1', status: 'running' as const }
  return { id, ...base, submittedAtMs: nowMs - 65_000, sinceMs: nowMs, ...more }
}

const REASON =
  'slurmstepd: error: Detected 1 oom_kill event in StepId=4711.batch. Some of the step tasks were killed.'

describe('the table of jobs', () => {
  it('fits into 80 columns, with short ids and with uuids', () => {
    for (const id of ['4711', 'f'.repeat(32)]) {
      const jobs = [
        job(id, { status: 'postprocessing', externalId: '123456', reason: REASON }),
        job(id, {
          toolId:
            'toolshed.g2.bx.psu.edu/repos/iuc/a_very_long_tool_name_indeed/a_very_long_tool_name_indeed/1.2',
        }),
      ]
      const rows = renderTable(jobs, { palette, width: 79, managers: false, nowMs })
      expect(Math.max(...rows.map((row) => row.length))).toBeLessThanOrEqual(79)
      for (const row of rows.slice(1)) expect(row.startsWith(id)).toBe(true)
      expect(rows[1]).toContain('postprocessing')
      expect(rows[1]).toContain('1m5s')
    }
  })

  it('cuts nothing through a pipe', () => {
    const rows = renderTable([job('1', { reason: REASON })], {
      palette,
      width: undefined,
      managers: false,
      nowMs,
    })
    expect(rows[1]).toContain(REASON)
  })

  it('has the manager where there are several', () => {
    const rows = renderTable([job('1')], { palette, width: 79, managers: true, nowMs })
    expect(rows[0]).toMatch(/^ID +MANAGER +TOOL/)
    expect(rows[1]).toContain('_default_')
  })

  it('keeps what a terminal would obey out of it', () => {
    const rows = renderTable([job('1', { reason: 'a\u001b]0;owned\u0007\nb' })], {
      palette,
      width: undefined,
      managers: false,
      nowMs,
    })
    expect(rows).toHaveLength(2)
    expect(rows[1]).toContain('a?]0;owned? b')
    expect(plainLines('a\nb\u009b')).toBe('a\nb?')
    expect(plain('a\tb\u202e')).toBe('a b?')
  })
})

it('shows and reads lengths of time', () => {
  expect([0, 999, 61_000, 3_600_000, 90_061_000].map(showAge)).toEqual(['0s', '0s', '1m1s', '1h', '1d1h'])
  expect(['90s', '2h', '7d', '1w'].map(parseDuration)).toEqual([90_000, 7_200_000, 604_800_000, 604_800_000])
  expect(['', '7', 'd', '1.5h', '-1d'].map(parseDuration)).toEqual(Array(5).fill(undefined))
})

it('keeps the first and the last states of a job that is requeued for ever', () => {
  let history = withState([], { status: 'preprocessing', atMs: 0 })
  for (let at = 1; at <= 1000; at++)
    history = withState(history, { status: at % 2 ? 'queued' : 'running', atMs: at })
  expect(history).toHaveLength(50)
  expect([history[0]?.atMs, history[9]?.atMs, history.at(-1)?.atMs]).toEqual([0, 9, 1000])
  expect(withState(history, { status: 'running', atMs: 1001 })).toBe(history)
})
