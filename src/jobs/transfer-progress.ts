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
  /** Of the files that have arrived: their sizes. */
  fileBytes: number
  /** That moved and were of no use: attempts began anew. */
  lostBytes: number
  /** Attempts under way: at whom each waits when nothing moves, without keys. */
  readonly underWay: Map<string, string>
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
    fileBytes: 0,
    lostBytes: 0,
    underWay: new Map(),
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

/** A rate of less than that, or of less than a second, says nothing. */
const RATED_FROM_BYTES = 1_000_000

/** "12 of 50 files, 3.4 GB, 112 MB/s" on average, of what has moved. */
export function describeProgress(
  progress: TransferProgress,
  bytes = progress.bytes,
  nowMs = Date.now(),
): string {
  const seconds = (nowMs - progress.startedAtMs) / 1000
  const isRated = seconds >= 1 && progress.bytes >= RATED_FROM_BYTES
  const rate = isRated ? `, ${formatBytes(progress.bytes / seconds)}/s` : ''
  const files =
    progress.filesDone === progress.files ? `${progress.files}` : `${progress.filesDone} of ${progress.files}`
  return `${files} ${progress.files === 1 ? 'file' : 'files'}, ${formatBytes(bytes)}${rate}`
}

/** When all have ended: "5 files, 20.0 MB, 3.1 MB/s, 19.9 MB more by failed attempts, after 2 failed attempts". */
export function describeEnd(progress: TransferProgress, nowMs = Date.now()): string {
  const { attemptsFailed: failed, lostBytes } = progress
  const more = lostBytes > 0 ? `, ${formatBytes(lostBytes)} more by failed attempts` : ''
  const after = failed > 0 ? `, after ${failed} failed ${failed === 1 ? 'attempt' : 'attempts'}` : ''
  return `${describeProgress(progress, progress.fileBytes, nowMs)}${more}${after}`
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
const REPORT_MAX_MS = 15 * 60_000

/**
 * Says every half minute how far it is, until stopped: a transfer that takes longer is one somebody may ask about. When nothing moves
 * although attempts are under way, at whom they wait: after half a minute, then ever more seldom.
 */
export function reportProgress(log: Logger, progress: TransferProgress): () => void {
  const verb = progress.direction === 'in' ? 'fetching inputs' : 'delivering outputs'
  let said = 0
  let stillMs = 0
  let sayAtMs = REPORT_MS
  const timer = setInterval(() => {
    const state = progress.filesDone + progress.bytes
    if (state > said) {
      log.info(`${verb}: ${describeProgress(progress)}`)
      stillMs = 0
      sayAtMs = REPORT_MS
    } else {
      stillMs += REPORT_MS
      // Else it waits for its turn, or for the next attempt, of which others speak.
      if (stillMs >= sayAtMs && progress.underWay.size > 0) {
        log.info(`${verb}: nothing has moved for ${stillMs / 1000} s: ${waitingFor(progress)}`)
        sayAtMs = stillMs + Math.min(stillMs, REPORT_MAX_MS)
      }
    }
    said = state
  }, REPORT_MS)
  timer.unref()
  return () => clearInterval(timer)
}

function waitingFor({ underWay }: TransferProgress): string {
  return `waiting for ${[...new Set(underWay.values())].slice(0, 3).join(', ')}`
}
