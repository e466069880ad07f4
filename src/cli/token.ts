import { type Command, Option } from 'commander'
import { processTerminal, type Terminal } from './config/terminal.js'
import type { Finish } from './program.js'
import type { TokenLine } from './token/run-token.js'

const EXAMPLES = `Examples:
  magnetar token show                   for Galaxy: private_token of the destination
  magnetar token rotate                 a new token beside the old one
  magnetar token rotate --finish        Galaxy has it: the old one goes
`

const NOTES = `
Which node: --config, else $PULSAR_CONFIG_DIR, else the installation that this
program is part of. Between "rotate" and "rotate --finish" both tokens are let
in. The new one stands in app.yml as private_token_next; a running server takes
both steps up at once, and loses no job. A Python Pulsar started from the same
file knows only private_token.

Exit codes: 0 done or nothing to do, 1 failed, 2 there is no token, or a new one
already, 4 not permitted, 78 the configuration is wrong.`

/** Registers `magnetar token …`; what it does is loaded when it is called. */
export function addTokenCommand(
  program: Command,
  finish: Finish,
  terminal: Terminal = processTerminal(),
): void {
  const token = program
    .command('token')
    .description('show the private token of a node, or change it')
    .addHelpText('before', EXAMPLES)
    .addHelpText('after', NOTES)
    .addOption(new Option('-c, --config <DIR>').hideHelp())
    .helpCommand(false)
  add('show', 'print the token').action(run('show'))
  add('rotate', 'make a new token; the old one is let in until --finish')
    .option('--finish', 'Galaxy has the new one: the old one goes')
    .action(run('rotate'))

  function add(name: string, description: string): Command {
    return token
      .command(name)
      .description(description)
      .option('-c, --config <DIR>', 'directory with app.yml and server.ini')
      .option('--json', 'one JSON object on standard output')
  }

  function run(task: TokenLine['task']): (...args: unknown[]) => Promise<void> {
    return async (...args) => {
      const command = args.at(-1) as Command
      const line = command.optsWithGlobals<Omit<TokenLine, 'task'>>()
      const { runToken } = await import('./token/run-token.js')
      finish(await runToken({ ...line, task }, terminal))
    }
  }
}
