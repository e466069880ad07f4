import type { Command } from 'commander'
import type { Finish } from './program.js'

/** What the command line of `magnetar uninstall` said. */
export interface UninstallCommandLine {
  readonly prefix: string | undefined
  readonly instance: string | undefined
  readonly purge: boolean
  readonly force: boolean
  readonly yes: boolean
  readonly plan: boolean
  readonly json: boolean
}

const EXAMPLES = `Examples:
  magnetar uninstall                   show what would go, ask, take it away; configuration and jobs stay
  magnetar uninstall --plan --purge    show what would go if nothing were to stay
  magnetar uninstall --yes --prefix /srv/pulsar-2
`

const NOTES = `
The service is stopped and removed, then the program. Without --purge these stay: PREFIX/etc, PREFIX/var, the user, and a note of
what setup made, so that --purge can remove it later, or setup go on with it. Jobs that run go on.
What setup did not make is never removed: a Python Pulsar, a user that was there before.

Exit codes: 0 done or nothing to do, 1 failed (and undone) or not wanted, 2 usage, 4 not permitted, 130 interrupted.`

/** Registers `magnetar uninstall`; what it does is loaded when it is called. */
export function addUninstallCommand(program: Command, finish: Finish): void {
  program
    .command('uninstall')
    .description('take a node away that setup made')
    .addHelpText('before', EXAMPLES)
    .addHelpText('after', NOTES)
    .option(
      '--prefix <DIR>',
      'directory of the node (default: that of this program, else /srv/pulsar as root, ~/pulsar else)',
    )
    .option('--instance <NAME>', 'the node that was set up with this name')
    .option('--purge', 'remove configuration, jobs and the user too')
    .option('--force', 'also while jobs run (--purge), or a server that no service runs')
    .option('-y, --yes', 'do not ask')
    .option('--plan', 'show what would be done, and change nothing')
    .option('--json', 'events as JSON lines on standard output, everything else on standard error')
    .action(async (options: Readonly<Record<string, unknown>>) => {
      const text = (key: string): string | undefined => {
        const value = options[key]
        return typeof value === 'string' ? value : undefined
      }
      const { runUninstallCommand } = await import('./uninstall/run-uninstall.js')
      finish(
        await runUninstallCommand({
          prefix: text('prefix'),
          instance: text('instance'),
          purge: options.purge === true,
          force: options.force === true,
          yes: options.yes === true,
          plan: options.plan === true,
          json: options.json === true,
        }),
      )
    })
}
