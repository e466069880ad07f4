import type { Command } from 'commander'
import type { AuditLine } from './audit/run-audit-command.js'
import { processTerminal, type Terminal } from './config/terminal.js'
import type { Finish } from './program.js'

const EXAMPLES = `Examples:
  magnetar audit                  is any history broken, of all that is kept
  magnetar audit --since 7d       of what happened in the last week
  magnetar audit --job 4711       one job, with its timeline
  magnetar audit --json | jq '.violations[].message'
`

const NOTES = `
Replays the journal, in which the server writes everything that happens to a
job, compares it with the records of jobs and with their directories, and says
which promise is broken, of which job. Changes nothing; works while the server
runs and when it does not. How long the journal goes back: journal_keep and
journal_events in app.yml.

Which node: --config, else $PULSAR_CONFIG_DIR, else the installation that this
program is part of. Only the user of the node and root may ask.

Exit codes: 0 nothing is broken, 1 it could not be found out, 2 usage,
4 not permitted, 6 a promise is broken, 78 the configuration is wrong,
130 interrupted.`

/** Registers `magnetar audit`; what it does is loaded when it is called. */
export function addAuditCommand(
  program: Command,
  finish: Finish,
  terminal: Terminal = processTerminal(),
): void {
  program
    .command('audit')
    .description('prove from the journal that no job was lost, run twice or ended twice')
    .addHelpText('before', EXAMPLES)
    .addHelpText('after', NOTES)
    .option('-c, --config <DIR>', 'directory with app.yml and server.ini')
    .option('--job <ID>', 'only this job, with its timeline')
    .option('--since <TIME>', 'only what was broken since: 2h, 7d, 14:30, 2026-11-22')
    .option('--json', 'one JSON document on standard output')
    .action(async (line: AuditLine) => {
      const { runAuditCommand } = await import('./audit/run-audit-command.js')
      finish(await runAuditCommand(line, terminal))
    })
}
