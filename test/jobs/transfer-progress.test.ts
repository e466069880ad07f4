import { expect, it, onTestFinished, vi } from 'vitest'
import { addBytes, describeEnd, reportProgress, startProgress } from '../../src/jobs/transfer-progress.js'
import { createRecordingLog } from '../helpers/recording-log.js'

it('progress is said every half minute, as long as there is some', () => {
  vi.useFakeTimers()
  onTestFinished(() => void vi.useRealTimers())
  const log = createRecordingLog()
  const progress = startProgress('in', 3)
  const stop = reportProgress(log, progress)
  vi.advanceTimersByTime(120_000)
  expect(log.lines).toEqual([])
  progress.bytes = 150_000_000
  progress.filesDone = 1
  vi.advanceTimersByTime(120_000)
  expect(log.lines).toEqual([expect.stringContaining('fetching inputs: 1 of 3 files, 150.0 MB, 1.0 MB/s')])
  stop()
  progress.filesDone = 2
  vi.advanceTimersByTime(120_000)
  expect(log.lines).toHaveLength(1)
})

it('that nothing moves is said with whom it waits for, ever more seldom, as long as attempts are under way', () => {
  vi.useFakeTimers()
  onTestFinished(() => void vi.useRealTimers())
  const log = createRecordingLog()
  const progress = startProgress('in', 3)
  onTestFinished(reportProgress(log, progress))
  for (const name of ['a', 'b']) progress.underWay.set(name, 'galaxy.example.org')
  const still = (): string[] => log.lines.map((line) => /moved for (\d+) s/.exec(line)?.[1] ?? line)
  vi.advanceTimersByTime(30_000)
  expect(log.lines).toEqual([
    'info fetching inputs: nothing has moved for 30 s: waiting for galaxy.example.org {}',
  ])
  vi.advanceTimersByTime(4 * 3600_000)
  expect(still().slice(0, 7)).toEqual(['30', '60', '120', '240', '480', '960', '1860'])
  expect(still().length).toBeLessThan(24)
  progress.bytes = 1000
  vi.advanceTimersByTime(60_000)
  expect(still().at(-1)).toBe('30')
  // Between two attempts the reason was said.
  progress.underWay.clear()
  const { length } = log.lines
  vi.advanceTimersByTime(3600_000)
  expect(log.lines).toHaveLength(length)
})

it('the end says the sizes of the files, what was moved besides, and a rate only where there is one', () => {
  const quick = startProgress('in', 1, 0)
  addBytes(quick, 25, 100)
  Object.assign(quick, { filesDone: 1, fileBytes: 25 })
  expect(describeEnd(quick, 100)).toBe('1 file, 25 bytes')
  expect(describeEnd(quick, 25_000)).toBe('1 file, 25 bytes')
  const slow = startProgress('out', 1, 0)
  addBytes(slow, 39_900_000, 9000)
  expect(describeEnd(slow, 900)).not.toContain('/s')
  Object.assign(slow, { filesDone: 1, fileBytes: 20_000_000, lostBytes: 19_900_000, attemptsFailed: 2 })
  expect(describeEnd(slow, 10_000)).toBe(
    '1 file, 20.0 MB, 4.0 MB/s, 19.9 MB more by failed attempts, after 2 failed attempts',
  )
})
