import { resolve } from 'node:path'
import { type ConfigNode, describeNode, isNull } from './node.js'
import type { Place, Problems } from './problems.js'
import { readConfigFile } from './read-file.js'
import { readYaml } from './read-yaml.js'
import { type WrittenResolver, writtenText } from './resolvers.js'
import type { RequirementMapping, ResolverTypeName } from './types.js'

/** Read when it is there and nothing else is said (resolvers/modules.py, lmod.py). */
const DEFAULT_FILES: Partial<Record<ResolverTypeName, string>> = {
  modules: 'config/environment_modules_mapping.yml',
  lmod: 'config/lmod_modules_mapping.yml',
}
const MAPPABLE: readonly ResolverTypeName[] = ['conda', 'galaxy_packages', 'modules', 'lmod']

export interface MappingPlaces {
  readonly cwd: string
  /** tool_dependency_dir */
  readonly baseDirectory: string
  /** `TYPE_mapping_files` of app.yml. */
  readonly options: Readonly<Record<string, unknown>>
}

/**
 * The entries of all mapping files of a resolver, in order (galaxy/tool_util/deps/resolvers/__init__.py:
 * MappableDependencyResolver). A file that is not there is a warning.
 */
export async function readMappings(
  resolver: WrittenResolver,
  places: MappingPlaces,
  problems: Problems,
  signal: AbortSignal | undefined,
): Promise<RequirementMapping[]> {
  const { type, options, place } = resolver
  if (!MAPPABLE.includes(type)) return []
  const standard = DEFAULT_FILES[type]
  if (standard !== undefined && !Object.hasOwn(options, 'mapping_files')) {
    const found = await readFile(resolve(places.cwd, standard), problems, signal)
    if (found) return found
  }
  const name = `${type}_mapping_files`
  const named = Object.hasOwn(options, 'mapping_files') ? options.mapping_files : places.options[name]
  const mappings: RequirementMapping[] = []
  for (const file of listFiles(named)) {
    const found = await readFirst(file, places, problems, signal)
    if (found) mappings.push(...found)
    else problems.warn(place, missingFile(type, file, places))
  }
  return mappings
}

function missingFile(type: string, file: string, { cwd, baseDirectory }: MappingPlaces): string {
  return file.startsWith('/')
    ? `the mapping file ${file} of resolver ${type} does not exist`
    : `the mapping file ${file} of resolver ${type} is neither in ${cwd} nor in ${baseDirectory}`
}

function listFiles(value: unknown): string[] {
  const parts = Array.isArray(value) ? value : typeof value === 'string' ? value.split(',') : []
  return parts.map((part) => String(part).trim()).filter((part) => part !== '')
}

async function readFirst(
  file: string,
  { cwd, baseDirectory }: MappingPlaces,
  problems: Problems,
  signal: AbortSignal | undefined,
): Promise<RequirementMapping[] | undefined> {
  for (const directory of [cwd, baseDirectory]) {
    const found = await readFile(resolve(directory, file), problems, signal)
    if (found) return found
  }
  return undefined
}

async function readFile(
  path: string,
  problems: Problems,
  signal: AbortSignal | undefined,
): Promise<RequirementMapping[] | undefined> {
  const content = await readConfigFile({ path }, signal)
  if (content === undefined) return undefined
  const node = await readYaml(content, path, problems)
  if (node === undefined || isNull(node)) return []
  if (node.kind === 'sequence') return node.items.flatMap((item) => readEntry(item, problems))
  problems.error(
    node.place,
    '',
    `expected a list of mappings ("- from: name"), found ${describeNode(node, true)}`,
  )
  return []
}

function readEntry(item: ConfigNode, problems: Problems): RequirementMapping[] {
  const entries = item.kind === 'mapping' ? item.entries : new Map<string, ConfigNode>()
  const from = readSide(entries.get('from'))
  const to = readSide(entries.get('to'))
  const fromName = from?.get('name')
  if (from === undefined || to === undefined || fromName === undefined) {
    problems.error(item.place, '', 'expected a mapping with "from" and "to", each a name or name and version')
    return []
  }
  const version = from.get('version')
  const unversioned = from.get('unversioned') === 'true'
  if (unversioned && version) return twoMeanings(item.place, problems)
  // A `to` without version gets the version "None" from the Python server, with which nothing is ever found.
  const target = { name: to.get('name') ?? fromName, version: to.get('version') }
  return [{ from: { name: fromName, version, unversioned }, to: target }]
}

function twoMeanings(place: Place, problems: Problems): [] {
  problems.error(place, 'from', 'has a version and is unversioned', 'leave one of the two out')
  return []
}

/** A name, or a mapping of texts; undefined when it is neither. */
function readSide(node: ConfigNode | undefined): ReadonlyMap<string, string> | undefined {
  if (node === undefined || isNull(node) || node.kind === 'sequence') return undefined
  if (node.kind === 'scalar') return new Map([['name', writtenText(node)]])
  const texts = new Map<string, string>()
  for (const [key, value] of node.entries) {
    if (value.kind !== 'scalar' || isNull(value)) continue
    texts.set(key, value.type === 'bool' ? String(value.value) : writtenText(value))
  }
  return texts
}
