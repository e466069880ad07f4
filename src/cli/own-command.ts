import { join } from 'node:path'
import { findProgram } from '../lib/find-program.js'
import { quoteForShell } from '../lib/shell.js'
import { programName as launcherName } from './setup/repeat.js'

/** How this program is called in a command to be typed: by its path where it is not on PATH, as in a clone. */
export async function programName(env: NodeJS.ProcessEnv): Promise<string> {
  const prefix = env.MAGNETAR_PREFIX
  if ((await findProgram('magnetar', env.PATH)) !== undefined) return 'magnetar'
  if (!prefix) return launcherName(process.argv, env)
  return quoteForShell(join(prefix, 'bin', 'magnetar'))
}

/** Makes commands to be typed next, about the same node: `given` is the --config of this one. */
export async function ownCommands(
  env: NodeJS.ProcessEnv,
  given: string | undefined,
): Promise<(words: string) => string> {
  const program = await programName(env)
  const config = given === undefined ? '' : ` --config ${quoteForShell(given)}`
  return (words) => `${program} ${words}${config}`
}
