/** For managers whose jobs this release cannot run: the node serves its other managers, and tells those who send jobs here. */
import { type Scheduler, SchedulerDown, SubmitRejected } from './scheduler.js'

/**
 * Refuses every new job with `reason`. Of jobs that a Python Pulsar left with their scheduler nothing is concluded: they wait until somebody
 * who can reach it serves the directory again.
 */
export function createUnavailableScheduler(reason: string): Scheduler {
  const unreachable = async (): Promise<never> => {
    throw new SchedulerDown(reason)
  }
  return {
    headers: () => [],
    async submit() {
      throw new SubmitRejected('other', reason)
    },
    states: unreachable,
    cancel: unreachable,
    recover: unreachable,
    onChange: () => () => {},
    pollIntervalMs: () => POLL_INTERVAL_MS,
    probe: async () => ({ ok: false, summary: 'jobs cannot be run', detail: reason }),
    close: async () => {},
  }
}

const POLL_INTERVAL_MS = 60_000
