import { readdir } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { NodeConfig } from '../../config/types.js'
import { probePythonJob } from '../../jobs/disk/launch-probe.js'
import { findStrays } from '../../jobs/disk/stray-probe.js'

/** Jobs of a Python Pulsar that have not ended, by the index files it keeps of them, and by the directories of those it has dropped from there. */
export interface JobsUnderWay {
  readonly fetchingInputs: number
  readonly queuedOrRunning: number
  readonly deliveringOutputs: number
  /** Job directories of no such job: being set up, or over and not collected. */
  readonly others: number
  /** In the index, and not among those counted above: nobody can go on with them. */
  readonly broken: readonly BrokenJob[]
  /** The directories of those that go on. */
  readonly live: readonly string[]
}

export interface BrokenJob {
  readonly id: string
  /** A sentence: "its launch_config is empty" */
  readonly why: string
  /** Galaxy is told that it failed, and why, when Magnetar starts; the others are left alone. */
  readonly fails: boolean
  /** By which the Python Pulsar knows it; "" of one that it has dropped. */
  readonly indexFile: string
}

const KINDS = {
  fetchingInputs: 'preprocessing',
  queuedOrRunning: 'active',
  deliveringOutputs: 'postprocessing',
} as const

/** Counts them; directories that are not there have none. */
export async function countJobs(
  config: Pick<NodeConfig, 'managers' | 'persistenceDirectory' | 'stagingDirectory'>,
): Promise<JobsUnderWay> {
  const { managers, persistenceDirectory } = config
  const known = new Set<string>()
  const indexed = new Set<string>()
  const broken = new Map<string, BrokenJob>()
  const live: string[] = []
  const count = async (kind: string): Promise<number> => {
    let continued = 0
    for (const { name, stagingDirectory } of persistenceDirectory === null ? [] : managers) {
      const index = join(persistenceDirectory ?? '', `${name}-${kind}-jobs`)
      for (const id of await list(index)) {
        const found = probePythonJob(stagingDirectory, id)
        indexed.add(join(stagingDirectory, id))
        if (found.kind !== 'over') known.add(id)
        if (found.kind === 'continues') live.push(join(stagingDirectory, id))
        if (found.kind === 'continues') continued++
        if (found.kind === 'broken')
          broken.set(`${name}/${id}`, { id, why: found.why, fails: found.fails, indexFile: join(index, id) })
      }
    }
    return continued
  }
  const [fetchingInputs, queuedOrRunning, deliveringOutputs] = await Promise.all([
    count(KINDS.fetchingInputs),
    count(KINDS.queuedOrRunning),
    count(KINDS.deliveringOutputs),
  ])
  const staging = new Set(managers.map(({ stagingDirectory }) => stagingDirectory))
  const directories: string[] = []
  let dropped = 0
  for (const stagingDirectory of staging) {
    const names = (await list(stagingDirectory)).filter((name) => !name.startsWith('.'))
    directories.push(...names)
    const unknown = names.filter((name) => !indexed.has(join(stagingDirectory, name)))
    for (const { jobId: id, found } of findStrays(stagingDirectory, unknown)) {
      const job = found === 'under way' ? probePythonJob(stagingDirectory, id) : undefined
      if (job?.kind === 'continues') {
        dropped++
        live.push(join(stagingDirectory, id))
      } else if (job?.kind === 'broken' && job.fails)
        broken.set(join(stagingDirectory, id), { id, why: job.why, fails: true, indexFile: '' })
      else continue
      known.add(id)
    }
  }
  const others = directories.filter((name) => !known.has(name)).length
  return {
    fetchingInputs,
    queuedOrRunning: queuedOrRunning + dropped,
    deliveringOutputs,
    others,
    broken: [...broken.values()],
    live,
  }
}

const MOST_NAMED = 20

/** What is to be said of jobs that nobody can go on with: a line each, and what to do. None: nothing. */
export function describeBroken({ broken }: Pick<JobsUnderWay, 'broken'>): string[] {
  const say = (jobs: readonly BrokenJob[], what: string, fix: string): string[] => {
    if (jobs.length === 0) return []
    const named = jobs.slice(0, MOST_NAMED).map(({ id, why }) => `  job ${JSON.stringify(id)}: ${why}`)
    const more = jobs.length > MOST_NAMED ? [`  and ${jobs.length - MOST_NAMED} more`] : []
    return [`${jobs.length} ${jobs.length === 1 ? 'job' : 'jobs'} ${what}`, ...named, ...more, `  ${fix}`]
  }
  const alone = broken.filter(({ fails }) => !fails)
  return [
    ...say(
      broken.filter(({ fails }) => fails),
      'cannot be continued, nor could the Python Pulsar: Galaxy is told "failed", and why, when Magnetar starts',
      'To do: run them again in Galaxy; or, before going on, put launch_config back from a backup.',
    ),
    ...say(
      alone,
      'cannot be looked at, and will be left as they are',
      `To do: see that the directory is there and belongs to the service's user; where it is gone for good, remove ${alone.length === 1 ? alone[0]?.indexFile : `their files in ${dirname(dirname(alone[0]?.indexFile ?? ''))}`}.`,
    ),
  ]
}

/** "3 (1 fetching inputs, 2 queued or running), and 4 that are being set up or wait to be collected" */
export function describeJobs({
  fetchingInputs,
  queuedOrRunning,
  deliveringOutputs,
  others,
}: JobsUnderWay): string {
  const phases = [
    [fetchingInputs, 'fetching inputs'],
    [queuedOrRunning, 'queued or running'],
    [deliveringOutputs, 'delivering outputs'],
  ] as const
  const total = fetchingInputs + queuedOrRunning + deliveringOutputs
  const parts = phases.flatMap(([number, words]) => (number === 0 ? [] : [`${number} ${words}`]))
  const more =
    others === 0 ? '' : `${total === 0 ? '; ' : ', and '}${others} being set up or waiting to be collected`
  return total === 0 ? `none under way${more}` : `${total} under way (${parts.join(', ')})${more}`
}

async function list(directory: string): Promise<string[]> {
  return readdir(directory).catch(() => [])
}
