/** One job runner per process, however many managers run local jobs: each would cost 3 MB. */
import type { Logger } from '../lib/log.js'
import { createJobRunner, type JobRunner } from './job-runner.js'

let shared: { readonly runner: JobRunner; users: number } | undefined

/** The runner of this process, made when it is first asked for; the last close() of those who asked closes it. */
export function shareJobRunner(log: Logger): JobRunner {
  shared ??= { runner: createJobRunner({ log }), users: 0 }
  const mine = shared
  mine.users += 1
  let open = true
  return {
    start: (job) => mine.runner.start(job),
    stuck: () => mine.runner.stuck(),
    close() {
      if (!open) return
      open = false
      mine.users -= 1
      if (mine.users > 0) return
      mine.runner.close()
      shared = undefined
    },
  }
}
