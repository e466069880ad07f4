import { stat } from 'node:fs/promises'
import { resolve } from 'node:path'
import { createProblems } from '../../config/problems.js'
import { readSources } from '../../config/sources.js'
import type { PulsarService } from './find-service.js'

/**
 * What a server reads at its start, of what there is: server.ini, app.yml by whatever name it has, the file of job_managers_config,
 * local_env.sh.
 * @throws MagnetarError as loadConfig
 */
export async function findConfigFiles(
  { pulsar, definition }: Pick<PulsarService, 'pulsar' | 'definition'>,
  signal: AbortSignal,
): Promise<string[]> {
  const { load, configDirectory } = pulsar
  const { directory: cwd, env } = definition
  const { ini, app } = await readSources({ ...load, env, cwd, signal }, createProblems())
  const textOf = (key: string): string | undefined => {
    const node = app.get(key)
    return node?.kind === 'scalar' && node.text !== '' ? node.text : undefined
  }
  const appFile = textOf('app_config')
  const managers = textOf('job_managers_config')
  const files = [
    ini.file,
    ...(load.appConfPath === undefined ? [] : [resolve(cwd, load.appConfPath)]),
    resolve(configDirectory, appFile ?? 'app.yml'),
    ...(managers === undefined ? [] : [resolve(cwd, managers)]),
    resolve(cwd, env.PULSAR_LOCAL_ENV ?? resolve(configDirectory, 'local_env.sh')),
    // Whatever else a key came from: a .sample, for one.
    ...[...app.values()].map(({ place }) => place.file).filter((file) => file.startsWith('/')),
  ]
  const unique = [...new Set(files)]
  const found = await Promise.all(unique.map((file) => stat(file).catch(() => undefined)))
  return unique.filter((_, at) => found[at]?.isFile())
}
