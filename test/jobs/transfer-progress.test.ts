import { expect, it, onTestFinished, vi } from 'vitest'
import { reportProgress, startProgress } from '../../src/jobs/transfer-progress.js'
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
