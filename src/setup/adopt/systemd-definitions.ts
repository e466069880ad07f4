import { readdir } from 'node:fs/promises'
import { basename, isAbsolute, join } from 'node:path'
import type { PulsarCommand } from './pulsar-command.js'
import { readDefinition, type ServiceDefinition, type ServiceEdit } from './service-definition.js'

/** Where units are, the strongest first (systemd.unit(5)). */
export const UNIT_DIRECTORIES: readonly string[] = [
  '/etc/systemd/system',
  '/run/systemd/system',
  '/usr/local/lib/systemd/system',
  '/usr/lib/systemd/system',
  '/lib/systemd/system',
]

/** Read after all others of the unit, whose names begin otherwise. */
const DROP_IN = 'zz-magnetar.conf'

/** Of a command (systemd.service(5)). */
const PREFIX = /^[-:+!]*/

/** All services with one command, as units and drop-ins say. */
export async function readSystemdServices(
  signal: AbortSignal,
  directories: readonly string[] = UNIT_DIRECTORIES,
): Promise<ServiceDefinition[]> {
  const seen = new Set<string>()
  const found: ServiceDefinition[] = []
  for (const directory of directories) {
    for (const unit of (await readdir(directory).catch(() => [])).sort()) {
      if (!unit.endsWith('.service') || seen.has(unit)) continue
      seen.add(unit)
      const definition = await readUnit(join(directory, unit), directories, signal)
      if (definition) found.push(definition)
    }
  }
  return found
}

async function readUnit(
  file: string,
  directories: readonly string[],
  signal: AbortSignal,
): Promise<ServiceDefinition | undefined> {
  const unit = basename(file)
  const dropIns = new Map<string, string>()
  for (const directory of directories.toReversed())
    for (const name of await readdir(join(directory, `${unit}.d`)).catch(() => []))
      if (name.endsWith('.conf')) dropIns.set(name, join(directory, `${unit}.d`, name))
  const files = [file, ...[...dropIns].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, path]) => path)]
  let given: string | undefined
  const settings = new Map<string, { readonly value: string; readonly file: string }[]>()
  for (const path of files) {
    for (const [key, value] of serviceSettings((await readDefinition(path, signal)) ?? '')) {
      // What we wrote ourselves is not how the Python Pulsar is started.
      if (basename(path) === DROP_IN) {
        if (key === 'ExecStart') given = plain(value)
        continue
      }
      if (value === '') settings.delete(key)
      else settings.set(key, [...(settings.get(key) ?? []), { value, file: path }])
    }
  }
  const [start, ...more] = settings.get('ExecStart') ?? []
  if (!start || more.length > 0) return undefined
  const last = (key: string): string | undefined => settings.get(key)?.at(-1)?.value
  const env: Record<string, string> = {}
  for (const { value } of settings.get('EnvironmentFile') ?? []) {
    const text = (await readDefinition(value.replace(/^-/, ''), signal)) ?? ''
    for (const line of text.split('\n')) addVariable(env, line.trim())
  }
  for (const { value } of settings.get('Environment') ?? [])
    for (const [, double, single, plain] of value.matchAll(/"([^"]*)"|'([^']*)'|(\S+)/g))
      addVariable(env, double ?? single ?? plain ?? '')
  const command = start.value.replace(PREFIX, '')
  const directory = last('WorkingDirectory')?.replace(/^-/, '') ?? '/'
  return {
    kind: 'systemd',
    name: unit.replace(/\.service$/, ''),
    file: start.file,
    command: start.value,
    expanded: /%[^%]|\$\{?\w/.test(command) || command.startsWith('@') ? undefined : plain(command),
    given,
    user: last('User'),
    group: last('Group'),
    directory: isAbsolute(directory) ? directory : '/',
    env,
    obstacles:
      last('Type') === 'forking'
        ? ['its unit is of Type=forking, and the server stays in the foreground']
        : [],
    notes: [],
  }
}

/** The drop-in that has the unit run the same command by the launchers in `bin`. Pure. */
export function dropInFor(
  { name, command }: ServiceDefinition,
  pulsar: PulsarCommand,
  bin: string,
  directory = '/etc/systemd/system',
): ServiceEdit {
  const prefix = PREFIX.exec(command)?.[0] ?? ''
  const lines = [
    `# Written by "magnetar adopt": the unit runs Magnetar instead of the Python Pulsar. "magnetar adopt --undo" removes it.`,
    '[Service]',
    'ExecStart=',
    `ExecStart=${prefix}${pulsar.rewrite(command.slice(prefix.length), bin, (text) => text.replaceAll('%', '%%'))}`,
    '# Jobs on this machine go on while the server is stopped.',
    'KillMode=process',
    '',
  ]
  return { path: join(directory, `${name}.service.d`, DROP_IN), before: undefined, after: lines.join('\n') }
}

function plain(command: string): string {
  return command.replace(PREFIX, '').replaceAll('%%', '%')
}

/** The settings of [Service], in their order; lines that end with a backslash go on. */
function serviceSettings(text: string): [key: string, value: string][] {
  let section = ''
  return text
    .replace(/\\\n/g, ' ')
    .split('\n')
    .flatMap((line): [string, string][] => {
      if (/^\s*[#;]/.test(line)) return []
      const header = /^\s*\[([^\]]+)\]/.exec(line)?.[1]
      if (header !== undefined) section = header
      const [, key, value = ''] = /^\s*(\w+)\s*=\s*(.*?)\s*$/.exec(line) ?? []
      return section === 'Service' && key !== undefined ? [[key, value]] : []
    })
}

function addVariable(env: Record<string, string>, text: string): void {
  const [, name, value = ''] = /^(\w+)=(.*)$/s.exec(text) ?? []
  if (name !== undefined) env[name] = value.replace(/^(["'])(.*)\1$/s, '$2')
}
