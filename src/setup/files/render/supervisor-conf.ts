import { MagnetarError } from '../../../lib/errors.js'
import { quoteForShell } from '../../../lib/shell.js'

export interface SupervisorConf {
  /** NAME of `[program:NAME]`. */
  readonly program: string
  readonly user: string
  readonly directory: string
  /** As for a shell, see `pulsarCommand`; written with every % doubled. */
  readonly command: string
  /** Values as Supervisor expands them: `%(ENV_PATH)s` is its own PATH, `%%` a percent sign. */
  readonly environment?: Readonly<Record<string, string>> | undefined
  /** Without SIG: INT. Default: Supervisor's own, TERM. */
  readonly stopsignal?: string | undefined
}

/**
 * The program section that pulsar-config 0.16.0 writes (pulsar/scripts/config.py SUPERVISOR_CONFIG_TEMPLATE), and after it
 * what has to be added by hand there: environment and stopsignal.
 * @throws MagnetarError ANSWER_INVALID for text that no program section can hold
 */
export function renderSupervisorConf(conf: SupervisorConf): string {
  const { program, user, directory, command, environment = {}, stopsignal } = conf
  const pairs = Object.entries(environment).map(([name, value]) => `${name}=${quoteValue(value)}`)
  const entries = [
    ['user', escapeForSupervisor(user)],
    ['directory', escapeForSupervisor(directory)],
    ['command', escapeForSupervisor(command)],
    ['redirect_stderr', 'true'],
    ['autorestart', 'true'],
    ...(pairs.length > 0 ? [['environment', pairs.join(',')]] : []),
    ...(stopsignal === undefined ? [] : [['stopsignal', stopsignal]]),
  ] as const
  const lines = entries.map(([key = '', value = '']) => `${key.padEnd(15)} = ${checkValue(value)}`)
  return `[program:${program}]\n${lines.join('\n')}\n`
}

/** The command that starts the server: `/srv/pulsar/bin/pulsar --mode 'uwsgi' --config '/srv/pulsar/etc'`. */
export function pulsarCommand(options: { launcher: string; mode: string; directory: string }): string {
  const { launcher, mode, directory } = options
  return `${quoteForShell(launcher)} --mode ${inQuotes(mode)} --config ${inQuotes(directory)}`
}

/** The environment of a program in an installed prefix, as a virtualenv's `activate` would make it. */
export function prefixEnvironment(prefix: string): Readonly<Record<string, string>> {
  const text = escapeForSupervisor(prefix)
  return { VIRTUAL_ENV: text, PATH: `${text}/bin:%(ENV_PATH)s` }
}

/** Text that Supervisor's expansion of %(name)s gives back unchanged. */
export function escapeForSupervisor(text: string): string {
  return text.replaceAll('%', '%%')
}

function inQuotes(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`
}

/** supervisor/datatypes.py dict_of_key_value_pairs knows no escapes and strips either quote from both ends. */
function quoteValue(value: string): string {
  const quote = value.includes('"') ? "'" : '"'
  if (value.includes(quote) || /^['"]|['"]$/.test(value)) throw unwritable(value)
  return `${quote}${value}${quote}`
}

/** supervisor/options.py UnhosedConfigParser: blanks at the ends go, and ; or # after a blank begins a comment wherever it stands. */
function checkValue(value: string): string {
  if (/[\x00-\x1f\x7f]|\s[;#]|^\s|\s$|%\(here\)s/.test(value)) throw unwritable(value)
  return value
}

function unwritable(value: string): MagnetarError {
  const text = JSON.stringify(value)
  return new MagnetarError('ANSWER_INVALID', `a Supervisor program cannot be configured with ${text}`, {
    fix: 'Choose a path without line breaks, quotes, and blanks before ; or #.',
  })
}
