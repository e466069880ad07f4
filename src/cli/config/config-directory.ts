import { constants } from 'node:fs'
import { open, stat } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import type { LoadOptions } from '../../config/load.js'
import { errnoOf, MagnetarError } from '../../lib/errors.js'
import { notPermitted } from '../../lib/not-permitted.js'
import type { Terminal } from './terminal.js'

/**
 * How to load the configuration that a command is about: the directory given, $PULSAR_CONFIG_DIR, or the `etc` of the installation that
 * the program is part of.
 * @throws MagnetarError ANSWERS_MISSING when none of them says, CONFIG_UNREADABLE when there is no such directory,
 * NOT_PERMITTED when it is another user's
 */
export async function openConfig(given: string | undefined, { env, cwd }: Terminal): Promise<LoadOptions> {
  const own = env.MAGNETAR_PREFIX ? join(env.MAGNETAR_PREFIX, 'etc') : undefined
  const directory = given || env.PULSAR_CONFIG_DIR || own
  if (!directory)
    throw new MagnetarError('ANSWERS_MISSING', 'it is not known which node is meant', {
      fix: 'Name the directory of its configuration: --config /srv/pulsar/etc, or PULSAR_CONFIG_DIR.',
    })
  const configDirectory = resolve(cwd, directory)
  const found = await stat(configDirectory).catch(async (error: unknown) => {
    if (errnoOf(error) !== 'EACCES') return undefined
    throw await notPermitted(`this user may not look into ${configDirectory}`, dirname(configDirectory))
  })
  if (!found?.isDirectory())
    throw new MagnetarError('CONFIG_UNREADABLE', `there is no directory ${configDirectory}`, {
      fix: 'Name the directory that holds app.yml and server.ini: --config DIR',
    })
  for (const name of ['app.yml', 'server.ini']) {
    const file = join(configDirectory, name)
    try {
      await (await open(file, constants.O_RDONLY | constants.O_NONBLOCK)).close()
    } catch (error) {
      // What else can be wrong with it is told when it is read.
      if (errnoOf(error) === 'EACCES') throw await notPermitted(`this user may not read ${file}`, file)
    }
  }
  return { configDirectory, env, cwd }
}
