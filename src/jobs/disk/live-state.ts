import fs from 'node:fs'
import path from 'node:path'
import { openForRead, storeFile } from '../../lib/confined-file.js'
import { MagnetarError } from '../../lib/errors.js'
import { readIfThere } from './end.js'

/** A stream of the tool, named by its file in the job directory. */
export type LiveStream = (typeof LIVE_STREAMS)[number]

export const LIVE_STREAMS = ['metadata/tool_stdout', 'metadata/tool_stderr'] as const

/** Bytes of each stream that Galaxy has; `delivered`: it may be left out of the final status (pulsar/managers/live_output.py). */
export type LiveState = Readonly<Record<LiveStream, number>> & {
  readonly delivered: boolean
  /** Nobody knows whether Galaxy took the last piece, which it would add a second time: the streams go with the final status. */
  readonly inDoubt: boolean
}

const FILE = 'live_output_state'

/** What the job directory says; nothing sent, when it says nothing. */
export function readLiveState(directory: string): LiveState {
  const state: Record<string, unknown> = parse(readIfThere(path.join(directory, FILE)))
  const bytes = (stream: LiveStream): number => {
    const value = state[stream]
    return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 ? value : 0
  }
  return {
    'metadata/tool_stdout': bytes('metadata/tool_stdout'),
    'metadata/tool_stderr': bytes('metadata/tool_stderr'),
    delivered: state.delivered === true,
    inDoubt: state.inDoubt === true,
  }
}

/** Whether Galaxy has all of both streams, or as much as it is to get. */
export function isDelivered(directory: string, limitBytes: number): boolean {
  const state = readLiveState(directory)
  if (!state.delivered || state.inDoubt) return false
  return LIVE_STREAMS.every(
    (stream) => state[stream] >= limitBytes || readChunk(directory, stream, state[stream], 1).length === 0,
  )
}

function parse(text: string | undefined): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text ?? '{}')
    return typeof value === 'object' && value !== null ? { ...value } : {}
  } catch {
    return {}
  }
}

/** Whole or not at all: with lost offsets Galaxy would get everything twice. */
export function writeLiveState(directory: string, state: LiveState): void {
  storeFile(directory, [FILE], Buffer.from(JSON.stringify(state)))
}

/** Up to `maxBytes` of a stream from `offset` on; none when there is no such file yet. */
export function readChunk(
  directory: string,
  stream: LiveStream,
  offset: number,
  maxBytes: number,
): Uint8Array {
  const [folder = '', name = ''] = stream.split('/')
  let fd: number
  try {
    fd = openForRead(path.join(directory, folder), [name]).fd
  } catch (error) {
    if (error instanceof MagnetarError) return new Uint8Array()
    throw error
  }
  try {
    const bytes = new Uint8Array(maxBytes)
    return bytes.subarray(0, fs.readSync(fd, bytes, 0, maxBytes, offset))
  } finally {
    fs.closeSync(fd)
  }
}
