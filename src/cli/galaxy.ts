import { type Command, Option } from 'commander'
import { exitCodeOf } from './exit-code-of.js'
import { printError } from './print.js'
import type { Finish } from './program.js'

/** What `magnetar galaxy connect` and `disconnect` have in common. */
export interface GalaxyCommandLine {
  readonly jobConf?: string
  readonly destination: string
  readonly restart?: string
  readonly plan?: boolean
  readonly diff?: boolean
  readonly yes?: boolean
  readonly json?: boolean
}

export interface ConnectCommandLine extends GalaxyCommandLine {
  readonly url?: string
  readonly tokenFile?: string
  readonly tokenStdin?: boolean
  /** False: --no-token. */
  readonly token?: boolean
  readonly runner?: string
  readonly tool?: readonly string[]
  readonly manager?: string
  readonly jobsDirectory?: string
  readonly fileAction?: 'transfer' | 'remote_transfer' | 'none'
  /** False: --no-check. */
  readonly check: boolean
}

const EXAMPLES = `Examples:
  magnetar galaxy connect               print what to paste into job_conf
  magnetar galaxy connect --job-conf /srv/galaxy/config/job_conf.yml \\
    --url https://node:8913/ --token-file token --tool multi
  magnetar galaxy disconnect --job-conf /srv/galaxy/config/job_conf.yml
`

const CONNECT_EXAMPLES = `Examples:
  magnetar galaxy connect               print what to paste, in both formats
  magnetar galaxy connect --job-conf job_conf.xml --url https://node:8913/ \\
    --token-file token --tool multi     show the difference, ask, write it
  magnetar galaxy connect … --diff      only show it
  magnetar galaxy connect … --yes --restart 'supervisorctl restart gx:*'
`

const CONNECT_NOTES = `
FILE is Galaxy's job_conf.xml or job_conf.yml, a galaxy.yml with job_config in
it, or the variables of a playbook. Only what is meant changes; the file from
before stays beside it as FILE.bak. A tool's former mapping is commented out.
On the node the token is shown by: magnetar token show
It comes from --token-file, --token-stdin or the file that the variable
MAGNETAR_GALAXY_TOKEN_FILE names, never from the command line.
`

const EXIT_CODES = `
Exit codes: 0 done or nothing to do, 1 failed, refused or not wanted, 2 usage,
4 not permitted, 130 interrupted.`

const DISCONNECT_NOTES = `
What connect wrote goes, and former mappings of tools come back, byte for byte;
what others wrote stays.
`

/** Registers `magnetar galaxy …`; what it does is loaded when it is called. */
export function addGalaxyCommand(program: Command, finish: Finish): void {
  const galaxy = program
    .command('galaxy')
    .description("the Galaxy server's side: send jobs to a node, or no longer")
    .addHelpText('before', EXAMPLES)
    .helpCommand(false)
  const connect = galaxy
    .command('connect')
    .description('make Galaxy send jobs to a node, by its job_conf file')
    .addHelpText('before', CONNECT_EXAMPLES)
    .addHelpText('after', CONNECT_NOTES + EXIT_CODES)
    .option('--job-conf <FILE>', 'file to change; without it, print what to paste')
    .option('--url <URL>', 'the node, as Galaxy reaches it')
    .option('--token-file <FILE>', 'file with the private token of the node')
    .option('--token-stdin', 'the token comes on standard input')
    .option('--no-token', 'the node wants none')
    .option('--destination <ID>', 'id of the destination', 'pulsar')
    .option('--runner <ID>', 'id of the runner (default: one that is there, else pulsar_rest)')
    .option('--tool <ID...>', 'send the jobs of these tools there')
    .option('--manager <NAME>', 'manager of the node (default: its default one)')
    .option('--jobs-directory <DIR>', "the node's staging directory, where it has to be known")
    .addOption(
      new Option('--file-action <ACTION>', 'who moves the files: Galaxy, the node, nobody').choices([
        'transfer',
        'remote_transfer',
        'none',
      ]),
    )
    .option('--no-check', 'do not ask the node whether it answers')
  addShared(connect).action(
    run(async (line: ConnectCommandLine) => {
      const { runConnect } = await import('./galaxy/run-connect.js')
      return runConnect(line)
    }),
  )
  const disconnect = galaxy
    .command('disconnect')
    .description('take away what connect wrote, byte for byte')
    .addHelpText('after', DISCONNECT_NOTES + EXIT_CODES)
    .requiredOption('--job-conf <FILE>', 'file to change')
    .option('--destination <ID>', 'id of the destination', 'pulsar')
  addShared(disconnect).action(
    run(async (line: GalaxyCommandLine & { readonly jobConf: string }) => {
      const { runDisconnect } = await import('./galaxy/run-disconnect.js')
      return runDisconnect(line)
    }),
  )

  function run<Line>(action: (line: Line) => Promise<number>): (line: Line) => Promise<void> {
    return async (line) => {
      try {
        finish(await action(line))
      } catch (error) {
        printError(error)
        finish(exitCodeOf(error))
      }
    }
  }
}

function addShared(command: Command): Command {
  return command
    .option('--restart <COMMAND>', 'after the change, run this to restart Galaxy')
    .option('-y, --yes', 'do not ask')
    .option('--plan', 'show what would be done, and change nothing')
    .option('--diff', 'the same, with the lines of the file')
    .option('--json', 'events as JSON lines on standard output, everything else on standard error')
}
