import { judgeConfig } from '../../config/change/judge-config.js'
import { type LoadOptions, loadConfig } from '../../config/load.js'
import { ConfigError } from '../../config/problems.js'
import { describeAddress } from './show.js'
import { say, type Terminal } from './terminal.js'

/**
 * `magnetar config validate`: one line about the node, and the warnings on standard error.
 * @throws ConfigError with all that is wrong
 */
export async function validateConfig(options: LoadOptions, { stdout, stderr }: Terminal): Promise<void> {
  const { config, issues } = await judgeConfig(options)
  if (!config) throw new ConfigError(issues)
  const uwsgi = await loadConfig({ ...options, mode: 'uwsgi' })
  for (const warning of config.warnings) say(stderr, `warning: ${warning}`)
  const managers = config.managers.map(({ name, type }) => `${name} (${type})`).join(', ') || 'none'
  const token = config.privateToken === undefined ? 'no private token' : 'with private token'
  say(
    stdout,
    `valid: ${options.configDirectory} · managers ${managers} · ${describeAddress(config.server, uwsgi.server)} · ${token}`,
  )
}
