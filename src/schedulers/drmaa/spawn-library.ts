/** Starts the process that has the DRMAA library, and the channel to it. */
import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { slurmEnvironment } from '../slurm/environment.js'
import type { LibraryAnswer, LibraryGreeting, LibraryRequest } from './wire.js'

export interface LibraryProcess {
  readonly pid: number | undefined
  send(request: LibraryRequest): void
  /** Ends it at once, whatever it does. */
  kill(): void
  /** Lets go of it: it finishes what it does, closes its session and ends. */
  release(): void
}

export interface ProcessListener {
  said(message: LibraryGreeting | LibraryAnswer): void
  /** Once. `how` has the library's last words: "signal SIGSEGV: …" */
  ended(how: string): void
}

/** Beside this file, also in the bundle. Tests, which have only its source here, name the compiled one. */
const PROGRAM = fileURLToPath(new URL('./library-process.js', import.meta.url))
/** libslurm and others print their errors. */
const MAX_WORDS = 600

export function spawnLibrary(
  path: string,
  listener: ProcessListener,
  program: string = PROGRAM,
): LibraryProcess {
  // A session of its own: Ctrl-C at the server's terminal is not for it.
  const child = spawn(process.execPath, [program, path], {
    detached: true,
    cwd: '/',
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    env: slurmEnvironment(process.env),
  })
  let words = ''
  let ended = false
  const end = (how: string): void => {
    if (ended) return
    ended = true
    child.stderr?.destroy()
    const said = words.trim().replaceAll(/\s*\n\s*/g, '; ')
    listener.ended(said === '' ? how : `${how}: ${said}`)
  }
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    words = (words + text).slice(-MAX_WORDS)
  })
  child.stderr?.on('error', () => {})
  child.on('message', (message: LibraryGreeting | LibraryAnswer) => {
    if (!ended) listener.said(message)
  })
  child.on('error', (error) => end(error.message))
  child.once('exit', (code, signal) => {
    // What it has printed may still be on its way; its jobs may hold the pipe open.
    setTimeout(end, 50, signal === null ? `exit code ${code}` : `signal ${signal}`).unref()
  })
  child.unref()
  child.channel?.unref()
  const stderr: unknown = child.stderr
  if (hasUnref(stderr)) stderr.unref()
  return {
    pid: child.pid,
    send(request) {
      if (child.connected) child.send(request, () => {})
    },
    kill() {
      child.kill('SIGKILL')
    },
    release() {
      ended = true
      if (child.connected) child.disconnect()
      child.stderr?.destroy()
    },
  }
}

function hasUnref(value: unknown): value is { unref(): void } {
  return typeof value === 'object' && value !== null && 'unref' in value
}
