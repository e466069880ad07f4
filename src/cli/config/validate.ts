import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { judgeConfig } from '../../config/change/judge-config.js'
import { readExport } from '../../config/edit/exports.js'
import { type LoadOptions, loadConfig } from '../../config/load.js'
import { ConfigError } from '../../config/problems.js'
import { describeAddress } from './show.js'
import { say, type Terminal } from './terminal.js'

/** What local_env.sh says of the DRMAA library, if that can be read without running it. */
export async function readLibrary(directory: string): Promise<string | undefined> {
  try {
    return readExport(await readFile(join(directory, 'local_env.sh'), 'utf8'), 'DRMAA_LIBRARY_PATH')
  } catch {
    return undefined
  }
}

/**
 * `magnetar config validate`: one line about the node, and the warnings on standard error.
 * @throws ConfigError with all that is wrong; MagnetarError SCHEDULER_UNSUPPORTED, DRMAA_UNUSABLE for a manager that the server could not start
 * with
 */
export async function validateConfig(options: LoadOptions, { env, stdout, stderr }: Terminal): Promise<void> {
  const { config, issues } = await judgeConfig(options)
  if (!config) throw new ConfigError(issues)
  const uwsgi = await loadConfig({ ...options, mode: 'uwsgi' })
  const library = env.DRMAA_LIBRARY_PATH || (await readLibrary(options.configDirectory))
  const { probeManagers } = await import('../../node.js')
  for (const warning of [...config.warnings, ...(await probeManagers(config, library))])
    say(stderr, `warning: ${warning}`)
  const managers = config.managers.map(({ name, type }) => `${name} (${type})`).join(', ') || 'none'
  const token = config.privateToken === undefined ? 'no private token' : 'with private token'
  say(
    stdout,
    `valid: ${options.configDirectory} · managers ${managers} · ${describeAddress(config.server, uwsgi.server)} · ${token}`,
  )
}
