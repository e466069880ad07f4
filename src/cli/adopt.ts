import { type Command, InvalidArgumentError } from 'commander'
import type { Finish } from './program.js'

/** What the command line of `magnetar adopt` said. */
export interface AdoptCommandLine {
  readonly directory: string
  readonly undo: boolean
  readonly plan: boolean
  readonly diff: boolean
  readonly yes: boolean
  readonly force: boolean
  readonly json: boolean
  readonly service: string | undefined
  readonly prefix: string | undefined
  readonly node: string | undefined
  readonly runtimeTarball: string | undefined
}

const EXAMPLES = `Examples:
  magnetar adopt /srv/pulsar --plan     what is there, and what would change; changes nothing
  magnetar adopt /srv/pulsar            the same, ask, do it, see that it works
  magnetar adopt /srv/pulsar --undo     the Python Pulsar again
`

const NOTES = `
The service that runs the Python Pulsar, a program of Supervisor or a unit of systemd, gets the same command with Magnetar's program; nothing
else of the site is changed. Magnetar is put beside the rest, into DIR/magnetar. The service is stopped and started once; jobs go on.
When Magnetar does not answer as it should, the Python Pulsar runs again as before. The same command again brings a newer release.

Exit codes: 0 done or nothing to do, 1 failed or not wanted, 2 usage, 3 refused: something would be lost or cannot work, 4 not permitted,
5 it did not work and the server before runs again, 78 the configuration is wrong, 130 interrupted.`

/** An unset variable of a script is not the directory that it happens to be in. */
function notEmpty(text: string): string {
  if (text.trim() === '') throw new InvalidArgumentError('it is empty.')
  return text
}

/** Registers `magnetar adopt`; what it does is loaded when it is called. */
export function addAdoptCommand(program: Command, finish: Finish): void {
  program
    .command('adopt')
    .description('run a Python Pulsar that is there with Magnetar, and back')
    .argument('<dir>', 'directory of the Python Pulsar, or of its app.yml', notEmpty)
    .addHelpText('before', EXAMPLES)
    .addHelpText('after', NOTES)
    .option('--plan', 'show what would change, and change nothing')
    .option('--diff', 'the same, with the lines of each file that is made')
    .option('--undo', 'give the service back to the Python Pulsar')
    .option('-y, --yes', 'do not ask')
    .option('--service <NAME>', 'the program or unit, where several run a Pulsar of this directory')
    .option('--prefix <DIR>', 'where Magnetar goes (default: where it is, else magnetar in the directory)')
    .option('--node <PROGRAM>', 'the Node.js to copy (default: download: from the npm registry)')
    .option('--runtime-tarball <FILE>', 'take the Node.js from this file')
    .option('--force', 'also when the site loses something by it; with --undo, jobs')
    .option('--json', 'events as JSON lines on standard output, everything else on standard error')
    .action(async (directory: string, options: Readonly<Record<string, unknown>>) => {
      const text = (key: string): string | undefined => {
        const value = options[key]
        return typeof value === 'string' ? value : undefined
      }
      const isSet = (name: string): boolean => options[name] === true
      const { runAdoptCommand } = await import('./adopt/run-adopt.js')
      finish(
        await runAdoptCommand({
          directory,
          undo: isSet('undo'),
          plan: isSet('plan'),
          diff: isSet('diff'),
          yes: isSet('yes'),
          force: isSet('force'),
          json: isSet('json'),
          service: text('service'),
          prefix: text('prefix'),
          node: text('node'),
          runtimeTarball: text('runtimeTarball'),
        }),
      )
    })
}
