import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { createRetryLog } from '../../src/jobs/retry-log.js'
import { createRecordingLog, type RecordingLog } from '../helpers/recording-log.js'

const away = 'galaxy.example.org refused the connection (ECONNREFUSED)'
const warnings = (log: RecordingLog): string[] =>
  log.lines
    .filter((line) => line.startsWith('warn'))
    .map((line) => line.replace(/^warn /, '').replace(/ \{.*/, ''))

describe('the log of transfers that are tried again', () => {
  beforeEach(() => void vi.useFakeTimers({ now: 0 }))
  afterEach(() => void vi.useRealTimers())

  it('says a reason once for all files, and again ever more seldom', () => {
    const log = createRecordingLog()
    const retries = createRetryLog(log)
    for (let second = 0; second < 24 * 3600; second += 10) {
      vi.setSystemTime(second * 1000)
      for (const file of ['a', 'b', 'c']) retries.failed('7', `input ${file}`, away, 10_000)
    }
    const said = warnings(log)
    expect(said.slice(0, 3)).toEqual([
      `input a: ${away}; trying again in 10 s`,
      `input a: ${away}; trying again in 10 s (and 8 more like it since it was last said)`,
      `input a: ${away}; trying again in 10 s (and 17 more like it since it was last said)`,
    ])
    expect(said.length).toBeLessThan(110)
  })

  it('tells reasons apart again when earlier ones have not come for long', () => {
    const log = createRecordingLog()
    const retries = createRetryLog(log)
    for (let file = 0; file < 30; file++) retries.failed('7', 'input a', `reason ${file}`, 2000)
    vi.setSystemTime(3_600_000)
    retries.failed('8', 'input b', 'another reason', 2000)
    expect(warnings(log).at(-1)).toBe('input b: another reason; trying again in 2 s')
  })

  it('names each job at its first failure, then says the reason for all of them together', () => {
    const log = createRecordingLog()
    const retries = createRetryLog(log)
    for (let second = 0; second <= 30; second += 10) {
      vi.setSystemTime(second * 1000)
      for (const job of ['7', '8', '9'])
        for (const file of ['a', 'b']) retries.failed(job, `input ${file}`, away, 10_000)
    }
    const words = `input a: ${away}; trying again in 10 s`
    expect(log.lines.filter((line) => line.startsWith('warn'))).toEqual([
      `warn ${words} {"job":"7"}`,
      `warn ${words} {"job":"8"}`,
      `warn ${words} {"job":"9"}`,
      `warn ${words} (and 15 more like it, of 3 jobs, since it was last said) {"job":"7"}`,
    ])
    // Its transfers are over: those of its outputs are another matter.
    retries.ended('8')
    retries.failed('8', 'output c', away, 10_000)
    expect(warnings(log).at(-1)).toBe(`output c: ${away}; trying again in 10 s`)
  })

  it('names a thousand jobs that fail at once in few lines', () => {
    const log = createRecordingLog()
    const retries = createRetryLog(log)
    for (let round = 0; round < 3; round++)
      for (let job = 0; job < 1000; job++) retries.failed(`job${job}`, 'input a', away, 10_000)
    vi.advanceTimersByTime(10_000)
    const lines = log.lines.filter((line) => line.startsWith('warn'))
    expect(lines).toHaveLength(20 + 10)
    for (let job = 0; job < 1000; job++)
      expect(lines.filter((line) => new RegExp(`\\bjob${job}\\b`).test(line))).toHaveLength(1)
    expect(lines.at(-1)).toMatch(
      /^warn transfers of 80 more jobs fail and are tried again: job920, .*; the last: input a: /,
    )
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThan(2000)
  })

  it('says each reason, however soon after another', () => {
    const log = createRecordingLog()
    const retries = createRetryLog(log)
    retries.failed('7', 'input a', away, 2000)
    retries.failed('7', 'input b', 'no space left', 2000)
    retries.failed('7', 'input b', 'no space left', 4000)
    expect(warnings(log)).toEqual([
      `input a: ${away}; trying again in 2 s`,
      'input b: no space left; trying again in 2 s',
    ])
  })

  it('stays short when every file has a reason of its own', () => {
    const log = createRecordingLog()
    const retries = createRetryLog(log)
    for (let file = 0; file < 10_000; file++) retries.failed('7', `input ${file}`, `reason ${file}`, 2000)
    expect(warnings(log).length).toBeLessThan(25)
  })
})
