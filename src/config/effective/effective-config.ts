import type { IniFile } from '../ini.js'
import { INI_SECTIONS } from '../known-options.js'
import { type LoadOptions, loadConfig } from '../load.js'
import { findManagers } from '../manager-nodes.js'
import { textNode } from '../node.js'
import { findOption, type OptionTable } from '../option.js'
import { appOptions, managerOptions } from '../options/index.js'
import { managerOnlyOptions } from '../options/manager.js'
import { nodeOptions } from '../options/node.js'
import { sharedOptions } from '../options/shared.js'
import { createProblems } from '../problems.js'
import { type Entries, openSection } from '../section.js'
import { sectionEntries } from '../server.js'
import { readSources } from '../sources.js'
import type { ManagerType, NodeConfig, ServerConfig } from '../types.js'
import { type EffectiveValue, effectiveOption } from './effective-option.js'

export interface EffectiveConfig {
  readonly config: NodeConfig
  /** With `pulsar --mode uwsgi` the address can be another one. */
  readonly uwsgiServer: ServerConfig
  readonly groups: readonly EffectiveGroup[]
}

export interface EffectiveGroup {
  /** "Node", "Manager cluster", "server.ini". */
  readonly title: string
  readonly values: readonly EffectiveValue[]
}

/** Shown as managers, or on top. */
const ELSEWHERE = new Set(['managers', 'manager', 'config_dir'])

/**
 * What a server that is started now would use: every option that is set or has a default, with where it is set.
 * @throws ConfigError as loadConfig
 */
export async function readEffective(options: LoadOptions): Promise<EffectiveConfig> {
  const config = await loadConfig(options)
  const { server: uwsgiServer } = await loadConfig({ ...options, mode: 'uwsgi' })
  // What is wrong has been thrown above, and what is odd is in the warnings.
  const problems = createProblems()
  const { ini, app } = await readSources(options, problems)
  const managers = await findManagers(openSection(appOptions, app, '', problems), options, problems)
  return {
    config,
    uwsgiServer,
    groups: [
      {
        title: 'Node',
        values: listValues(namesIn(app, nodeOptions, sharedOptions), '', appOptions, app, options),
      },
      ...managers.map(({ name, prefix, entries }) => ({
        title: `Manager ${name}`,
        values: managerValues(prefix || 'manager.', entries, options),
      })),
      { title: 'Server', values: serverValues(ini, options) },
    ],
  }
}

/** The names in the tables, and then those that are set besides. */
function namesIn(entries: Entries, ...tables: readonly OptionTable[]): string[] {
  const names = tables.flatMap((table) => Object.keys(table)).filter((name) => !name.endsWith('*'))
  return [...new Set([...names, ...entries.keys()])].filter((name) => !ELSEWHERE.has(name))
}

function listValues(
  names: readonly string[],
  prefix: string,
  table: OptionTable,
  entries: Entries,
  options: LoadOptions,
): EffectiveValue[] {
  return names.flatMap((key) => {
    const option = findOption(table, key)
    // Of what this release does not read only that it is set is worth a line.
    if (!option || ((option.notYet || option.ignored) && !entries.has(key))) return []
    const value = effectiveOption(`${prefix}${key}`, key, option, entries, options.env)
    return value ? [value] : []
  })
}

/** Defaults that mean nothing to other types of managers. */
const ONLY_FOR: Readonly<Record<string, readonly ManagerType[]>> = {
  num_concurrent_jobs: ['queued_python'],
  job_name_template: ['slurm', 'queued_cli'],
  min_polling_interval: ['slurm', 'queued_cli'],
  return_code_wait: ['slurm', 'queued_cli'],
}

/** What a manager does not set itself it has from the node, so that is left out. */
function managerValues(prefix: string, entries: Entries, options: LoadOptions): EffectiveValue[] {
  const type = openSection(managerOptions, entries, prefix, createProblems()).get('type')
  const names = namesIn(entries, managerOnlyOptions).filter(
    (key) => entries.has(key) || (ONLY_FOR[key]?.includes(type) ?? true),
  )
  return listValues(names, prefix, managerOptions, entries, options)
}

function serverValues(ini: IniFile, options: LoadOptions): EffectiveValue[] {
  return Object.entries(INI_SECTIONS).flatMap(([section, table]) => {
    // A logger without a level says nothing.
    if (section.startsWith('logger_') && !ini.sections.get(section)?.has('level')) return []
    const entries =
      section === 'uwsgi' ? rawEntries(ini, section) : sectionEntries(ini, section, createProblems())
    return listValues(Object.keys(table), `${section}.`, table, entries, options)
  })
}

/** uWSGI reads its section itself, without Python's %(name)s. */
function rawEntries(ini: IniFile, section: string): Entries {
  const values = ini.sections.get(section) ?? new Map()
  return new Map([...values].map(([key, { text, line }]) => [key, textNode(text, { file: ini.file, line })]))
}
