import { createRequire } from 'node:module'
import { Command, InvalidArgumentError } from 'commander'
import { EXIT } from './exit-codes.js'
import type { ServeArguments } from './main.js'

/** How a subcommand says its exit code: commander's actions have no result of their own. */
export type Finish = (exitCode: number) => void

function parsePort(text: string): number {
  const port = Number(text)
  if (!/^\d+$/.test(text) || port > 65535)
    throw new InvalidArgumentError('a port is a number from 0 to 65535.')
  return port
}

/** The version of this package. */
export function version(): string {
  const require = createRequire(import.meta.url)
  return (require('../../package.json') as { version: string }).version
}

/** The whole command line with its help and its answers to mistakes; resolves with the exit code. */
export async function runProgram(
  argv: readonly string[],
  serve: (options: ServeArguments) => Promise<number>,
): Promise<number> {
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
    .exitOverride()
  addServeCommand(program, serve, finish)
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
    .addHelpText('after', '\nExample:\n  magnetar serve --config /srv/pulsar/etc --port 8913')
    .action(async (options: ServeArguments) => finish(await serve(options)))
}
