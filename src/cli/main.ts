import { createRequire } from 'node:module'
import path from 'node:path'
import { Command, InvalidArgumentError } from 'commander'
import { EXIT } from './exit-codes.js'

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

/** `magnetar …`: resolves with the exit code. */
export async function main(argv: readonly string[]): Promise<number> {
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
    .action(async (options: { config: string; host?: string; port?: number }) => {
      const { serve } = await import('./serve.js')
      exitCode = await serve({
        configDirectory: path.resolve(options.config),
        ...(options.host === undefined ? {} : { host: options.host }),
        ...(options.port === undefined ? {} : { port: options.port }),
        env: process.env,
        cwd: process.cwd(),
      })
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
