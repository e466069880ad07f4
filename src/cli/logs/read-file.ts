import { type FileHandle, open, stat } from 'node:fs/promises'
import { StringDecoder } from 'node:string_decoder'
import { errnoOf } from '../../lib/errors.js'
import { pause } from '../../lib/timing.js'

const CHUNK_BYTES = 256 * 1024
const POLL_MS = 250
const MAX_LINE = 4 * 1024 * 1024

export interface ReadOptions {
  /** Read only so much of the end; the first line may be a part and is left out. */
  readonly tailBytes?: number
  /** What is read as long as the file is not there: logrotate has moved it, and the server has not made the new one. */
  readonly former?: string
  readonly signal: AbortSignal
  readonly onLine: (line: string) => void
}

/** A log file that is read on and on: also after logrotate has moved it away, or cut it to nothing. */
export interface OpenLog {
  readonly beganWithFormer: boolean
  /** Everything that is there now. */
  readOn(): Promise<void>
  /** Reads on until the signal; `onIdle` after each look. */
  follow(onIdle: () => void): Promise<void>
  close(): Promise<void>
}

/** @throws the system error when the file cannot be opened */
export async function openLog(
  file: string,
  { tailBytes, former, signal, onLine }: ReadOptions,
): Promise<OpenLog> {
  let beganWithFormer = false
  let handle: FileHandle | undefined = await open(file, 'r').catch(async (error: unknown) => {
    const moved =
      former !== undefined && errnoOf(error) === 'ENOENT'
        ? await open(former, 'r').catch(() => undefined)
        : undefined
    if (moved === undefined) throw error
    beganWithFormer = true
    return moved
  })
  let position = 0
  let skipsFirst = false
  let rest = ''
  let decoder = new StringDecoder('utf8')
  const { size } = await handle.stat()
  if (tailBytes !== undefined && size > tailBytes) {
    position = size - tailBytes
    skipsFirst = true
  }
  const buffer = Buffer.alloc(CHUNK_BYTES)

  function take(text: string): void {
    const lines = (rest + text).split('\n')
    rest = (lines.pop() ?? '').slice(0, MAX_LINE)
    if (skipsFirst && lines.length > 0) {
      lines.shift()
      skipsFirst = false
    }
    for (const line of lines) onLine(line.replace(/\r$/, ''))
  }

  async function readOn(): Promise<void> {
    while (handle && !signal.aborted) {
      const { bytesRead } = await handle.read(buffer, 0, buffer.length, position)
      if (bytesRead === 0) return
      position += bytesRead
      take(decoder.write(buffer.subarray(0, bytesRead)))
    }
  }

  /** The same name may be another file by now; what the old one got last has been read. */
  async function reopenWhenMoved(): Promise<void> {
    try {
      const [now, ours] = await Promise.all([stat(file), handle?.stat()])
      if (ours && now.ino === ours.ino && now.dev === ours.dev && now.size >= position) return
      await readOn()
      const next = await open(file, 'r')
      await handle?.close()
      handle = next
      position = 0
      if (rest !== '') take('\n')
      decoder = new StringDecoder('utf8')
    } catch (error) {
      // Between the move and the first new line there is none.
      if (errnoOf(error) !== 'ENOENT') throw error
    }
  }

  return {
    beganWithFormer,
    readOn,
    async follow(onIdle) {
      const stay = setInterval(() => {}, 60_000)
      try {
        while (!signal.aborted) {
          await readOn()
          onIdle()
          await pause(POLL_MS, signal)
          await reopenWhenMoved()
        }
      } finally {
        clearInterval(stay)
      }
    },
    async close() {
      if (rest !== '') take('\n')
      await handle?.close()
    },
  }
}
