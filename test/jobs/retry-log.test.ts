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
