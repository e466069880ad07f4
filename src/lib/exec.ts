/**
 * Running a command: bounded in time, in output, and with its whole process group under control.
 * On node:child_process directly: importing execa costs 140 ms, most of what a server start may take.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import type { Readable } from 'node:stream'
import { errnoOf } from './errors.js'

export interface CommandOptions {
  /** After this the process group gets SIGTERM, `killGraceMs` later SIGKILL. */
  readonly timeoutMs: number
  readonly killGraceMs?: number
  /** Ends the command as a timeout does; the call then rejects with the signal's reason. */
  readonly signal?: AbortSignal
  readonly env?: NodeJS.ProcessEnv
  readonly cwd?: string
  /** Runs it as this user and group, without others; only for root. */
  readonly runAs?: { readonly uid: number; readonly gid: number }
  /** Kept of each stream; the rest is read and dropped (`truncated`). Default 1 MiB. */
  readonly maxOutputBytes?: number
  /** `ends`: of what is too long the first half and the last half of that are kept, with a line between. Default `head`. */
  readonly keep?: 'head' | 'ends'
  /** Written to standard input; without it the command reads /dev/null. */
  readonly input?: string
  /** Open files that the command gets as its descriptors 3, 4, … */
  readonly passFds?: readonly number[]
}

export interface CommandResult {
  /** Exit code; null when a signal ended it. */
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly stdout: string
  readonly stderr: string
  readonly timedOut: boolean
  readonly truncated: boolean
}

/** The command could not be started at all: `errno` is ENOENT when there is no such program, else EACCES, EAGAIN, E2BIG … */
export class CommandNotStarted extends Error {
  readonly command: string
  readonly errno: string
  constructor(command: string, errno: string, message: string, cause?: unknown) {
    super(message, { cause })
    this.name = 'CommandNotStarted'
    this.command = command
    this.errno = errno
  }
}

const DEFAULT_KILL_GRACE_MS = 1000
const DEFAULT_MAX_OUTPUT_BYTES = 1024 * 1024

/**
 * Runs `file` with `args` (no shell) and waits for its end. A non-zero exit is no error.
 * @throws CommandNotStarted when it cannot be started; the signal's reason when aborted.
 */
export function runCommand(
  file: string,
  args: readonly string[],
  options: CommandOptions,
): Promise<CommandResult> {
  return new Promise((resolve, reject) => {
    const { signal } = options
    if (signal?.aborted) return reject(signal.reason)
    let child: ChildProcess
    try {
      const stdin = options.input === undefined ? 'ignore' : 'pipe'
      const { cwd, env, runAs, passFds = [] } = options
      const stdio = [stdin, 'pipe', 'pipe', ...passFds] as const
      child = spawn(file, args, { detached: true, cwd, env, ...runAs, stdio: [...stdio] })
    } catch (error) {
      return reject(notStarted(file, options.cwd, error))
    }
    const limit = options.maxOutputBytes ?? DEFAULT_MAX_OUTPUT_BYTES
    const collected = options.keep === 'ends' ? collectEnds : collect
    const stdout = collected(child.stdout, limit)
    const stderr = collected(child.stderr, limit)
    let timedOut = false
    let settled = false
    const timers: NodeJS.Timeout[] = []

    const later = (ms: number, run: () => void) => timers.push(setTimeout(run, ms))
    const stop = (): void => {
      killGroup(child.pid, 'SIGTERM')
      later(options.killGraceMs ?? DEFAULT_KILL_GRACE_MS, () => {
        killGroup(child.pid, 'SIGKILL')
        // A process that left the group may hold the pipes open for ever: waiting for their end has its own end.
        later(DEFAULT_KILL_GRACE_MS, () => finish(child.exitCode, child.signalCode ?? 'SIGKILL'))
      })
    }
    const settle = (): boolean => {
      if (settled) return false
      settled = true
      for (const timer of timers) clearTimeout(timer)
      signal?.removeEventListener('abort', stop)
      return true
    }
    const finish = (code: number | null, ended: NodeJS.Signals | null): void => {
      if (!settle()) return
      child.stdout?.destroy()
      child.stderr?.destroy()
      const truncated = stdout.truncated || stderr.truncated
      if (signal?.aborted) reject(signal.reason)
      else resolve({ code, signal: ended, stdout: stdout.text(), stderr: stderr.text(), timedOut, truncated })
    }

    later(options.timeoutMs, () => {
      timedOut = true
      stop()
    })
    signal?.addEventListener('abort', stop, { once: true })
    child.on('error', (error) => {
      if (child.pid === undefined && settle()) reject(notStarted(file, options.cwd, error))
    })
    child.on('close', finish)
    // A command that does not read its input is not an error of ours (EPIPE).
    child.stdin?.on('error', () => {})
    child.stdin?.end(options.input)
  })
}

