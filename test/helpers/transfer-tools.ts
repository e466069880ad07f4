import { readdirSync, readlinkSync } from 'node:fs'
import type { TransferTools } from '../../src/staging/action.js'
import type { HttpClient } from '../../src/staging/http-client.js'
import { createRecordingLog, type RecordingLog } from './recording-log.js'

/** The tools of one transfer, and what was done with them. */
export interface TestTools extends TransferTools {
  readonly log: RecordingLog
  /** Sum of what was reported. */
  moved(): number
  noted(): string | undefined
  /** What was last told to be where the next attempt goes on. */
  keptBytes(): number
  cancel(reason?: Error): void
  /** For the next attempt of the same transfer: what was noted is known, the rest is new. */
  again(http?: HttpClient): TestTools
  /** As `again`, after what was noted has been lost. */
  forgetful(): TestTools
}

const noHttp: HttpClient = {
  request: () => Promise.reject(new Error('this action needs no HTTP')),
  close: async () => {},
}

export function createTransferTools(http: HttpClient = noHttp, note?: string): TestTools {
  const cancelling = new AbortController()
  let moved = 0
  let text = note
  let keptBytes = 0
  return {
    http,
    log: createRecordingLog(),
    signal: cancelling.signal,
    progress: (bytes) => {
      moved += bytes
    },
    kept: (bytes) => {
      keptBytes = bytes
    },
    memory: {
      get: () => text,
      set: async (value) => {
        text = value
      },
    },
    moved: () => moved,
    noted: () => text,
    keptBytes: () => keptBytes,
    cancel: (reason = new Error('cancelled by the test')) => cancelling.abort(reason),
    again: (other = http) => createTransferTools(other, text),
    forgetful: () => createTransferTools(http),
  }
}

/** What this process has open below `directory`. */
export function openBelow(directory: string): string[] {
  return readdirSync('/proc/self/fd').flatMap((fd) => {
    try {
      const target = readlinkSync(`/proc/self/fd/${fd}`)
      return `${target}/`.startsWith(`${directory}/`) ? [target] : []
    } catch {
      // Closed meanwhile: the descriptor of this very listing, for one.
      return []
    }
  })
}
