import { type Command, InvalidArgumentError } from 'commander'
import { processTerminal } from './config/terminal.js'
import type { Finish } from './program.js'

/** What the command line of `magnetar check` said. */
export interface CheckCommandLine {
  readonly url: string | undefined
  readonly config: string | undefined
  readonly tokenFile: string | undefined
  readonly tokenStdin: boolean
  readonly caFile: string | undefined
  readonly manager: string | undefined
  /** Seconds. */
  readonly timeout: number | undefined
  readonly pull: boolean
  readonly filesHost: string | undefined
  readonly filesPort: number | undefined
  readonly filesUrl: string | undefined
  readonly json: boolean
  readonly quiet: boolean
}

const EXAMPLES = `Examples:
  magnetar check                                     the node of this machine
  magnetar check https://node.example.org:8913 --token-file token
  magnetar check http://node:8913 --manager long --json | jq .ok
`

const NOTES = `
Sends three small jobs through a node, as Galaxy would, and removes them
again, also after Ctrl-C or a failure. Works with any Pulsar, from any
machine: give it the URL that Galaxy has. Without a URL it is the node of
--config, else of $PULSAR_CONFIG_DIR, else the installation that this program
is part of; its token is read there. With a URL and --config: its token only.

The token never stands on the command line: --token-file FILE,
$MAGNETAR_CHECK_TOKEN_FILE, or --token-stdin.

For "pull" the node fetches a file from this machine: from the address with
which this machine reaches the node, unless --files-host, --files-port or
--files-url say otherwise. When it cannot, that is left out, and a failure
only if a host or URL was given.

Exit codes: 0 works, 2 usage, 10 no answer, 11 TLS, 12 no Pulsar or no such
manager, 13 token, 14 clock, 15 files, 16 job, 17 cancel, 18 pull, 78 the
configuration is wrong, 130 interrupted. Of several failures the first counts,
the clock last.`

/** Registers `magnetar check`; what it does is loaded when it is called. */
export function addCheckCommand(program: Command, finish: Finish): void {
  program
    .command('check')
    .description('prove from any machine that a node works: reach, token, files, a job, cancel, pull')
    .addHelpText('before', EXAMPLES)
    .addHelpText('after', NOTES)
    .argument('[url]', 'of the node, as Galaxy has it')
    .option('-c, --config <DIR>', 'directory with app.yml and server.ini of the node')
    .option('--token-file <FILE>', "file with the node's private token; -: standard input")
    .option('--token-stdin', 'read the token from standard input; in a terminal: ask for it')
    .option('--ca-file <FILE>', 'certificates (PEM) of authorities to trust besides the usual ones')
    .option('--manager <NAME>', 'the manager to send jobs to (default: _default_)')
    .option(
      '--timeout <SECONDS>',
      'longest wait for a job (default: 120), and for an answer (at most 30)',
      parseSeconds,
    )
    .option('--no-pull', 'do not let the node fetch a file from this machine')
    .option('--files-host <HOST>', 'address or name with which the node reaches this machine')
    .option('--files-port <PORT>', 'port to serve that file on (default: any free one)', parsePort)
    .option('--files-url <URL>', 'URL of a proxy or tunnel that leads to that port')
    .option('--json', 'one JSON object on standard output')
    .option('-q, --quiet', 'print nothing but what is wrong')
    .action(async (url: string | undefined, options: Readonly<Record<string, unknown>>) => {
      const text = (key: string): string | undefined => {
        const value = options[key]
        return typeof value === 'string' ? value : undefined
      }
      const number = (key: string): number | undefined => {
        const value = options[key]
        return typeof value === 'number' ? value : undefined
      }
      const { runCheckCommand } = await import('./check/run-check.js')
      finish(
        await runCheckCommand(
          {
            url,
            config: text('config'),
            tokenFile: text('tokenFile'),
            tokenStdin: options.tokenStdin === true,
            caFile: text('caFile'),
            manager: text('manager'),
            timeout: number('timeout'),
            pull: options.pull !== false,
            filesHost: text('filesHost'),
            filesPort: number('filesPort'),
            filesUrl: text('filesUrl'),
            json: options.json === true,
            quiet: options.quiet === true,
          },
          processTerminal(),
        ),
      )
    })
}

function parseSeconds(text: string): number {
  const seconds = Number(text)
  if (!/^\d+(\.\d+)?$/.test(text) || seconds <= 0 || seconds > 86_400)
    throw new InvalidArgumentError('expected seconds, more than 0 and up to 86400.')
  return seconds
}

function parsePort(text: string): number {
  const port = Number(text)
  if (!/^\d+$/.test(text) || port < 1 || port > 65535)
    throw new InvalidArgumentError('a port is a number from 1 to 65535.')
  return port
}
