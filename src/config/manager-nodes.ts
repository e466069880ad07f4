import { resolve } from 'node:path'
import { parseIni, readIniSection } from './ini.js'
import type { LoadOptions } from './load.js'
import { type ConfigNode, describeNode, isNull, textNode } from './node.js'
import type { appOptions } from './options/index.js'
import type { Place, Problems } from './problems.js'
import { readRequiredFile } from './read-file.js'
import type { Entries, Section } from './section.js'

/** The options of one manager as they stand in a file. */
export interface NamedManager {
  readonly name: string
  /** How messages call it: `managers.cluster.`, `manager.`. */
  readonly prefix: string
  readonly entries: Entries
  readonly place: Place
}

const DEFAULT_NAME = '_default_'
const NO_OPTIONS_FIX = 'write {} for a manager with all its defaults'

/**
 * Finds the managers: `job_managers_config`, else `managers`, else `manager`, else one with all defaults
 * (pulsar/manager_factory.py build_managers).
 */
export async function findManagers(
  app: Section<typeof appOptions>,
  options: LoadOptions,
  problems: Problems,
): Promise<NamedManager[]> {
  const legacy = app.get('job_managers_config')
  if (legacy) return readLegacyManagers(resolve(options.cwd, legacy), app, options, problems)
  const managers = app.entries.get('managers')
  const manager = app.entries.get('manager')
  if (managers && manager)
    problems.warn(manager.place, 'manager has no effect because there is managers as well')
  if (managers) return listManagers(managers, problems)
  if (manager) return singleManager(manager, problems)
  return [{ name: DEFAULT_NAME, prefix: '', entries: new Map(), place: { file: 'defaults' } }]
}

function listManagers(node: ConfigNode, problems: Problems): NamedManager[] {
  if (node.kind !== 'mapping') {
    problems.error(
      node.place,
      'managers',
      `expected a mapping from names to options, found ${describeNode(node)}`,
      'write managers: {} for a node without managers',
    )
    return []
  }
  return [...node.entries].flatMap(([name, each]) => {
    const prefix = `managers.${name}.`
    if (each.kind === 'mapping') return [{ name, prefix, entries: each.entries, place: each.place }]
    problems.error(
      each.place,
      `managers.${name}`,
      `expected a mapping of options, found ${describeNode(each)}`,
      NO_OPTIONS_FIX,
    )
    return []
  })
}

function singleManager(node: ConfigNode, problems: Problems): NamedManager[] {
  if (node.kind !== 'mapping') {
    problems.error(
      node.place,
      'manager',
      `expected a mapping of options, found ${describeNode(node)}`,
      NO_OPTIONS_FIX,
    )
    return []
  }
  // Python's Pulsar means to take the name from here but fails on it; the intent is clear.
  const named = node.entries.get('name')
  const name = named?.kind === 'scalar' && !isNull(named) ? named.text : DEFAULT_NAME
  return [{ name: name || DEFAULT_NAME, prefix: 'manager.', entries: node.entries, place: node.place }]
}

const SECTION_PREFIX = 'manager:'

/** The ini file of job_managers_config: sections `[manager:NAME]`, every value a text, every key in lower case. */
async function readLegacyManagers(
  path: string,
  app: Section<typeof appOptions>,
  options: LoadOptions,
  problems: Problems,
): Promise<NamedManager[]> {
  const key = 'job_managers_config'
  const content = await readRequiredFile({ path, namedAt: app.node(key)?.place, key }, options.signal)
  const ini = parseIni(content, path, problems)
  const sections = [...ini.sections.keys()].filter((name) => name.startsWith(SECTION_PREFIX))
  if (sections.length === 0)
    problems.warn({ file: path }, 'there is no [manager:NAME] section, so the node has no managers')
  return sections.map((section) => {
    const values = readIniSection(ini, section, {}, problems) ?? new Map()
    const entries = new Map([...values].map(([name, { text, place }]) => [name, textNode(text, place)]))
    const place = values.values().next().value?.place ?? { file: path }
    if (!entries.has('type'))
      problems.error(place, `[${section}]`, 'has no type', 'add a line such as "type = queued_python"')
    return { name: section.slice(SECTION_PREFIX.length), prefix: `[${section}] `, entries, place }
  })
}
