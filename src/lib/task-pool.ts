import { Worker } from 'node:worker_threads'
import { ERRORS, type ErrorCode } from './error-table.js'
import { MagnetarError } from './errors.js'

/**
 * Runs synchronous functions in worker threads. What a job needs of the disk is some two hundred system calls; each of them as
 * an asynchronous call of its own costs a wake-up of another thread and back, four times the CPU of the call itself. As one
 * task they cost one wake-up, and a file system that hangs holds up a worker, not the server.
 */

export type Tasks = Readonly<Record<string, (...args: never[]) => unknown>>

export type TaskPool<T extends Tasks> = {
  readonly [K in keyof T]: (...args: Parameters<T[K]>) => Promise<ReturnType<T[K]>>
}

/** What a worker is sent, and what it answers. */
export interface TaskCall {
  readonly id: number
  readonly name: string
  readonly args: readonly unknown[]
}

export type TaskAnswer =
  | { readonly id: number; readonly value: unknown }
  | { readonly id: number; readonly error: TaskFailure }

export interface TaskFailure {
  readonly message: string
  /** Of a MagnetarError. */
  readonly code?: ErrorCode
  /** Of a system error: "ENOSPC". */
  readonly errno?: string
}

interface Pending {
  resolve(value: unknown): void
  reject(error: unknown): void
}

interface Thread {
  readonly worker: Worker
  readonly pending: Map<number, Pending>
  /** When it last answered, or was given work after a rest. */
  lastMovedMs: number
}

/** More than one only while the disk is slow: a second thread costs 5 MB. */
const MAX_THREADS = 4
/** A thread that has not answered for so long is held up by its disk. */
const HELD_UP_MS = 50
const HEAP_LIMITS = { maxOldGenerationSizeMb: 128, maxYoungGenerationSizeMb: 4, stackSizeMb: 1 }
/** After so long without work the thread of an isolated pool ends. */
const IDLE_MS = 10_000

export interface PoolOptions {
  /** At most so many threads. */
  readonly threads?: number
  /**
   * A thread has one call at a time and the others wait: a call that is held up, or dies of the memory it needs, is alone with that.
   */
  readonly isolated?: boolean
  /** What a thread may have on its heap, MiB. */
  readonly heapMb?: number
}

/**
 * A pool over the functions in `tasks`, which `workerFile` serves in its threads (see serveTasks). The first thread starts
 * with the first call. Run from TypeScript sources, as tests do, the functions are called in this thread.
 */
export function createTaskPool<T extends Tasks>(
  workerFile: URL,
  tasks: T,
  { threads: most = MAX_THREADS, isolated = false, heapMb }: PoolOptions = {},
): TaskPool<T> {
  const threads: Thread[] = []
  /** Calls that wait for a thread of their own. */
  const queue: ((thread: Thread) => void)[] = []
  let serial = 0
  const resourceLimits =
    heapMb === undefined ? HEAP_LIMITS : { ...HEAP_LIMITS, maxOldGenerationSizeMb: heapMb }
  const inline = workerFile.pathname.endsWith('.ts')

  function start(): Thread {
    const thread: Thread = {
      worker: new Worker(workerFile, { resourceLimits, trackUnmanagedFds: false }),
      pending: new Map(),
      lastMovedMs: 0,
    }
    thread.worker.unref()
    thread.worker.on('message', (answer: TaskAnswer) => {
      const waiting = thread.pending.get(answer.id)
      thread.lastMovedMs = Date.now()
      thread.pending.delete(answer.id)
      if (thread.pending.size === 0) thread.worker.unref()
      if ('error' in answer) waiting?.reject(thaw(answer.error))
      else waiting?.resolve(answer.value)
      if (isolated) workOrEnd(thread)
    })
    const fail = (error: unknown): void => {
      if (!threads.includes(thread)) return
      threads.splice(threads.indexOf(thread), 1)
      for (const waiting of thread.pending.values()) waiting.reject(error)
      thread.pending.clear()
      if (queue.length > 0) queue.shift()?.(start())
    }
    thread.worker.on('error', fail)
    thread.worker.on('exit', () => fail(new Error('a disk thread ended unexpectedly')))
    threads.push(thread)
    return thread
  }

  function workOrEnd(thread: Thread): void {
    const next = queue.shift()
    if (next) {
      next(thread)
      return
    }
    const { lastMovedMs } = thread
    setTimeout(() => {
      if (thread.pending.size > 0 || thread.lastMovedMs !== lastMovedMs || !threads.includes(thread)) return
      threads.splice(threads.indexOf(thread), 1)
      void thread.worker.terminate()
    }, IDLE_MS).unref()
  }

  /** undefined: all are taken. */
  function free(): Thread | undefined {
    return (
      threads.find((thread) => thread.pending.size === 0) ?? (threads.length < most ? start() : undefined)
    )
  }

  function leastBusy(): Thread {
    let best: Thread | undefined
    for (const thread of threads) if (!best || thread.pending.size < best.pending.size) best = thread
    if (!best) return start()
    const heldUp = best.pending.size > 0 && Date.now() - best.lastMovedMs > HELD_UP_MS
    return heldUp && threads.length < most ? start() : best
  }

  function call(name: string, args: readonly unknown[]): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const send = (thread: Thread): void => {
        const id = ++serial
        if (thread.pending.size === 0) {
          thread.lastMovedMs = Date.now()
          thread.worker.ref()
        }
        thread.pending.set(id, { resolve, reject })
        thread.worker.postMessage({ id, name, args } satisfies TaskCall)
      }
      const thread = isolated ? free() : leastBusy()
      if (thread) send(thread)
      else queue.push(send)
    })
  }

  const entries = Object.entries(tasks).map(([name, task]) => [
    name,
    inline
      ? async (...args: unknown[]) => (task as (...args: unknown[]) => unknown)(...args)
      : (...args: unknown[]) => call(name, args),
  ])
  return Object.fromEntries(entries) as TaskPool<T>
}

function thaw({ message, code, errno }: TaskFailure): Error {
  const cause = errno === undefined ? undefined : Object.assign(new Error(message), { code: errno })
  if (code !== undefined && code in ERRORS) return new MagnetarError(code, message, { cause })
  return cause ?? new Error(message)
}
