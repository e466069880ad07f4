/** What would keep Magnetar from starting, seen while the Python Pulsar still runs. Everything is only looked at. */
import { readFile, statfs } from 'node:fs/promises'
import type { NodeConfig } from '../../config/types.js'
import { MagnetarError } from '../../lib/errors.js'
import type { Demands } from './demands.js'
import type { PulsarService } from './find-service.js'
import { nearest } from './replaceable.js'

/** The store, and what jobs begin with; less is a full disk. */
const LEAST_BYTES = 32 * 1024 * 1024
const LEAST_FILES = 200

/** Whether there is room where jobs and their records go. */
export async function demandsOfSpace(
  config: Pick<NodeConfig, 'managers' | 'stagingDirectory' | 'persistenceDirectory'>,
): Promise<Demands> {
  const wanted = [
    ...config.managers.map((manager) => ['staging_directory', manager.stagingDirectory] as const),
    ['persistence_directory', config.persistenceDirectory] as const,
  ]
  const obstacles = new Set<string>()
  for (const [option, directory] of wanted) {
    if (directory === null) continue
    const place = await nearest(directory)
    const { bavail, bsize, files, ffree } = await statfs(place)
    const free = bavail * bsize
    if (free < LEAST_BYTES)
      obstacles.add(
        `${option}: the disk of ${place} is full: ${Math.floor(free / 1024 ** 2)} MiB are free, and ${LEAST_BYTES / 1024 ** 2} MiB are needed to start. See: df -h ${place}`,
      )
    // Some file systems do not count.
    else if (files > 0 && ffree < LEAST_FILES)
      obstacles.add(
        `${option}: the disk of ${place} is full: it has room for ${ffree} more files. See: df -i ${place}`,
      )
  }
  return { obstacles: [...obstacles], losses: [], notes: [] }
}

/** Throws what `magnetar serve` would end with for a manager; resolves with warnings. */
export type ProbeManagers = (
  config: NodeConfig,
  service: {
    readonly configDirectory: string
    readonly env: Readonly<Record<string, string | undefined>>
  },
) => Promise<readonly string[]>

/** Whether a server starts with managers of these types, and with the libraries that they name. */
export async function demandsOfManagers(
  { definition, pulsar }: PulsarService,
  config: NodeConfig,
  pid: number | undefined,
  probe: ProbeManagers,
): Promise<Demands> {
  try {
    const env = await serviceEnvironment(definition.env, pid)
    return { obstacles: [], losses: [], notes: await probe(config, { ...pulsar, env }) }
  } catch (error) {
    if (!(error instanceof MagnetarError)) throw error
    return { obstacles: [`${error.message}. ${error.fix ?? ''}`.trim()], losses: [], notes: [] }
  }
}

/** What a service is started with: the process that it runs as has it all, the manager's own variables too. */
export async function serviceEnvironment(
  own: Readonly<Record<string, string>>,
  pid: number | undefined,
): Promise<Record<string, string>> {
  const text = pid === undefined ? '' : await readFile(`/proc/${pid}/environ`, 'utf8').catch(() => '')
  const inherited = text.split('\0').flatMap((entry): [string, string][] => {
    const at = entry.indexOf('=')
    return at > 0 ? [[entry.slice(0, at), entry.slice(at + 1)]] : []
  })
  const path = { PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' }
  return { ...path, ...Object.fromEntries(inherited), ...own }
}
