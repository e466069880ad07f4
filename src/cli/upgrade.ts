import type { Command } from 'commander'
import type { Finish } from './program.js'

/** What the command line of `magnetar upgrade` or `magnetar rollback` said. */
export interface UpgradeCommandLine {
  readonly command: 'upgrade' | 'rollback'
  readonly prefix: string | undefined
  readonly instance: string | undefined
  /** upgrade: a directory or a tarball; rollback: a release. */
  readonly to: string | undefined
  readonly yes: boolean
  readonly verify: boolean
  readonly json: boolean
}

const UPGRADE_EXAMPLES = `Examples:
  bin/magnetar.js upgrade                        from a newer checkout: for the node in /srv/pulsar
  magnetar upgrade --to magnetar-0.2.0.tgz       with the program of the node itself
  magnetar upgrade --yes --prefix /srv/pulsar-2  ask nothing
`

const ROLLBACK_EXAMPLES = `Examples:
  magnetar rollback                              the release that ran before
  magnetar rollback --to 0.1.0                   this one; they are in PREFIX/lib/releases
`

const NOTES = `
The release is put beside the old one; then one link is switched, the service restarted, and a job sent through it. If that
fails, the old release is put back and the service restarted with it. Jobs that run go on. The configuration is not touched.

Exit codes: 0 done or nothing to do, 1 failed, 2 usage, 4 not permitted, 5 the job failed and the old release runs again,
130 interrupted.`

/** Registers `magnetar upgrade` and `magnetar rollback`; what they do is loaded when they are called. */
export function addUpgradeCommands(program: Command, finish: Finish): void {
  add(
    'upgrade',
    'run a node with this release, or the one given, after a job has proved it',
    UPGRADE_EXAMPLES,
  ).option('--to <PACKAGE>', 'directory or tarball of another release (default: the one of this program)')
  add(
    'rollback',
    'run a node with the release before again, or with the one given',
    ROLLBACK_EXAMPLES,
  ).option('--to <RELEASE>', 'a release that is installed (default: the one that ran before)')

  function add(name: UpgradeCommandLine['command'], description: string, examples: string): Command {
    return program
      .command(name)
      .description(description)
      .addHelpText('before', examples)
      .addHelpText('after', NOTES)
      .option(
        '--prefix <DIR>',
        'directory of the node (default: that of this program, else /srv/pulsar as root, ~/pulsar else)',
      )
      .option('--instance <NAME>', 'the node that was set up with this name')
      .option('-y, --yes', 'do not ask')
      .option('--no-verify', 'send no job through the node')
      .option('--json', 'events as JSON lines on standard output, everything else on standard error')
      .action(async (options: Readonly<Record<string, unknown>>) => {
        const text = (key: string): string | undefined => {
          const value = options[key]
          return typeof value === 'string' ? value : undefined
        }
        const { runUpgradeCommand } = await import('./upgrade/run-upgrade.js')
        finish(
          await runUpgradeCommand({
            command: name,
            prefix: text('prefix'),
            instance: text('instance'),
            to: text('to'),
            yes: options.yes === true,
            verify: options.verify !== false,
            json: options.json === true,
          }),
        )
      })
  }
}
