import type { NodeConfig } from '../config/types.js'

/** The directories of a node whose disks can be full. */
export function directoriesOf(
  config: Pick<NodeConfig, 'managers' | 'stagingDirectory' | 'persistenceDirectory'>,
): {
  readonly what: string
  readonly directory: string
}[] {
  const staging = new Set(config.managers.map(({ stagingDirectory }) => stagingDirectory))
  if (staging.size === 0) staging.add(config.stagingDirectory)
  const jobs = [...staging].map((directory) => ({ what: 'jobs', directory }))
  const { persistenceDirectory } = config
  return persistenceDirectory === null
    ? jobs
    : [...jobs, { what: 'records', directory: persistenceDirectory }]
}
