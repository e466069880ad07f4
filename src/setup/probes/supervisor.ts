import { lstat, readFile } from 'node:fs/promises'
import { dirname, extname, resolve } from 'node:path'
import { errnoOf } from '../../lib/errors.js'
import { runCommand } from '../../lib/exec.js'
import type { SupervisorFacts } from '../types.js'

/** Where Supervisor itself looks (supervisor/options.py `searchpaths`), Debian's place first. */
const CONFIG_FILES = [
  '/etc/supervisor/supervisord.conf',
  '/etc/supervisord.conf',
  '/usr/local/etc/supervisord.conf',
]

/** Names another main configuration: of a Supervisor that is not the system's. */
export const SUPERVISOR_CONF_VARIABLE = 'MAGNETAR_SETUP_SUPERVISOR_CONF'

const TIMEOUT_MS = 4500
const NO_DIRECTORY = { programsDirectory: '', extension: '' }

/**
 * The Supervisor that programs can be added to; undefined: none is installed, or its configuration includes no files.
 * @param withoutIncludes also one whose programs all stand in its main file; it has no directory to add to
 */
export async function probeSupervisor(
  signal: AbortSignal,
  withoutIncludes = false,
): Promise<SupervisorFacts | undefined> {
  const named = process.env[SUPERVISOR_CONF_VARIABLE]
  for (const configFile of named ? [resolve(named)] : CONFIG_FILES) {
    const text = await readFile(configFile, { encoding: 'utf8', signal }).catch(() => undefined)
    const included = text === undefined ? undefined : readInclude(text, configFile)
    const programs = included ?? (withoutIncludes && text !== undefined ? NO_DIRECTORY : undefined)
    if (programs === undefined) continue
    // Of the one that runs. Each of the two programs takes a fifth of a second to load.
    const told = (await hasNoSocket(text ?? ''))
      ? undefined
      : await output('supervisorctl', ['-c', configFile, 'version'], signal)
    const running = /^\d+\.\d+\S*$/.test(told ?? '')
    const version = running ? told : await output('supervisord', ['--version'], signal)
    if (version === undefined) return undefined
    return { version, running, configFile, ...programs }
  }
  return undefined
}

/** Whether supervisorctl could reach none: the socket that it would use is not there. In doubt false, and it is asked. */
async function hasNoSocket(text: string): Promise<boolean> {
  const socket = controlSocket(text)
  if (socket === undefined) return false
  return lstat(socket).then(
    () => false,
    (error: unknown) => errnoOf(error) === 'ENOENT',
  )
}

/**
 * The socket of `[supervisorctl] serverurl`, which supervisorctl reads from the main file alone (supervisor/options.py
 * `ClientOptions.read_config`); undefined: it is no socket, or is written in a way that leaves anything to interpret.
 */
export function controlSocket(text: string): string | undefined {
  const sections = text.split(/^\[supervisorctl\].*$/m)
  const section = sections[1]?.split(/^\[/m)[0]
  if (sections.length !== 2 || section === undefined) return undefined
  const lines = section.split(/\r?\n/)
  const given = lines.flatMap((line, index) => (/^\s*serverurl/i.test(line) ? [index] : []))
  const [at] = given
  if (at === undefined || given.length !== 1 || /^\s+[^\s;#]/.test(lines[at + 1] ?? '')) return undefined
  return /^serverurl\s*[=:]\s*unix:\/\/(\/[\w./-]+)\s*(?:\s[;#].*)?$/.exec(lines[at] ?? '')?.[1]
}

async function output(
  program: string,
  args: readonly string[],
  signal: AbortSignal,
): Promise<string | undefined> {
  const result = await runCommand(program, args, { timeoutMs: TIMEOUT_MS, signal }).catch(() => undefined)
  return result?.code === 0 ? result.stdout.trim() : undefined
}

/**
 * Where `[include] files` takes programs from: patterns such as /etc/supervisor/conf.d/*.conf, relative to the file, separated
 * by blanks or line breaks (supervisor/options.py `read_include_config`). The first whose last part is `*.something` counts.
 */
export function readInclude(
  text: string,
  configFile: string,
): Pick<SupervisorFacts, 'programsDirectory' | 'extension'> | undefined {
  for (const pattern of includePatterns(text)) {
    const path = resolve(dirname(configFile), pattern.replaceAll('%(here)s', dirname(configFile)))
    const extension = extname(path)
    const directory = dirname(path)
    // A pattern in a directory's name, or another variable, tells of no one directory.
    if (!path.endsWith(`/*${extension}`) || extension === '' || /[*?[%]/.test(directory)) continue
    return { programsDirectory: directory, extension }
  }
  return undefined
}

/** The patterns of `[include] files`, as they stand there. */
export function includePatterns(text: string): string[] {
  let section = ''
  let inFiles = false
  const words: string[] = []
  for (const line of text.split(/\r?\n/)) {
    // Supervisor's dialect: a line that begins with ; or # is a comment, and so is what follows " ;".
    if (/^\s*[;#]/.test(line)) continue
    const content = line.replace(/\s[;#].*$/, '')
    const header = /^\[(.+)\]/.exec(content)?.[1]
    const option = /^([^\s=:]+)\s*[=:](.*)$/.exec(content)
    if (header !== undefined) section = header.trim()
    if (header !== undefined || option) inFiles = section === 'include' && option?.[1] === 'files'
    if (!inFiles) continue
    words.push(...(option?.[2] ?? content).split(/\s+/).filter((word) => word !== ''))
  }
  return words
}
