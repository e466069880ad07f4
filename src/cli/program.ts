import { createRequire } from 'node:module'
import { Command, InvalidArgumentError } from 'commander'
import { EXIT } from './exit-codes.js'
import type { ServeArguments } from './main.js'

function parsePort(text: string): number {
  const port = Number(text)
  if (!/^\d+$/.test(text) || port > 65535)
    throw new InvalidArgumentError('a port is a number from 0 to 65535.')
  return port
}

function version(): string {
  const require = createRequire(import.meta.url)
  return (require('../../package.json') as { version: string }).version
}

/** The whole command line with its help and its answers to mistakes; resolves with the exit code. */
export async function runProgram(
  argv: readonly string[],
  serve: (options: ServeArguments) => Promise<number>,
): Promise<number> {
  let exitCode: number = EXIT.ok
  const program = new Command('magnetar')
    .description('Runs a Pulsar node: the server that runs jobs for a Galaxy server.')
    .version(version())
    .showHelpAfterError('(magnetar --help lists the commands and options)')
    .configureOutput({ outputError: (text, write) => write(text.replace(/^error: /, 'magnetar: ')) })
    .exitOverride()

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
    .action(async (options: ServeArguments) => {
      exitCode = await serve(options)
    })

  try {
    await program.parseAsync([...argv], { from: 'user' })
  } catch (error) {
    if (
      error instanceof Error &&
      'exitCode' in error &&
      'code' in error &&
      String(error.code).startsWith('commander.')
    ) {
      return error.exitCode === 0 ? EXIT.ok : EXIT.usage
    }
    throw error
  }
  return exitCode
}
