import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { NodeConfig } from '../../config/types.js'

/** Jobs of a Python Pulsar that have not ended, by the index files it keeps of them. */
export interface JobsUnderWay {
  readonly fetchingInputs: number
  readonly queuedOrRunning: number
  readonly deliveringOutputs: number
  /** Job directories of no such job: being set up, or finished and not collected. */
  readonly others: number
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
  const count = async (kind: string): Promise<number> => {
    const names = await Promise.all(
      managers.map(({ name }) =>
        persistenceDirectory === null ? [] : list(join(persistenceDirectory, `${name}-${kind}-jobs`)),
      ),
    )
    for (const name of names.flat()) known.add(name)
    return names.flat().length
  }
  const [fetchingInputs, queuedOrRunning, deliveringOutputs] = await Promise.all([
    count(KINDS.fetchingInputs),
    count(KINDS.queuedOrRunning),
    count(KINDS.deliveringOutputs),
  ])
  const staging = new Set(managers.map(({ stagingDirectory }) => stagingDirectory))
  const directories = (await Promise.all([...staging].map(list))).flat()
  const others = directories.filter((name) => !name.startsWith('.') && !known.has(name)).length
  return { fetchingInputs, queuedOrRunning, deliveringOutputs, others }
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
