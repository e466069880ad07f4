import { readdir } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import { editIni } from '../../config/edit/ini.js'
import { type IniFile, parseIni } from '../../config/ini.js'
import { createProblems } from '../../config/problems.js'
import { escapeForSupervisor } from '../files/render/supervisor-conf.js'
import { includePatterns } from '../probes/supervisor.js'
import type { SupervisorFacts } from '../types.js'
import type { PulsarCommand } from './pulsar-command.js'
import { readDefinition, type ServiceDefinition, type ServiceEdit } from './service-definition.js'

/** All programs of the main configuration and the files that it includes; files that cannot be read have none. */
export async function readSupervisorPrograms(
  { configFile }: Pick<SupervisorFacts, 'configFile'>,
  signal: AbortSignal,
): Promise<ServiceDefinition[]> {
  const main = await readDefinition(configFile, signal)
  if (main === undefined) return []
  const files = [configFile]
  for (const pattern of includePatterns(main))
    files.push(
      ...(await expand(resolve(dirname(configFile), pattern.replaceAll('%(here)s', dirname(configFile))))),
    )
  const texts = await Promise.all(
    [...new Set(files)].map(async (file) => ({
      file,
      text: file === configFile ? main : await readDefinition(file, signal),
    })),
  )
  const found = texts.flatMap(({ file, text }) =>
    text === undefined ? [] : [{ file, ini: parse(text, file) }],
  )
  const groups = found.flatMap(({ ini }) => groupedPrograms(ini))
  return found.flatMap(({ file, ini }) => programsOf(ini, file, groups))
}

function programsOf(ini: IniFile, file: string, groups: readonly string[]): ServiceDefinition[] {
  return [...ini.sections].flatMap(([section, values]) => {
    const name = /^program:(.+)$/.exec(section)?.[1]?.trim()
    const command = values.get('command')?.text
    if (name === undefined || command === undefined) return []
    const option = (key: string): string | undefined => {
      const text = values.get(key)?.text
      return text === undefined ? undefined : withoutComment(text)
    }
    const fill = (text: string): string | undefined => fillIn(text, { file, name })
    const isYes = (key: string): boolean => /^(true|yes|on|1)$/i.test(option(key) ?? '')
    const obstacles = [
      ...(groups.includes(name)
        ? [
            `it is part of a [group:…] of Supervisor, and all of the group would be restarted; take it out of there first`,
          ]
        : []),
      ...(Number(option('numprocs') ?? '1') > 1 ? ['numprocs starts it more than once'] : []),
    ]
    const notes =
      isYes('stopasgroup') || isYes('killasgroup')
        ? [
            `${file}: with stopasgroup or killasgroup a stop reaches every process of the server's group. Jobs have groups of their own`,
          ]
        : []
    return [
      {
        kind: 'supervisor',
        name,
        file,
        command,
        expanded: expandCommand(command, { file, name }),
        user: option('user'),
        group: undefined,
        directory: fill(option('directory') ?? '/') ?? '/',
        env: readEnvironment(option('environment') ?? '', fill),
        obstacles,
        notes,
      },
    ]
  })
}

/** The program's file with the command changed; everything else stays byte for byte. */
export function editProgram(
  text: string,
  { name, command, file }: ServiceDefinition,
  pulsar: PulsarCommand,
  bin: string,
): ServiceEdit {
  // What follows " ;" is a comment, which stays.
  const meant = withoutComment(command)
  const rewritten = pulsar.rewrite(meant, bin, escapeForSupervisor) + command.slice(meant.length)
  const after = editIni(text, [{ section: `program:${name}`, key: 'command', value: rewritten }], file)
  return { path: file, before: text, after }
}

/** A command as the program in that file would have it; undefined: it holds what only Supervisor knows. */
export function expandCommand(
  command: string,
  program: Pick<ServiceDefinition, 'file' | 'name'>,
): string | undefined {
  return fillIn(withoutComment(command), program)
}

function fillIn(text: string, { file, name }: Pick<ServiceDefinition, 'file' | 'name'>): string | undefined {
  return interpolate(text, { here: dirname(file), program_name: name })
}

/** Supervisor's own dialect: what follows blank and semicolon is a comment. */
export function withoutComment(text: string): string {
  return text.replace(/\s+;.*$/s, '')
}

/** Python's %-formatting with what Supervisor knows; undefined: something that is known only to it. */
function interpolate(text: string, known: Readonly<Record<string, string>>): string | undefined {
  let complete = true
  const filled = text.replace(/%%|%\(([^)]*)\)s/g, (whole, key?: string) => {
    if (whole === '%%') return '%'
    const value =
      key === undefined
        ? undefined
        : (known[key] ?? (key.startsWith('ENV_') ? process.env[key.slice(4)] : undefined))
    if (value === undefined) complete = false
    return value ?? ''
  })
  return complete ? filled : undefined
}

/** KEY="value",KEY=value (supervisor/datatypes.py dict_of_key_value_pairs). A value that needs what is not known is left out. */
function readEnvironment(text: string, fill: (text: string) => string | undefined): Record<string, string> {
  const env: Record<string, string> = {}
  for (const [, key = '', double, single, plain] of text.matchAll(
    /([\w.]+)\s*=\s*(?:"([^"]*)"|'([^']*)'|([^,\s]*))/g,
  )) {
    const value = fill(double ?? single ?? plain ?? '')
    if (value !== undefined) env[key] = value
  }
  return env
}

function groupedPrograms(ini: IniFile): string[] {
  return [...ini.sections].flatMap(([section, values]) =>
    section.startsWith('group:')
      ? (values.get('programs')?.text ?? '').split(',').map((name) => name.trim())
      : [],
  )
}

function parse(text: string, file: string): IniFile {
  return parseIni(text, file, createProblems())
}

/** A pattern of shell; only its last part, and that of its directory, may be one. */
async function expand(pattern: string): Promise<string[]> {
  const directories = /[*?[]/.test(dirname(pattern)) ? await expand(dirname(pattern)) : [dirname(pattern)]
  const name = basename(pattern)
  const matcher = new RegExp(
    `^${name
      .replace(/[.+^${}()|\\]/g, '\\$&')
      .replaceAll('*', '[^/]*')
      .replaceAll('?', '[^/]')}$`,
  )
  const found = await Promise.all(
    directories.map(async (directory) =>
      (await readdir(directory).catch(() => []))
        .filter((each) => matcher.test(each))
        .sort()
        .map((each) => join(directory, each)),
    ),
  )
  return found.flat()
}
