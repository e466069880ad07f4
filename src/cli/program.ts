import { Command, InvalidArgumentError } from 'commander'
import { addAdoptCommand } from './adopt.js'
import { addAuditCommand } from './audit.js'
import { addCheckCommand } from './check.js'
import { addCompletionCommand } from './completion.js'
import { addConfigCommand } from './config-command.js'
import { addDepsCommand } from './deps.js'
import { addDoctorCommand } from './doctor.js'
import { EXIT } from './exit-codes.js'
import { addGalaxyCommand } from './galaxy.js'
import { addJobsCommand } from './jobs.js'
import { addLogsCommand } from './logs.js'
import type { ServeArguments } from './main.js'
import { addManCommand } from './man.js'
import { version } from './package.js'
import { addSetupCommand } from './setup.js'
import { addStatusCommand } from './status.js'
import { addTokenCommand } from './token.js'
import { addUninstallCommand } from './uninstall.js'
import { addUpgradeCommands } from './upgrade.js'

/** How a subcommand says its exit code: commander's actions have no result of their own. */
export type Finish = (exitCode: number) => void

function parsePort(text: string): number {
  const port = Number(text)
  if (!/^\d+$/.test(text) || port > 65535)
    throw new InvalidArgumentError('a port is a number from 0 to 65535.')
  return port
}

const EXAMPLES = `Examples:
  magnetar setup                                  from a bare host to a working node
  magnetar serve --config /srv/pulsar/etc         run the server in the foreground
  magnetar man                                    everything on one page
`

/** The whole command line with its help and its answers to mistakes; resolves with the exit code. */
export async function runProgram(
  argv: readonly string[],
  serve: (options: ServeArguments) => Promise<number>,
): Promise<number> {
  // Whoever reads may have enough before all is written: | head.
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {})
  let exitCode: number = EXIT.ok
  const finish: Finish = (code) => {
    exitCode = code
  }
  const program = createProgram(serve, finish)
  try {
    await program.parseAsync([...argv], { from: 'user' })
  } catch (error) {
    const code = (error as { code?: string }).code ?? ''
    if (!code.startsWith('commander.')) throw error
    exitCode = (error as { exitCode?: number }).exitCode === 0 ? EXIT.ok : EXIT.usage
  }
  return exitCode
}

/** The commands and their options, also for the man page and the completions. */
export function createProgram(serve: (options: ServeArguments) => Promise<number>, finish: Finish): Command {
  const program = new Command('magnetar')
    .description('Sets up and runs a Pulsar node: the server that runs jobs for a Galaxy server.')
    .version(version())
    .showHelpAfterError('(magnetar --help lists the commands and options)')
    .configureOutput({ outputError: (text, write) => write(text.replace(/^error: /, 'magnetar: ')) })
    .addHelpText('before', EXAMPLES)
    .exitOverride()
  addSetupCommand(program, finish)
  addAdoptCommand(program, finish)
  addServeCommand(program, serve, finish)
  addConfigCommand(program, finish)
  addDepsCommand(program, finish)
  addStatusCommand(program, finish)
  addJobsCommand(program, finish)
  addLogsCommand(program, finish)
  addTokenCommand(program, finish)
  addCheckCommand(program, finish)
  addDoctorCommand(program, finish)
  addAuditCommand(program, finish)
  addUpgradeCommands(program, finish)
  addUninstallCommand(program, finish)
  addGalaxyCommand(program, finish)
  addCompletionCommand(program, finish)
  addManCommand(program, finish)
  return program
}

function addServeCommand(
  program: Command,
  serve: (options: ServeArguments) => Promise<number>,
  finish: Finish,
): void {
  program
    .command('serve')
    .description('serve the node configured in a directory, until SIGINT or SIGTERM')
    .requiredOption('-c, --config <directory>', 'directory with app.yml, server.ini, …')
    .option('--host <address>', 'listen on this address instead of the one in server.ini')
    .option(
      '--port <number>',
      'listen on this port instead of the one in server.ini; 0: any free one',
      parsePort,
    )
    .option('--allow-root', 'serve as root, for containers that have no other user (allow_root in app.yml)')
    .option(
      '--allow-without-token',
      'serve without private_token where other machines reach it (allow_without_token in app.yml)',
    )
    .addHelpText('after', '\nExample:\n  magnetar serve --config /srv/pulsar/etc --port 8913')
    .action(async (options: ServeArguments) => finish(await serve(options)))
}
