import type { Command } from 'commander'
import { processTerminal, type Terminal } from './config/terminal.js'
import type { LogsLine } from './logs/run-logs.js'
import type { Finish } from './program.js'

const EXAMPLES = `Examples:
  magnetar logs                         the last 100 entries
  magnetar logs -f                      and what comes, until Ctrl-C
  magnetar logs --job 4711              all that is said about one job
  magnetar logs --since 2h              or 14:30, 2026-11-22, "2026-11-22 14:30"
`

const NOTES = `
Which node: --config, else $PULSAR_CONFIG_DIR, else the installation that this
program is part of. The log is the file of logto in server.ini, else what the
service manager keeps. A file that logrotate moves is followed; with --since and
--job the one that it moved last (FILE.1) is read too.

Exit codes: 0 done, 1 there is no log, 2 usage, 4 not permitted,
78 the configuration is wrong.`

/** Registers `magnetar logs`; what it does is loaded when it is called. */
export function addLogsCommand(
  program: Command,
  finish: Finish,
  terminal: Terminal = processTerminal(),
): void {
  program
    .command('logs')
    .description("show and follow the server's log")
    .addHelpText('before', EXAMPLES)
    .addHelpText('after', NOTES)
    .option('-c, --config <DIR>', 'directory with app.yml and server.ini')
    .option('-f, --follow', 'go on until Ctrl-C')
    .option('--job <ID>', 'only what is said about this job')
    .option('--since <TIME>', 'only what is younger: 2h, 14:30, 2026-11-22')
    .option('-n, --lines <N>', 'the last so many entries (default: 100; with --job or --since: all)')
    .option('--json', 'one JSON object a line')
    .action(async (line: LogsLine) => {
      const { runLogs } = await import('./logs/run-logs.js')
      finish(await runLogs(line, terminal))
    })
}
