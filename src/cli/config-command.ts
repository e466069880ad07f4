import { type Command, Option } from 'commander'
import type { LoadOptions } from '../config/load.js'
import { processTerminal, type Terminal } from './config/terminal.js'
import { exitCodeOf } from './exit-code-of.js'
import { EXIT } from './exit-codes.js'
import { printError } from './print.js'
import type { Finish } from './program.js'

const EXAMPLES = `Examples:
  magnetar config show --origin                 each option, and the line of it
  magnetar config set maximum_stream_size 4194304
  magnetar config set manager.native_specification -- '-p long'
  magnetar config set private_token - < token   secrets come on standard input
  magnetar config docs num_concurrent_jobs
`

const NOTES = `
Which node: --config, else $PULSAR_CONFIG_DIR, else the installation that this
program is part of. KEY is an option of app.yml (staging_directory,
manager.type, managers.NAME.type) or of server.ini (server:main.port,
uwsgi.http). The whole configuration is checked before anything is written,
and nothing but the lines of the option is changed.

Exit codes: 0 done or nothing to do, 1 failed, 2 usage or a value that cannot
be used, 4 not permitted, 78 the configuration is wrong, 130 interrupted.`

interface Flags {
  readonly config?: string
  readonly origin?: boolean
  readonly json?: boolean
}

/** Registers `magnetar config …`; what it does is loaded when it is called. */
export function addConfigCommand(
  program: Command,
  finish: Finish,
  terminal: Terminal = processTerminal(),
): void {
  const config = program
    .command('config')
    .description('show, check and change the configuration of a node')
    .addHelpText('before', EXAMPLES)
    .addHelpText('after', NOTES)
    // Also between `config` and its subcommand.
    .addOption(new Option('-c, --config <DIR>').hideHelp())
    .helpCommand(false)

  add('show', 'what a server would use that is started now')
    .option('--origin', 'also where each value is from: file and line, environment variable, default')
    .option('--json', 'as one JSON object, with origins')
    .action(
      run(async (open, { origin, json }) => {
        const { showConfig } = await import('./config/show.js')
        await showConfig(await open(), { origin: origin === true, json: json === true }, terminal)
        return EXIT.ok
      }),
    )
  add('validate', 'say in one line what the node is, or all that is wrong with it').action(
    run(async (open) => {
      const { validateConfig } = await import('./config/validate.js')
      await validateConfig(await open(), terminal)
      return EXIT.ok
    }),
  )
  add('set', 'change an option in its file, if the configuration is right with it')
    .argument('<KEY>', 'the option: "config docs" lists them')
    .argument('<VALUE>', '- for standard input; one that begins with a dash goes after --')
    // A number below zero, or options for sbatch.
    .allowUnknownOption()
    .action(
      run(async (open, _flags, key = '', value = '') => {
        const { setOption } = await import('./config/set.js')
        return setOption(await open(), key, value, terminal)
      }),
    )
  add('unset', 'take an option out of its file, so that its default counts')
    .argument('<KEY>', 'the option, or a name in the file that is none')
    .action(
      run(async (open, _flags, key = '') => {
        const { unsetOption } = await import('./config/set.js')
        return unsetOption(await open(), key, terminal)
      }),
    )
  config
    .command('docs')
    .description('explain an option, or list them all')
    .argument('[KEY]', 'the option')
    .action(
      run(async (_open, _flags, key) => {
        const { printDocs } = await import('./config/docs.js')
        printDocs(key, terminal)
        return EXIT.ok
      }),
    )

  function add(name: string, description: string): Command {
    return config
      .command(name)
      .description(description)
      .option('-c, --config <DIR>', 'directory with app.yml and server.ini')
  }

  /** `open` finds the node that is meant. */
  function run(
    action: (
      open: () => Promise<LoadOptions>,
      flags: Flags,
      ...words: readonly (string | undefined)[]
    ) => Promise<number>,
  ): (...args: unknown[]) => Promise<void> {
    return async (...args) => {
      const command = args.at(-1) as Command
      const flags = command.optsWithGlobals<Flags>()
      const words = args.slice(0, -2) as (string | undefined)[]
      try {
        const { openConfig } = await import('./config/config-directory.js')
        finish(await action(() => openConfig(flags.config, terminal), flags, ...words))
      } catch (error) {
        printError(error)
        finish(exitCodeOf(error))
      }
    }
  }
}
