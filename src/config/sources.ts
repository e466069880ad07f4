import { basename, dirname, join, resolve } from 'node:path'
import { EMPTY_INI, type IniFile, parseIni, readIniSection } from './ini.js'
import type { LoadOptions } from './load.js'
import { type ConfigNode, isNull, type MappingNode, textNode } from './node.js'
import type { Problems } from './problems.js'
import { readConfigFile, readRequiredFile } from './read-file.js'
import { readYaml } from './read-yaml.js'
import type { Entries } from './section.js'

export interface Sources {
  readonly ini: IniFile
  /** The keys of app.yml after everything that can add to or override them. */
  readonly app: Entries
}

/**
 * Finds and merges what configures a node, lowest first: [app:NAME] of server.ini, app.yml, PULSAR_CONFIG_X where X is
 * absent, PULSAR_CONFIG_OVERRIDE_X (pulsar/main.py: load_app_configuration, find_ini, apply_env_overrides_and_defaults).
 */
export async function readSources(options: LoadOptions, problems: Problems): Promise<Sources> {
  const entries = new Map<string, ConfigNode>()
  let ini = EMPTY_INI
  if (options.appConfBase64 !== undefined) {
    const { jsonNode } = await import('./json.js')
    addAll(entries, jsonNode(options.appConfBase64, '--app_conf_base64', problems))
  } else if (options.appConfPath !== undefined) {
    const path = resolve(options.cwd, options.appConfPath)
    if (options.iniPath !== undefined) ini = await readIni(options, entries, problems)
    addAll(entries, await readApp(await readRequiredFile({ path }, options.signal), path, problems))
  } else {
    ini = await readIni(options, entries, problems)
    await readAppOfIni(options, ini, entries, problems)
  }
  applyEnvironment(options.env, entries)
  return { ini, app: entries }
}

/** Reads server.ini or what stands in for it, and the keys of its [app:NAME]. A missing file is an empty one. */
async function readIni(
  options: LoadOptions,
  entries: Map<string, ConfigNode>,
  problems: Problems,
): Promise<IniFile> {
  const explicit =
    options.iniPath === undefined ? undefined : resolve(options.configDirectory, options.iniPath)
  const candidates =
    explicit !== undefined
      ? [explicit]
      : ['server.ini', 'server.ini.sample'].map((name) => join(options.configDirectory, name))
  for (const path of candidates) {
    const content = await readConfigFile({ path }, options.signal)
    if (content === undefined) continue
    const ini = parseIni(content, path, problems)
    const variables = { here: dirname(path), __file__: path }
    const section = readIniSection(ini, `app:${options.app ?? 'main'}`, variables, problems)
    for (const [key, { text, place }] of section ?? []) entries.set(key, textNode(text, place))
    // load_app_configuration puts the configuration directory over it, before app.yml.
    entries.delete('config_dir')
    return ini
  }
  if (explicit)
    problems.warn(undefined, `${explicit} does not exist: the server listens where it does by default`)
  return { ...EMPTY_INI, file: candidates[0] ?? '' }
}

/** app.yml as `app_config` names it, or its .sample; else app.yml beside the ini, if there is one. */
async function readAppOfIni(
  options: LoadOptions,
  ini: IniFile,
  entries: Map<string, ConfigNode>,
  problems: Problems,
): Promise<void> {
  const named = entries.get('app_config')
  if (named?.kind === 'scalar') {
    const path = resolve(options.configDirectory, named.text)
    const reference = { path, namedAt: named.place, key: 'app_config' }
    const sample = `${path}.sample`
    const content = await readConfigFile(reference, options.signal)
    if (content !== undefined) {
      addAll(entries, await readApp(content, path, problems))
      return
    }
    const sampleContent = await readConfigFile({ path: sample }, options.signal)
    if (sampleContent === undefined) await readRequiredFile(reference, options.signal)
    else {
      problems.warn(named.place, `${path} does not exist: ${basename(sample)} beside it is used`)
      addAll(entries, await readApp(sampleContent, sample, problems))
    }
    return
  }
  const path = join(dirname(ini.file), 'app.yml')
  const content = await readConfigFile({ path }, options.signal)
  if (content !== undefined) {
    addAll(entries, await readApp(content, path, problems))
    return
  }
  problems.warn(
    undefined,
    `${path} does not exist: everything is as by default, and there is no private token`,
  )
}

async function readApp(content: string, file: string, problems: Problems): Promise<MappingNode | undefined> {
  const node = await readYaml(content, file, problems)
  if (node === undefined || isNull(node)) return undefined
  if (node.kind === 'mapping') return node
  const found = node.kind === 'sequence' ? 'a list' : 'a single value'
  problems.error(
    node.place,
    '',
    `expected options ("key: value"), found ${found}`,
    'each line needs a colon and a space after its key',
  )
  return undefined
}

function addAll(entries: Map<string, ConfigNode>, from: MappingNode | undefined): void {
  for (const [key, node] of from?.entries ?? []) entries.set(key, node)
}

const PREFIX = 'PULSAR_CONFIG_'
const OVERRIDE = 'PULSAR_CONFIG_OVERRIDE_'
// The launchers' own variables; by the rule they would be options named dir and file.
const LAUNCHER = new Set(['PULSAR_CONFIG_DIR', 'PULSAR_CONFIG_FILE'])

function applyEnvironment(env: LoadOptions['env'], entries: Map<string, ConfigNode>): void {
  for (const [name, value] of Object.entries(env)) {
    if (value === undefined || !name.startsWith(PREFIX) || LAUNCHER.has(name)) continue
    const place = { file: `environment variable ${name}` }
    const key = name.slice(name.startsWith(OVERRIDE) ? OVERRIDE.length : PREFIX.length).toLowerCase()
    if (name.startsWith(OVERRIDE) || !entries.has(key)) entries.set(key, textNode(value, place))
  }
}
