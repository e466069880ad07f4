import type { Logger } from '../lib/log.js'

/** How far the transfers of a job are; part of its record, for whoever asks. */
export interface TransferProgress {
  readonly direction: 'in' | 'out'
  readonly files: number
  filesDone: number
  /** Given up. */
  filesFailed: number
  /** Attempts that failed and were followed by another one. */
  attemptsFailed: number
  /** That moved, also those of attempts that failed. */
  bytes: number
  readonly startedAtMs: number
  /** Transfers that wait for their next attempt, and until when (milliseconds since 1970). */
  readonly retrying: Map<string, number>
  /** Why the last attempt of one of them failed. */
  lastError: string | undefined
  /** Bytes of each of the last seconds, by the second modulo their number. */
  readonly lately: { second: number; bytes: number }[]
}

/** Over so many seconds the rate of a job is taken. */
const RATE_SECONDS = 5

export function startProgress(
  direction: 'in' | 'out',
  files: number,
  startedAtMs = Date.now(),
): TransferProgress {
  return {
    direction,
    files,
    filesDone: 0,
    filesFailed: 0,
    attemptsFailed: 0,
    bytes: 0,
    startedAtMs,
    retrying: new Map(),
    lastError: undefined,
    lately: Array.from({ length: RATE_SECONDS }, () => ({ second: 0, bytes: 0 })),
  }
}

export function addBytes(progress: TransferProgress, bytes: number, nowMs = Date.now()): void {
  progress.bytes += bytes
  const second = Math.floor(nowMs / 1000)
  const slot = progress.lately[second % RATE_SECONDS]
  if (!slot) return
  if (slot.second !== second) Object.assign(slot, { second, bytes: 0 })
  slot.bytes += bytes
}

/** Bytes per second, over the last five seconds or since the beginning. */
export function rateOf(progress: TransferProgress, nowMs = Date.now()): number {
  const second = Math.floor(nowMs / 1000)
  const recent = progress.lately.filter((slot) => slot.second > second - RATE_SECONDS)
  const bytes = recent.reduce((sum, slot) => sum + slot.bytes, 0)
  // The present second is not over.
  const sinceMs = Math.max(progress.startedAtMs, (second - RATE_SECONDS + 1) * 1000)
  return bytes / Math.max(0.25, (nowMs - sinceMs) / 1000)
}

/** "12 of 50 files, 3.4 GB, 112 MB/s" on average. */
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
