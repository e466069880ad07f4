import { basename, dirname, isAbsolute, join, resolve } from 'node:path'
import type { LoadOptions } from '../../config/load.js'
import { quoteForShell } from '../../lib/shell.js'
import { type CommandWord, splitCommand } from './command-words.js'

/** How a service starts a Python Pulsar. */
export interface PulsarCommand {
  /** Absolute where the service names it so: /srv/pulsar/bin/pulsar. */
  readonly program: string
  /** Absolute. */
  readonly configDirectory: string
  /** What the configuration is read with, by either server. */
  readonly load: Pick<LoadOptions, 'configDirectory' | 'iniPath' | 'appConfPath' | 'app' | 'mode'>
  /** Whether the Python Pulsar listens on a port: not in mode webless. */
  readonly serves: boolean
  /**
   * The same command for the launchers in `bin`; only the words that have to are others.
   * @param raw as it stands in the file, word for word the one that was read
   * @param quote what makes a text one that the file's format leaves alone
   */
  rewrite(raw: string, bin: string, quote: (text: string) => string): string
  /** What makes it impossible to keep its meaning, each a sentence. */
  readonly obstacles: readonly string[]
  readonly notes: readonly string[]
}

/** Where the service starts it. */
export interface CommandPlace {
  /** Absolute: the working directory. */
  readonly directory: string
  readonly env: Readonly<Record<string, string | undefined>>
}

const LAUNCHERS = ['pulsar', 'pulsar-main', 'pulsar-serve', 'paster', 'uwsgi'] as const
type Launcher = (typeof LAUNCHERS)[number]

/** Options of uWSGI that say nothing which the server here would have to know. */
const IDLE_UWSGI = /^(-M|--master|--enable-threads|--die-on-term|--need-app|--vacuum|--lazy|--lazy-apps)$/
const IDLE_UWSGI_WITH_VALUE =
  /^(-H|--virtualenv|--home|-p|--processes|--workers|--threads|--buffer-size|-b|--plugin|--plugins|--uid|--gid|--pidfile)$/

/** Reads the command of a service; undefined: it starts no Pulsar, or not so that it can be seen (a script). Pure. */
export function readPulsarCommand(command: string, place: CommandPlace): PulsarCommand | undefined {
  const words = splitCommand(command)
  if (!words) return undefined
  // An interpreter may stand before: `venv/bin/python venv/bin/paster serve …`, `bash bin/pulsar`.
  const [first = { text: '', start: 0, end: 0 }, second] = words
  const isInterpreter = /^(python[\d.]*|bash|sh)$/.test(basename(first.text))
  const named = isInterpreter ? second : first
  const launcher = LAUNCHERS.find((name) => name === basename(named?.text ?? ''))
  if (launcher === undefined || named === undefined) return undefined
  const rest = words.slice(words.indexOf(named) + 1)
  const program =
    isAbsolute(named.text) || named.text.includes('/') ? resolve(place.directory, named.text) : named.text
  const found = READERS[launcher](rest, place)
  if (!found) return undefined
  const { replaces, by, args = [], ...more } = found
  const last = words.indexOf(replaces ?? named)
  return {
    program,
    ...more,
    rewrite(raw, bin, quote) {
      const own = splitCommand(raw) ?? []
      const text = [join(bin, by), ...args].map((word) => quote(quoteForShell(word))).join(' ')
      return raw.slice(0, own[0]?.start) + text + raw.slice(own[last]?.end)
    },
  }
}

interface Reading extends Omit<PulsarCommand, 'program' | 'rewrite'> {
  /** The command of ours that does the same. */
  readonly by: string
  /** The last word that goes with the program's; undefined: the program's own. */
  readonly replaces?: CommandWord | undefined
  /** Instead of the words that go. */
  readonly args?: readonly string[]
}

type Reader = (words: readonly CommandWord[], place: CommandPlace) => Reading | undefined

