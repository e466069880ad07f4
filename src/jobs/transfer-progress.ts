import type { Logger } from '../lib/log.js'

/** How far the transfers of a job are; part of its record, for whoever asks. */
export interface TransferProgress {
  readonly direction: 'in' | 'out'
  readonly files: number
  filesDone: number
  bytes: number
  readonly startedAtMs: number
}

export function startProgress(direction: 'in' | 'out', files: number): TransferProgress {
  return { direction, files, filesDone: 0, bytes: 0, startedAtMs: Date.now() }
}

/** "12 of 50 files, 3.4 GB, 112 MB/s". */
export function describeProgress(progress: TransferProgress, nowMs = Date.now()): string {
  const seconds = Math.max(0.001, (nowMs - progress.startedAtMs) / 1000)
  const files =
    progress.filesDone === progress.files ? `${progress.files}` : `${progress.filesDone} of ${progress.files}`
  return `${files} ${progress.files === 1 ? 'file' : 'files'}, ${formatBytes(progress.bytes)}, ${formatBytes(progress.bytes / seconds)}/s`
}

export function formatBytes(bytes: number): string {
  const units = ['bytes', 'kB', 'MB', 'GB', 'TB']
  let value = bytes
  let unit = 0
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000
    unit++
  }
  return `${unit === 0 ? Math.round(value) : value.toFixed(1)} ${units[unit]}`
}

const REPORT_MS = 30_000

/** Says every half minute how far it is, if that is farther, until stopped: a transfer that takes longer is one somebody may ask about. */
export function reportProgress(log: Logger, progress: TransferProgress): () => void {
  const verb = progress.direction === 'in' ? 'fetching inputs' : 'delivering outputs'
  let said = 0
  const timer = setInterval(() => {
    const state = progress.filesDone + progress.bytes
    if (state > said) log.info(`${verb}: ${describeProgress(progress)}`)
    said = state
  }, REPORT_MS)
  timer.unref()
  return () => clearInterval(timer)
}
