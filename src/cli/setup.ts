import { type Command, Option } from 'commander'
import type { AnswerProblem, Given } from '../setup/answers/given.js'
import { type Flag, type OptionName, type SetupOption, variableOf } from '../setup/answers/option.js'
import { SETUP_OPTION_GROUPS } from '../setup/answers/options/index.js'
import type { Finish } from './program.js'

/** What the command line of `magnetar setup` said. */
export interface SetupCommandLine {
  readonly given: ReadonlyMap<OptionName, Given>
  readonly problems: readonly AnswerProblem[]
  readonly yes: boolean
  readonly answers: string | undefined
  readonly plan: boolean
  readonly diff: boolean
  readonly check: boolean
  readonly json: boolean
  readonly quiet: boolean
  readonly verbose: boolean
  readonly force: boolean
  readonly keep: boolean
}

const EXAMPLES = `Examples:
  magnetar setup                          ask, show the plan, set up, prove it with a job
  magnetar setup --yes                    the same without questions, with what was found
  magnetar setup --yes --manager slurm --partition galaxy
  magnetar setup --yes --host 0.0.0.0 --tls-cert chain.pem --tls-key key.pem
  magnetar setup --answers node.yml       with the answers that the wizard saved
  magnetar setup --check                  is all as wanted? changes nothing
`

const NOTES = `
Each option is also a variable, MAGNETAR_SETUP_PREFIX for --prefix, and a key of the answers file, prefix.
A flag goes before a variable, a variable before the answers file, and that before what was found here.

Exit codes: 0 done or nothing to do, 1 failed, 2 usage, 3 not as wanted (--check, or something was left alone),
4 not permitted, 5 the job at the end failed, 130 interrupted.`

/** Registers `magnetar setup`; what it does is loaded when it is called. */
export function addSetupCommand(program: Command, finish: Finish): void {
  const command = program
    .command('setup')
    .description('set a node up, or change one: asks in a terminal, silent with --yes')
    .addHelpText('before', EXAMPLES)
    .addHelpText('after', NOTES)
  const collected = collectAnswers(command)
  for (const [flags, description] of [
    ['-y, --yes', 'ask nothing: take what was found, and the defaults'],
    ['--answers <FILE>', 'answers from a YAML file, - for standard input; asks nothing'],
    ['--plan', 'show what would change, and change nothing'],
    ['--diff', 'the same, with the lines of each file'],
    ['--check', 'exit code 0 when all is as wanted, 3 when not; change nothing'],
    ['--json', 'events as JSON lines on standard output, everything else on standard error'],
    ['-q, --quiet', 'say only what is wrong'],
    ['-v, --verbose', 'say every single change'],
    ['--force', 'replace what was edited by hand; a backup is kept'],
    ['--keep', 'after a failure leave what was done, instead of undoing it'],
  ] as const)
    command.addOption(new Option(flags, description).helpGroup('This run:'))
  command.action(async (options: Record<string, unknown>) => {
    const isSet = (name: string): boolean => options[name] === true
    const { runSetupCommand } = await import('./setup/run-setup.js')
    finish(
      await runSetupCommand({
        ...collected(),
        yes: isSet('yes'),
        answers: typeof options.answers === 'string' ? options.answers : undefined,
        plan: isSet('plan'),
        diff: isSet('diff'),
        check: isSet('check'),
        json: isSet('json'),
        quiet: isSet('quiet'),
        verbose: isSet('verbose'),
        force: isSet('force'),
        keep: isSet('keep'),
      }),
    )
  })
}

/** The flags of the option table. Values are read by the table later, so that all mistakes are told at once. */
function collectAnswers(command: Command): () => Pick<SetupCommandLine, 'given' | 'problems'> {
  const given = new Map<OptionName, Given>()
  const problems: AnswerProblem[] = []
  const take = (name: OptionName, { flag }: Flag, text: string): void => {
    const before = given.get(name)
    given.set(name, { text, spelled: flag, directory: process.cwd() })
    // Two flags of one option; the same flag twice means the last, as everywhere.
    if (before && before.spelled !== flag)
      problems.push({
        name,
        kind: 'invalid',
        spelled: flag,
        message: `contradicts ${before.spelled}; give one of them`,
      })
  }
  for (const { title, options } of SETUP_OPTION_GROUPS) {
    for (const option of options) {
      for (const flag of option.flags) {
        const { flag: name, argument } = flag
        const words = argument === undefined ? name : `${name} <${argument}>`
        command.addOption(new Option(words, describeFlag(option, flag)).helpGroup(`${title}:`))
        command.on(`option:${name.slice(2)}`, (value?: string) =>
          take(option.name, flag, flag.value ?? value ?? ''),
        )
      }
    }
  }
  return () => ({ given, problems })
}

const NO_DEFAULT = new Set(['none', 'no'])

/** What a flag does, and what counts without any flag of its option. */
export function describeFlag({ flags, description, defaultText }: SetupOption, flag: Flag): string {
  const text = flag.description ?? description
  return flag !== flags[0] || NO_DEFAULT.has(defaultText) ? text : `${text} (default: ${defaultText})`
}

/** `MAGNETAR_SETUP_PREFIX` for each option, with what it says; for the man page. */
export function setupVariables(): readonly { readonly name: string; readonly description: string }[] {
  return SETUP_OPTION_GROUPS.flatMap(({ options }) =>
    options.map(({ name, description }) => ({ name: variableOf(name), description })),
  )
}
