import type { Command } from 'commander'
import { processTerminal, type Terminal } from './config/terminal.js'
import type { Finish } from './program.js'
import type { StatusLine } from './status/run-status.js'

const EXAMPLES = `Examples:
  magnetar status
  magnetar status --json | jq '.managers[].counts'
`

const NOTES = `
Which node: --config, else $PULSAR_CONFIG_DIR, else the installation that this
program is part of. Only the user of the node and root may ask its server; when
it does not run, its records are read.

Exit codes: 0 the server runs, 1 it does not, 4 not permitted,
78 the configuration is wrong.`

/** Registers `magnetar status`; what it does is loaded when it is called. */
export function addStatusCommand(
  program: Command,
  finish: Finish,
  terminal: Terminal = processTerminal(),
): void {
  program
    .command('status')
    .description('one screen: service, scheduler, jobs, transfers, disk, last failures')
    .addHelpText('before', EXAMPLES)
    .addHelpText('after', NOTES)
    .option('-c, --config <DIR>', 'directory with app.yml and server.ini')
    .option('--json', 'one JSON document on standard output')
    .action(async (line: StatusLine) => {
      const { runStatus } = await import('./status/run-status.js')
      finish(await runStatus(line, terminal))
    })
}
