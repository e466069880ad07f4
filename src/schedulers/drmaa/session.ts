/** One life of the process that has the library: loaded, session opened, then one call at a time, each with a time limit. */
import { SchedulerDown } from '../scheduler.js'
import { spawnLibrary } from './spawn-library.js'
import type { LibraryAnswer, LibraryGreeting, LibraryRequest } from './wire.js'

/** The call was begun and not answered: what it was to do may have been done. */
export class LibraryFailed extends SchedulerDown {
  readonly kind: 'crash' | 'hang' | 'unreachable'
  constructor(kind: LibraryFailed['kind'], message: string) {
    super(message)
    this.kind = kind
  }
}

/** The library cannot be used, however often it is tried. */
export class LibraryUnusable extends Error {}

export interface LibraryInfo {
  /** Of DRMAA: "1.0" */
  readonly version: string
  /** "SLURM 22.05.8" */
  readonly system: string
}

export interface Session {
  readonly pid: number | undefined
  /** Whether its process is still to be spoken to. */
  readonly alive: boolean
  /** @throws LibraryUnusable; LibraryFailed */
  load(): Promise<LibraryInfo>
  /** Not before the last one is answered. A process that does not answer in time is killed. @throws LibraryFailed */
  ask(request: LibraryRequest): Promise<LibraryAnswer>
  kill(): void
  /** Lets it end by itself. */
  release(): void
}

export interface SessionOptions {
  readonly path: string
  /** The compiled library-process. */
  readonly program?: string | undefined
  /** Of loading, and of opening the session. */
  readonly startLimitMs: number
  readonly callLimitMs: number
  /** It ended while nothing was asked of it. */
  onLost(how: string): void
}

interface Wait {
  hear(message: LibraryGreeting | LibraryAnswer): void
  lose(how: string): void
}

export function startSession(options: SessionOptions): Session {
  let alive = true
  let waiting: Wait | undefined
  const process = spawnLibrary(
    options.path,
    {
      said: (message) => waiting?.hear(message),
      ended: (how) => {
        const wasAlive = alive
        alive = false
        if (waiting) waiting.lose(how)
        else if (wasAlive) options.onLost(how)
      },
    },
    options.program,
  )

  function next(what: string, limitMs: number): Promise<LibraryGreeting | LibraryAnswer> {
    return new Promise((resolve, reject) => {
      const settle = (): void => {
        clearTimeout(timer)
        waiting = undefined
      }
      const timer = setTimeout(() => {
        settle()
        kill()
        reject(new LibraryFailed('hang', `${what} was not answered within ${limitMs / 1000} s`))
      }, limitMs)
      waiting = {
        hear(message) {
          settle()
          resolve(message)
        },
        lose(how) {
          settle()
          reject(new LibraryFailed('crash', `${what} ended its process (${how})`))
        },
      }
    })
  }

  function kill(): void {
    alive = false
    process.kill()
  }

  return {
    pid: process.pid,
    get alive() {
      return alive
    },
    async load() {
      const greeting = await next('loading it', options.startLimitMs)
      if (!('kind' in greeting)) throw new LibraryUnusable('its process does not speak as it should')
      if (greeting.kind === 'unusable') throw new LibraryUnusable(greeting.reason)
      return { version: greeting.version, system: greeting.system }
    },
    async ask(request) {
      const answer = next(
        CALLS[request.kind],
        request.kind === 'init' ? options.startLimitMs : options.callLimitMs,
      )
      if (alive) process.send(request)
      else waiting?.lose('it had ended')
      const message = await answer
      if ('ok' in message) return message
      throw new LibraryFailed('crash', 'its process does not speak as it should')
    },
    kill,
    release() {
      alive = false
      process.release()
    },
  }
}

const CALLS = {
  init: 'drmaa_init',
  submit: 'drmaa_run_job',
  state: 'drmaa_job_ps',
  terminate: 'drmaa_control',
} as const satisfies Record<LibraryRequest['kind'], string>