function notStarted(file: string, cwd: string | undefined, error: unknown): CommandNotStarted {
  const errno = errnoOf(error) ?? 'UNKNOWN'
  // spawn reports ENOENT for the program also when it is the directory that is missing.
  if (errno === 'ENOENT' && cwd !== undefined && !existsSync(cwd)) {
    return new CommandNotStarted(
      file,
      'ENOTDIR',
      `cannot run ${file}: the directory ${cwd} does not exist`,
      error,
    )
  }
  const why = errno === 'ENOENT' ? 'it is not installed, or not on PATH' : errno
  return new CommandNotStarted(file, errno, `cannot run ${file}: ${why}`, error)
}

function killGroup(pid: number | undefined, signal: NodeJS.Signals): void {
  if (pid === undefined) return
  try {
    process.kill(-pid, signal)
  } catch {
    // Already gone.
  }
}

interface Collected {
  truncated: boolean
  text(): string
}

/** With no file descriptors left, spawn makes no streams at all and reports the error later: hence undefined. */
function collect(stream: Readable | null | undefined, limitBytes: number): Collected {
  const chunks: Buffer[] = []
  let bytes = 0
  const collected: Collected = { truncated: false, text: () => Buffer.concat(chunks).toString('utf8') }
  stream?.on('data', (chunk: Buffer) => {
    const room = limitBytes - bytes
    if (chunk.length > room) collected.truncated = true
    if (room <= 0) return
    const kept = chunk.length > room ? chunk.subarray(0, room) : chunk
    chunks.push(kept)
    bytes += kept.length
  })
  // The child's end is told by 'close'; a broken pipe adds nothing.
  stream?.on('error', () => {})
  return collected
}

/** The tail is a ring, made when the head is full. */
function collectEnds(stream: Readable | null | undefined, limitBytes: number): Collected {
  const head: Buffer[] = []
  const headBytes = Math.ceil(limitBytes / 2)
  const ringBytes = limitBytes - headBytes
  let ring: Buffer | undefined
  let [inHead, passed] = [0, 0]

  function addToRing(chunk: Buffer): void {
    ring ??= Buffer.alloc(ringBytes)
    const kept = chunk.subarray(Math.max(0, chunk.length - ringBytes))
    const at = (passed + chunk.length - kept.length) % ringBytes
    const copied = kept.copy(ring, at)
    kept.copy(ring, 0, copied)
    passed += chunk.length
  }
  const collected: Collected = {
    truncated: false,
    text() {
      const start = Buffer.concat(head)
      if (ring === undefined) return start.toString('utf8')
      if (passed <= ringBytes) return Buffer.concat([start, ring.subarray(0, passed)]).toString('utf8')
      const from = passed % ringBytes
      const end = Buffer.concat([ring.subarray(from), ring.subarray(0, from)])
      return `${start.toString('utf8')}\n[${passed - ringBytes} bytes are left out]\n${end.toString('utf8')}`
    },
  }
  stream?.on('data', (chunk: Buffer) => {
    const forHead = chunk.subarray(0, headBytes - inHead)
    if (forHead.length > 0) head.push(forHead)
    inHead += forHead.length
    if (forHead.length < chunk.length) addToRing(chunk.subarray(forHead.length))
    collected.truncated = passed > ringBytes
  })
  stream?.on('error', () => {})
  return collected
}
