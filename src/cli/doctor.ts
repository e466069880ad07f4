import type { Command } from 'commander'
import { processTerminal } from './config/terminal.js'
import type { Finish } from './program.js'

/** What the command line of `magnetar doctor` said. */
export interface DoctorLine {
  readonly config: string | undefined
  readonly galaxyUrl: string | undefined
  readonly job: boolean
  readonly fix: boolean
  readonly yes: boolean
  readonly json: boolean
  readonly quiet: boolean
}

const EXAMPLES = `Examples:
  magnetar doctor                     what is wrong with the node of this machine
  magnetar doctor --fix               and mend what is safe to mend, after asking
  magnetar doctor --json | jq '.findings[] | select(.state != "ok")'
`

const NOTES = `
Looks at the configuration, secrets, user, permissions, server and certificate,
disk space, clock, Slurm, Conda, Galaxy, and at what jobs left behind. Each
finding says what mends it. Works when the server is down. Changes nothing
without --fix; but where jobs go to Slurm, it sends a job that does nothing and
waits 10 s at most for it (not with --no-job).

Which node: --config, else $PULSAR_CONFIG_DIR, else the installation that this
program is part of. As root it sees the most.

--fix does only what cannot do harm: modes of the node's own directories and
secrets, stale pid files and sockets, what killed runs left half made. It shows
what it will do, and asks.

Exit codes: 0 nothing wrong, or warnings only, 1 something is wrong, 2 usage,
78 there is no such directory, 130 interrupted.`

/** Registers `magnetar doctor`; what it does is loaded when it is called. */
export function addDoctorCommand(program: Command, finish: Finish): void {
  program
    .command('doctor')
    .description('find out what is wrong with a node, and what mends it')
    .addHelpText('before', EXAMPLES)
    .addHelpText('after', NOTES)
    .option('-c, --config <DIR>', 'directory with app.yml and server.ini')
    .option(
      '--galaxy-url <URL>',
      'of Galaxy, to see whether the node reaches it (default: those of the jobs)',
    )
    .option('--no-job', 'do not send a tiny job through Slurm')
    .option('--fix', 'mend what is safe to mend, after asking')
    .option('-y, --yes', 'with --fix: do not ask')
    .option('--json', 'one JSON object on standard output')
    .option('-q, --quiet', 'print nothing but what is wrong')
    .action(async (options: Readonly<Record<string, unknown>>) => {
      const text = (key: string): string | undefined => {
        const value = options[key]
        return typeof value === 'string' ? value : undefined
      }
      const { runDoctorCommand } = await import('./doctor/run-doctor-command.js')
      finish(
        await runDoctorCommand(
          {
            config: text('config'),
            galaxyUrl: text('galaxyUrl'),
            job: options.job !== false,
            fix: options.fix === true,
            yes: options.yes === true,
            json: options.json === true,
            quiet: options.quiet === true,
          },
          processTerminal(),
        ),
      )
    })
}
