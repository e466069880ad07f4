import { join } from 'node:path'
import type { NodeConfig } from '../config/types.js'
import { connectControl } from '../control/client.js'
import type { ControlPlace } from '../control/socket-path.js'
import { MagnetarError } from '../lib/errors.js'
import { limitTime } from '../lib/time-limit.js'
import { isStuck } from './file-systems.js'
import type { ServerJobs } from './types.js'

/** Jobs that ended so many days ago nobody comes back for. */
export const OLD_DAYS = 30
export const DAY_MS = 86_400_000

const TIMEOUT_MS = 5000

/** Asks the running server; undefined: none runs, it does not answer, or this user may not ask. @throws the signal's reason */
export async function askJobs(
  config: NodeConfig | undefined,
  place: ControlPlace | undefined,
  stuck: readonly string[],
  signal: AbortSignal,
): Promise<ServerJobs | undefined> {
  if (config === undefined || place === undefined || isStuck(stuck, place.directory)) return undefined
  const limit = limitTime(signal, TIMEOUT_MS)
  try {
    const client = await connectControl(place, limit.signal)
    if (client === undefined) return undefined
    const { jobs } = await client.jobs({ ended: 0 })
    const { jobs: expired } = await client.expire(OLD_DAYS * DAY_MS, true)
    // Waits for Slurm, which is examined elsewhere.
    const status = await client.status().catch(() => undefined)
    // What is asked later has its own time.
    const later = await connectControl(place, signal)
    if (later === undefined) return undefined
    const staging = new Map(config.managers.map((each) => [each.name, each.stagingDirectory]))
    return {
      list: jobs,
      stalled: (status?.managers ?? []).flatMap(({ name, type, scheduler }) =>
        /^(queued_python|unqueued)$/.test(type) && scheduler?.ok === false
          ? [{ manager: name, why: scheduler.detail ?? scheduler.summary }]
          : [],
      ),
      async has(id) {
        if (jobs.some((each) => each.id === id)) return true
        try {
          await later.job(id)
          return true
        } catch (error) {
          // Whatever else it says, it knows it.
          return !(error instanceof MagnetarError && error.code === 'JOB_UNKNOWN')
        }
      },
      expired: expired.map(({ id, manager }) => join(staging.get(manager) ?? config.stagingDirectory, id)),
    }
  } catch {
    signal.throwIfAborted()
    return undefined
  } finally {
    limit.release()
  }
}
