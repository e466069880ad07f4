import { dirname, sep } from 'node:path'
import { readYamlValue } from '../../config/edit/yaml.js'
import { loadConfig } from '../../config/load.js'
import type { NodeConfig } from '../../config/types.js'
import { MagnetarError } from '../../lib/errors.js'
import { isThere } from '../release/present.js'
import type { Change, NodePaths, SetupContext } from '../types.js'
import type { SandboxVariant } from './systemd-unit-text.js'

/** What the configuration that is there, with all its hand edits, asks of a sandbox. */
export interface UnitNeeds {
  /** Some manager runs jobs on this machine; undefined: there is no configuration yet. */
  readonly runsJobsHere: boolean | undefined
  /** Directories outside of var that the server writes to. */
  readonly writable: readonly string[]
}

/** Manager types whose jobs are processes of the server's own machine. */
const LOCAL_TYPES = new Set<unknown>(['queued_python', 'unqueued', 'coexecution'])

/** A configuration that cannot be read yet has no needs: the steps before this one tell what is wrong with it. */
export async function inspectUnitNeeds(paths: NodePaths, signal: AbortSignal): Promise<UnitNeeds> {
  const unknown = { runsJobsHere: undefined, writable: [] }
  if (!(await isThere(paths.appYml))) return unknown
  let config: NodeConfig
  try {
    config = await loadConfig({ configDirectory: paths.etc, mode: 'uwsgi', env: {}, cwd: paths.etc, signal })
  } catch (error) {
    if (!(error instanceof MagnetarError)) throw error
    return unknown
  }
  const { persistenceDirectory, fileCacheDirectory, logging } = config
  const directories = [
    config.stagingDirectory,
    ...config.managers.map(({ stagingDirectory }) => stagingDirectory),
    persistenceDirectory,
    fileCacheDirectory,
    logging.file === undefined ? undefined : dirname(logging.file),
  ]
  const writable = directories.filter(
    (path) => typeof path === 'string' && path !== paths.var && !path.startsWith(paths.var + sep),
  )
  return {
    runsJobsHere: config.managers.some(({ type }) => LOCAL_TYPES.has(type)),
    writable: [...new Set(writable)].filter((path) => path != null).sort(),
  }
}

/** By app.yml as the plan leaves it: an admin may have added managers. */
export function variantFor(
  { answers, paths }: SetupContext,
  { runsJobsHere }: UnitNeeds,
  earlier: readonly Change[],
): SandboxVariant {
  const planned = earlier.find((change) => change.kind === 'file' && change.path === paths.appYml)
  const here = planned?.kind === 'file' ? runsHere(planned.after) : runsJobsHere
  return (here ?? answers.manager === 'local') ? 'local' : 'cluster'
}

/** The Python Pulsar's and our default manager is a local one. */
function runsHere(appYml: string): boolean | undefined {
  try {
    const managers = readYamlValue(appYml, ['managers'])
    const types =
      managers && typeof managers === 'object'
        ? Object.keys(managers).map((name) => readYamlValue(appYml, ['managers', name, 'type']))
        : [readYamlValue(appYml, ['manager', 'type'])]
    return types.some((type) => LOCAL_TYPES.has(type ?? 'queued_python'))
  } catch {
    return undefined
  }
}
