import { cp, mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { quoteForShell as quote } from '../../../src/lib/shell.js'
import { runCommand } from '../../helpers/run-command.js'
import { installerText } from './installer.js'

/** What a site without a network has: an installer of Conda and a channel, as files. */
export interface CondaMirror {
  /** As the node sees them. */
  readonly installer: string
  readonly channel: string
  /** The arguments of every call of the conda that the installer installs. */
  calls(): Promise<string[][]>
  /** How often the installer ran. */
  installations(): Promise<number>
  /** From now on conda stops at a moment (conda-command.py); undefined: no longer. */
  stopAt(moment: string | undefined): Promise<void>
  /** Exists when conda has stopped; has its process id. */
  readonly stopped: string
}

/**
 * @param seen where `directory` is in the eyes of the node: a private root has it elsewhere
 * @param python with py-rattler; the user of the node must be able to run it
 */
export async function makeMirror(directory: string, seen: string, python: string): Promise<CondaMirror> {
  const own = (name: string): string => fileURLToPath(new URL(name, import.meta.url))
  const made = await runCommand(python, [own('make-channel.py'), join(directory, 'channel')])
  if (made.exitCode !== 0) throw new Error(made.output)
  await cp(own('conda-command.py'), join(directory, 'conda-command.py'))
  // Whoever the node runs as writes there.
  await mkdir(join(directory, 'notes'), { mode: 0o777 })
  await runCommand('chmod', ['777', join(directory, 'notes')])
  const at = (name: string): string => quote(join(seen, name))
  const conda = `#!/bin/sh
root=$(dirname "$(dirname "$(readlink -f "$0")")")
export MAGNETAR_TEST_CALLS=${at('notes/calls')} MAGNETAR_TEST_STOPPED=${at('notes/stopped')}
[ ! -e ${at('notes/stop')} ] || export MAGNETAR_TEST_STOP="$(cat ${at('notes/stop')})"
exec ${quote(python)} ${at('conda-command.py')} "$root" conda "$@"
`
  const text = installerText({ conda, after: `echo installed >> ${at('notes/installations')}` })
  await writeFile(join(directory, 'installer.sh'), text)
  const linesOf = async (name: string): Promise<string[]> =>
    (await readFile(join(directory, 'notes', name), 'utf8').catch(() => '')).split('\n').filter(Boolean)
  return {
    installer: join(seen, 'installer.sh'),
    channel: `file://${join(seen, 'channel')}`,
    calls: async () => (await linesOf('calls')).map((line) => JSON.parse(line) as string[]),
    installations: async () => (await linesOf('installations')).length,
    stopped: join(directory, 'notes', 'stopped'),
    async stopAt(moment) {
      const [stop, stopped] = [join(directory, 'notes', 'stop'), join(directory, 'notes', 'stopped')]
      if (moment === undefined) await runCommand('rm', ['-f', stop, stopped])
      else await writeFile(stop, moment)
    },
  }
}
