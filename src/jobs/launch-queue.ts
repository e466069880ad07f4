import { createLimit } from '../lib/limit.js'
import { backoffMs, pause } from '../lib/timing.js'
import type { Job, ManagerContext } from './job.js'
import { abandonLaunch, launchJob, RETRY_FIRST_MS, RETRY_MAX_MS } from './launch.js'
import { provideRequirements, requirementsReason } from './requirements.js'
import type { SubmitRequest } from './types.js'

/** Launches (script written, job handed over) under way at once. */
const AT_ONCE = 8
/** From so many launches on, new submits are acknowledged a little later: no faster than the scheduler takes jobs. */
const CROWDED = 32
const LONGEST_DELAY_MS = 2000

export interface LaunchQueue {
  /** @param request what to run; without it, what launch_config says */
  add(job: Job, request?: SubmitRequest): void
  /** Resolves when the queue is not crowded, or after 2 s: a scheduler that is away must not keep clients waiting. */
  room(): Promise<void>
  settled(): Promise<void>
}

export function createLaunchQueue(context: ManagerContext): LaunchQueue {
  const limit = createLimit(AT_ONCE)
  const launches = new Set<Promise<void>>()
  /** Jobs whose requirements are being provided, or whose partition is closed: they hold no place, and nobody waits for them. */
  const preparing = new Set<Promise<void>>()

  function enter(
    job: Job,
    request: SubmitRequest | undefined,
    environment?: readonly string[],
    attempt = 0,
  ): void {
    // Requests can be megabytes: those of a long queue are read again from the disk.
    const held = launches.size + preparing.size < CROWDED ? request : undefined
    const launching = limit(async () => {
      const first = await launchJob(context, job, { request: held, environment })
      if (first && 'isClosed' in first) {
        const later = pause(backoffMs(attempt, RETRY_FIRST_MS, RETRY_MAX_MS), context.signal)
        note(
          preparing,
          later.then(() => enter(job, held, environment, attempt + 1)),
        )
      } else if (first) note(preparing, prepare(job, held, first.requires))
    })
    note(launches, launching)
  }

  async function prepare(job: Job, request: SubmitRequest | undefined, description: unknown): Promise<void> {
    try {
      enter(job, request, await provideRequirements(context, job, description))
    } catch (error) {
      await abandonLaunch(context, job, requirementsReason(error))
    }
  }

  return {
    add: (job, request) => enter(job, request),
    async room(): Promise<void> {
      if (launches.size <= CROWDED) return
      const enough = new AbortController()
      const longest = pause(LONGEST_DELAY_MS, AbortSignal.any([context.signal, enough.signal])).then(() =>
        enough.abort(),
      )
      while (launches.size > CROWDED && !enough.signal.aborted) await Promise.race([...launches, longest])
      enough.abort()
    },
    async settled(): Promise<void> {
      while (launches.size + preparing.size > 0) await Promise.all([...launches, ...preparing])
    },
  }
}

function note(set: Set<Promise<void>>, work: Promise<void>): void {
  set.add(work)
  void work.finally(() => set.delete(work))
}
