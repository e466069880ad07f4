import { type Command, Option } from 'commander'
import { processTerminal, type Terminal } from './config/terminal.js'
import type { DepsTask } from './deps/run-deps.js'
import type { Finish } from './program.js'

const EXAMPLES = `Examples:
  magnetar deps list                            what there is, its size and last use
  magnetar deps install zlib=1.2.8              before the first job needs it
  magnetar deps install bwa=0.7.17 samtools=1.9 one environment for a tool of both
  magnetar deps verify                          are all files of all packages there?
  magnetar deps prune --unused 180              remove what no job used for 180 days
`

const NOTES = `
Which node: --config, else $PULSAR_CONFIG_DIR, else the installation that this
program is part of. NAME=VERSION are requirements as tools write them; their
order is part of the environment's name. Run it as the user of the node.

Exit codes: 0 done or nothing to do, 1 failed, not whole or not wanted, 2 usage,
4 not permitted, 78 the configuration is wrong, 130 interrupted.`

interface Flags {
  readonly config?: string
  readonly json?: boolean
  readonly yes?: boolean
  readonly unused?: string
}

/** Registers `magnetar deps …`; what it does is loaded when it is called. */
export function addDepsCommand(
  program: Command,
  finish: Finish,
  terminal: Terminal = processTerminal(),
): void {
  const deps = program
    .command('deps')
    .description('see and manage the Conda environments of tools')
    .addHelpText('before', EXAMPLES)
    .addHelpText('after', NOTES)
    // Also between `deps` and its subcommand.
    .addOption(new Option('-c, --config <DIR>').hideHelp())
    .helpCommand(false)

  add('list', 'the environments, what they are for, size and last use').action(run('list'))
  add('install', 'make the environment of a tool that requires these packages')
    .argument('<NAME=VERSION...>', 'the requirements; NAME alone: any version')
    .action(run('install'))
  add('verify', 'look whether environments are whole')
    .argument('[ENVIRONMENT...]', 'names as in "list"; without: all')
    .action(run('verify'))
  add('prune', 'remove environments: half-made ones, those named, those not used')
    .argument('[ENVIRONMENT...]', 'names as in "list"')
    .option('--unused <DAYS>', 'also those that no job used for so many days')
    .option('-y, --yes', 'do not ask')
    .action(run('prune'))

  function add(name: string, description: string): Command {
    return deps
      .command(name)
      .description(description)
      .option('-c, --config <DIR>', 'directory with app.yml and server.ini')
      .option('--json', 'one JSON object on standard output')
  }

  function run(task: DepsTask): (...args: unknown[]) => Promise<void> {
    return async (...args) => {
      const command = args.at(-1) as Command
      const { config, json, yes, unused } = command.optsWithGlobals<Flags>()
      const [words = []] = args.slice(0, -2) as (readonly string[] | undefined)[]
      const { runDeps } = await import('./deps/run-deps.js')
      finish(await runDeps({ task, words, config, unused, json: json === true, yes: yes === true }, terminal))
    }
  }
}
