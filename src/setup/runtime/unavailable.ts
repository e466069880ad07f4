import { MagnetarError } from '../../lib/errors.js'
import { PINNED_VERSION } from './pinned.js'

/** RUNTIME_UNAVAILABLE with the three ways out. `message` is a sentence without its full stop. */
export function runtimeUnavailable(message: string, cause?: unknown): MagnetarError {
  const pack = `npm pack node-${process.platform}-${process.arch}@${PINNED_VERSION}`
  return new MagnetarError('RUNTIME_UNAVAILABLE', message, {
    fix:
      'Copy a Node.js that is there: --node "$(command -v node)". ' +
      `Or fetch one where the network allows ("${pack}") and give the file: --runtime-tarball FILE. ` +
      'Or correct npm\'s registry and proxy settings ("npm config list") and repeat the command.',
    ...(cause === undefined ? {} : { cause }),
  })
}
