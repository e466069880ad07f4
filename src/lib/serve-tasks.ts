import { parentPort } from 'node:worker_threads'
import { errnoOf, MagnetarError, messageOf } from './errors.js'
import type { TaskAnswer, TaskCall, TaskFailure, Tasks } from './task-pool.js'

/** The other side of createTaskPool: called by the worker's own file with the same functions. */
export function serveTasks(tasks: Tasks): void {
  parentPort?.on('message', ({ id, name, args }: TaskCall) => {
    let answer: TaskAnswer
    try {
      const task = tasks[name] as (...args: readonly unknown[]) => unknown
      answer = { id, value: task(...args) }
    } catch (error) {
      answer = { id, error: freeze(error) }
    }
    parentPort?.postMessage(answer)
  })
}

/** Errors lose their codes when they are sent between threads. */
function freeze(error: unknown): TaskFailure {
  const errno = errnoOf(error instanceof MagnetarError ? error.cause : error)
  return {
    message: messageOf(error),
    ...(error instanceof MagnetarError ? { code: error.code } : {}),
    ...(errno === undefined ? {} : { errno }),
  }
}
