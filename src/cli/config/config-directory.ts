import { stat } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import type { LoadOptions } from '../../config/load.js'
import { MagnetarError } from '../../lib/errors.js'
import type { Terminal } from './terminal.js'

/**
 * How to load the configuration that a command is about: the directory given, $PULSAR_CONFIG_DIR, or the `etc` of the installation that
 * the program is part of.
 * @throws MagnetarError ANSWERS_MISSING when none of them says, CONFIG_UNREADABLE when there is no such directory
 */
export async function openConfig(given: string | undefined, { env, cwd }: Terminal): Promise<LoadOptions> {
  const own = env.MAGNETAR_PREFIX ? join(env.MAGNETAR_PREFIX, 'etc') : undefined
  const directory = given || env.PULSAR_CONFIG_DIR || own
  if (!directory)
    throw new MagnetarError('ANSWERS_MISSING', 'it is not known which node is meant', {
      fix: 'Name the directory of its configuration: --config /srv/pulsar/etc, or PULSAR_CONFIG_DIR.',
    })
  const configDirectory = resolve(cwd, directory)
  const found = await stat(configDirectory).catch(() => undefined)
  if (!found?.isDirectory())
    throw new MagnetarError('CONFIG_UNREADABLE', `there is no directory ${configDirectory}`, {
      fix: 'Name the directory that holds app.yml and server.ini: --config DIR',
    })
  return { configDirectory, env, cwd }
}
