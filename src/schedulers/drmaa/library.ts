/** The DRMAA library as the server sees it: calls wait for each other, and while it fails it is tried ever more rarely. */
import { messageOf } from '../../lib/errors.js'
import type { Logger } from '../../lib/log.js'
import { SchedulerDown } from '../scheduler.js'
import { isDownText } from '../slurm/down.js'
import { ERRNO } from './codes.js'
import { LibraryFailed, type LibraryInfo, LibraryUnusable, type Session, startSession } from './session.js'
import type { LibraryAnswer, LibraryRequest } from './wire.js'

/** The library, or the DRM behind it, says no. */
export class LibraryRefused extends Error {
  readonly code: number
  constructor(code: number, message: string) {
    super(message)
    this.code = code
  }
}

export interface DrmaaLibrary {
  /**
   * Loads the library and opens its session; resolves with what is wrong, if anything. Then every call tries again.
   * @throws LibraryUnusable when that is no use; LibraryFailed when it ended its process
   */
  open(): Promise<string | undefined>
  readonly info: LibraryInfo | undefined
  /**
   * Submits and terminates go before questions for states. Of submit the id, of state its number.
   * @throws LibraryFailed when it was begun and not answered; SchedulerDown when it was not begun; LibraryRefused
   */
  call(request: LibraryRequest): Promise<string | number>
  /** Of its process, if that runs. */
  readonly pid: number | undefined
  close(): void
}

export interface LibraryOptions {
  readonly path: string
  readonly log: Logger
  readonly program?: string | undefined
  readonly startLimitMs?: number | undefined
  readonly callLimitMs?: number | undefined
  /** Before the library is tried again; doubles up to the second. */
  readonly firstPauseMs?: number | undefined
  readonly maxPauseMs?: number | undefined
}

interface Waiting {
  readonly request: LibraryRequest
  resolve(value: string | number): void
  reject(error: unknown): void
}

interface Outage {
  readonly reason: string
  readonly since: number
  pauseMs: number
  nextAt: number
}

export function createLibrary(options: LibraryOptions): DrmaaLibrary {
  const {
    path,
    log,
    startLimitMs = 30_000,
    callLimitMs = 60_000,
    firstPauseMs = 250,
    maxPauseMs = 30_000,
  } = options
  const urgent: Waiting[] = []
  const questions: Waiting[] = []
  let session: Session | undefined
  let opening: Promise<Session> | undefined
  let info: LibraryInfo | undefined
  let outage: Outage | undefined
  let working = false
  let closed = false

  function fail(reason: string): void {
    if (closed) return
    if (outage) {
      outage.pauseMs = Math.min(outage.pauseMs * 2, maxPauseMs)
      outage.nextAt = performance.now() + outage.pauseMs
    } else {
      log.warn(`the DRMAA library fails: ${reason}; jobs keep their state until it answers again (${path})`)
      const since = performance.now()
      outage = { reason, since, pauseMs: firstPauseMs, nextAt: since + firstPauseMs }
    }
    for (const waiting of [...urgent.splice(0), ...questions.splice(0)])
      waiting.reject(new SchedulerDown(reason))
  }

  function succeed(): void {
    if (!outage) return
    log.info(
      `the DRMAA library answers again after ${Math.round((performance.now() - outage.since) / 1000)} s`,
    )
    outage = undefined
  }

  function ready(): Promise<Session> {
    if (session?.alive) return opening ?? Promise.resolve(session)
    opening = begin().finally(() => {
      opening = undefined
    })
    return opening
  }

  async function begin(): Promise<Session> {
    const opened = startSession({
      path,
      program: options.program,
      startLimitMs,
      callLimitMs,
      onLost: (how) => fail(`its process ended (${how})`),
    })
    session = opened
    try {
      info = await opened.load()
      const answer = await opened.ask({ kind: 'init' })
      if (!answer.ok) throw new SchedulerDown(`drmaa_init: ${answer.text} (error ${answer.code})`)
      return opened
    } catch (error) {
      opened.kill()
      throw error
    }
  }

  /** What became of a call that the library was given. */
  function read(request: LibraryRequest, answer: LibraryAnswer): string | number {
    if (answer.ok) return answer.value
    const message = `${answer.text || 'no message'} (DRMAA error ${answer.code})`
    if (answer.code === ERRNO.drmCommunicationFailure || isDownText(answer.text))
      throw new LibraryFailed('unreachable', message)
    if (answer.code === ERRNO.noActiveSession) {
      session?.kill()
      throw new SchedulerDown(message)
    }
    if (answer.code === ERRNO.tryLater && request.kind !== 'state') throw new NotNow(message)
    throw new LibraryRefused(answer.code, message)
  }

  async function perform({ request, resolve, reject }: Waiting): Promise<void> {
    let opened: Session
    try {
      opened = await ready()
    } catch (error) {
      fail(messageOf(error))
      // It never came to the call.
      return reject(new SchedulerDown(messageOf(error)))
    }
    try {
      const value = read(request, await opened.ask(request))
      succeed()
      resolve(value)
    } catch (error) {
      if (error instanceof SchedulerDown && !(error instanceof NotNow)) fail(messageOf(error))
      else succeed()
      reject(error)
    }
  }

  async function work(): Promise<void> {
    if (working) return
    working = true
    for (let next = urgent.shift() ?? questions.shift(); next; next = urgent.shift() ?? questions.shift())
      await perform(next)
    working = false
  }

  return {
    get info() {
      return info
    },
    get pid() {
      return session?.alive ? session.pid : undefined
    },
    async open() {
      try {
        await ready()
        return undefined
      } catch (error) {
        if (isUnusable(error)) throw error
        fail(messageOf(error))
        return messageOf(error)
      }
    },
    call(request) {
      return new Promise((resolve, reject) => {
        if (closed) return reject(new SchedulerDown('the server is stopping'))
        if (outage && performance.now() < outage.nextAt) return reject(new SchedulerDown(outage.reason))
        const queue = request.kind === 'state' ? questions : urgent
        queue.push({ request, resolve, reject })
        void work()
      })
    },
    close() {
      closed = true
      for (const waiting of [...urgent.splice(0), ...questions.splice(0)])
        waiting.reject(new SchedulerDown('the server is stopping'))
      session?.release()
    },
  }
}

/** DRMAA's "try later": the DRM is well and took nothing. */
class NotNow extends SchedulerDown {}

/** Whether an error of `open` means that this library is of no use here. */
export function isUnusable(error: unknown): boolean {
  return error instanceof LibraryUnusable || (error instanceof LibraryFailed && error.kind === 'crash')
}
