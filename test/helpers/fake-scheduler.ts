import {
  type Scheduler,
  SchedulerDown,
  type SchedulerReport,
  type Submission,
} from '../../src/schedulers/scheduler.js'

/** A scheduler that does what the test says: for the jobs room alone, real ones have their conformance suite. */
export interface FakeScheduler extends Scheduler {
  readonly submitted: Submission[]
  readonly cancelled: string[]
  /** What `states` answers, by external id; `down` makes every call throw SchedulerDown. */
  readonly reports: Map<string, SchedulerReport>
  /** What `recover` finds, by job id. */
  readonly known: Map<string, string>
  down: boolean
  /** Set: the next submits reject with it. */
  refuse: Error | undefined
  /** Tells the manager that the state of this job has changed to `report`. */
  report(externalId: string, report: SchedulerReport): void
}

export function createFakeScheduler(): FakeScheduler {
  const listeners = new Set<(externalId: string) => void>()
  const check = (): void => {
    if (fake.down) throw new SchedulerDown('the fake scheduler is down')
  }
  const fake: FakeScheduler = {
    submitted: [],
    cancelled: [],
    reports: new Map(),
    known: new Map(),
    down: false,
    refuse: undefined,
    report(externalId, report): void {
      fake.reports.set(externalId, report)
      for (const listener of listeners) listener(externalId)
    },
    headers: () => ['#FAKE header'],
    async submit(job): Promise<string> {
      check()
      if (fake.refuse) throw fake.refuse
      fake.submitted.push(job)
      return `x-${job.jobId}`
    },
    async states(ids): Promise<ReadonlyMap<string, SchedulerReport>> {
      check()
      return new Map(
        ids.flatMap((id) => {
          const report = fake.reports.get(id)
          return report ? [[id, report] as const] : []
        }),
      )
    },
    async cancel(externalId): Promise<void> {
      check()
      fake.cancelled.push(externalId)
    },
    async recover(): Promise<ReadonlyMap<string, string>> {
      check()
      return fake.known
    },
    onChange(listener): () => void {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    pollIntervalMs: () => 0,
    probe: async () => ({ ok: true, summary: 'fake' }),
    close: async () => {},
  }
  return fake
}