const READERS: Readonly<Record<Launcher, Reader>> = {
  pulsar: (words, { directory, env }) => {
    const { values, others } = readOptions(words, {
      '-m': 'mode',
      '--mode': 'mode',
      '-c': 'config',
      '--config': 'config',
    })
    const mode = values.mode ?? env.MODE
    const configDirectory = resolve(directory, values.config ?? env.PULSAR_CONFIG_DIR ?? '.')
    const more = others.map(
      ({ text }) => `${text} is handed on to the Python server, and the server here has no such option`,
    )
    const daemon = others.some(({ text }) => /daemon/.test(text))
    return {
      configDirectory,
      load: { configDirectory, ...(mode === undefined ? {} : { mode }) },
      serves: mode !== 'webless',
      by: 'pulsar',
      obstacles: daemon
        ? ['it puts itself into the background (--daemon), where no service can watch it']
        : more,
      notes: [],
    }
  },
  'pulsar-main': (words, { directory, env }) => {
    const { values, others } = readOptions(words, {
      '-c': 'config',
      '--config_dir': 'config',
      '--config': 'config',
      '--ini_path': 'ini',
      '--app_conf_path': 'appConf',
      '--app': 'app',
    })
    const configDirectory = resolve(directory, values.config ?? env.PULSAR_CONFIG_DIR ?? '.')
    return {
      configDirectory,
      load: {
        configDirectory,
        mode: 'webless',
        ...(values.ini === undefined ? {} : { iniPath: values.ini }),
        ...(values.appConf === undefined ? {} : { appConfPath: values.appConf }),
        ...(values.app === undefined ? {} : { app: values.app }),
      },
      serves: false,
      by: 'pulsar-main',
      obstacles: others.map(({ text }) => `the server here has no option ${text}`),
      notes: [],
    }
  },
  'pulsar-serve': (words, { directory, env }) => {
    const ini = resolve(directory, words[0]?.text ?? join(env.PULSAR_CONFIG_DIR ?? '.', 'server.ini'))
    return { ...iniReading(ini), by: 'pulsar-serve', obstacles: refuseOthers(words.slice(1)), notes: [] }
  },
  paster: (words, { directory }) => {
    const [verb, file, ...more] = words
    if (verb?.text !== 'serve' || file === undefined) return undefined
    return {
      ...iniReading(resolve(directory, file.text)),
      by: 'pulsar-serve',
      replaces: verb,
      obstacles: refuseOthers(more),
      notes: [],
    }
  },
  uwsgi: (words, { directory }) => {
    let ini: string | undefined
    const strange: CommandWord[] = []
    for (let at = 0; at < words.length; at += 1) {
      const word = words[at] as CommandWord
      const [name = '', given] = word.text.split(/=(.*)/s)
      if (/^--ini(-paste(-logged)?)?$/.test(name)) ini = given ?? words[++at]?.text
      else if (IDLE_UWSGI_WITH_VALUE.test(name)) at += given === undefined ? 1 : 0
      else if (!IDLE_UWSGI.test(name)) strange.push(word)
    }
    if (ini === undefined) return undefined
    const file = resolve(directory, ini)
    const configDirectory = dirname(file)
    return {
      configDirectory,
      load: { configDirectory, mode: 'uwsgi' },
      serves: true,
      by: 'pulsar',
      replaces: words.at(-1),
      args: ['--mode', 'uwsgi', '--config', configDirectory],
      obstacles: [
        ...refuseOthers(strange),
        ...(basename(file) === 'server.ini' ? [] : [`${file} is not called server.ini`]),
      ],
      notes: [
        `local_env.sh in ${configDirectory} is read at the start, which uWSGI did not do; PULSAR_LOCAL_ENV=/dev/null in the service's environment forbids it`,
      ],
    }
  },
}

function iniReading(ini: string): Pick<Reading, 'configDirectory' | 'load' | 'serves'> {
  const configDirectory = dirname(ini)
  return { configDirectory, load: { configDirectory, iniPath: ini, mode: 'gunicorn' }, serves: true }
}

function refuseOthers(words: readonly CommandWord[]): string[] {
  return words.map(({ text }) => `the server here has no option ${text}`)
}

/** As both programs read them: NAME VALUE, for pulsar-main NAME=VALUE too. */
function readOptions<Name extends string>(
  words: readonly CommandWord[],
  names: Readonly<Record<string, Name>>,
): { readonly values: Partial<Record<Name, string>>; readonly others: readonly CommandWord[] } {
  const values: Partial<Record<Name, string>> = {}
  const others: CommandWord[] = []
  for (let at = 0; at < words.length; at += 1) {
    const word = words[at] as CommandWord
    const [text = '', given] = word.text.startsWith('--') ? word.text.split(/=(.*)/s) : [word.text]
    const name = names[text]
    if (name === undefined) others.push(word)
    else values[name] = given ?? words[++at]?.text ?? ''
  }
  return { values, others }
}
