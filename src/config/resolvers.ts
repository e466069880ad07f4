import { findNearest } from './nearest.js'
import { type ConfigNode, describeNode, isNull, type ScalarNode } from './node.js'
import type { Place, Problems } from './problems.js'
import { readConfigFile } from './read-file.js'
import { readYaml } from './read-yaml.js'
import { findResolverType, RESOLVER_TYPES, reviewResolverOptions } from './resolver-options.js'
import type { ResolverTypeName } from './types.js'

/** A resolver as it stands in the configuration. */
export interface WrittenResolver {
  readonly type: ResolverTypeName
  readonly options: Readonly<Record<string, unknown>>
  readonly place: Place
}

const YAML_NAME = /\.ya?ml(\.sample)?$/
const TYPE_KEYS = ['type', 'resolver_type']

/** DependencyManager.__default_dependency_resolvers_source. */
const DEFAULTS: readonly Omit<WrittenResolver, 'place'>[] = [
  { type: 'tool_shed_packages', options: {} },
  { type: 'galaxy_packages', options: {} },
  { type: 'conda', options: {} },
  { type: 'galaxy_packages', options: { versionless: true } },
  { type: 'conda', options: { versionless: true } },
]

/**
 * The resolvers of `dependency_resolvers_config_file`, in their order: YAML by its name, else XML; the default ones when there is no
 * file. What makes the Python server refuse to start is a problem here as well.
 */
export async function readResolversFile(
  path: string,
  problems: Problems,
  signal: AbortSignal | undefined,
): Promise<WrittenResolver[]> {
  const content = await readConfigFile({ path }, signal)
  if (content === undefined) return DEFAULTS.map((each) => ({ ...each, place: { file: 'defaults' } }))
  if (YAML_NAME.test(path)) {
    const node = await readYaml(content, path, problems)
    return node === undefined ? [] : readResolverList(node, '', problems)
  }
  const { readXmlElements } = await import('./xml-elements.js')
  return readXmlElements(content, path, problems).flatMap(({ name, attributes, place }) =>
    checkResolver(name, attributes, place, problems),
  )
}

/** A YAML list of maps. @param key how the list is called, in app.yml */
export function readResolverList(node: ConfigNode, key: string, problems: Problems): WrittenResolver[] {
  if (node.kind === 'sequence') return node.items.flatMap((item) => readItem(item, key, problems))
  problems.error(
    node.place,
    key,
    `expected a list of resolvers ("- type: conda"), found ${describeNode(node)}`,
  )
  return []
}

function readItem(item: ConfigNode, key: string, problems: Problems): WrittenResolver[] {
  const entries = item.kind === 'mapping' ? item.entries : new Map<string, ConfigNode>()
  const type = entries.get(TYPE_KEYS.find((name) => entries.has(name)) ?? '')
  if (type?.kind !== 'scalar' || isNull(type)) {
    problems.error(item.place, key, 'expected a resolver with its type, such as "- type: conda"')
    return []
  }
  const options: Record<string, unknown> = {}
  for (const [name, node] of entries) if (!TYPE_KEYS.includes(name)) options[name] = plainValue(node)
  return checkResolver(type.text, options, item.place, problems)
}

function checkResolver(
  name: string,
  options: Readonly<Record<string, unknown>>,
  place: Place,
  problems: Problems,
): WrittenResolver[] {
  const type = findResolverType(name)
  if (type === undefined) {
    const nearest = findNearest(name, [...RESOLVER_TYPES])
    problems.error(
      place,
      name,
      'unknown type of dependency resolver',
      `${nearest === undefined ? '' : `is ${nearest} meant? `}the types are ${RESOLVER_TYPES.join(', ')}`,
    )
    return []
  }
  reviewResolverOptions(type, options, place, problems)
  return [{ type, options, place }]
}

/** What a program makes of a node: text, number, boolean, null, a list or a mapping of them. */
export function plainValue(node: ConfigNode): unknown {
  if (node.kind === 'sequence') return node.items.map(plainValue)
  if (node.kind === 'mapping')
    return Object.fromEntries([...node.entries].map(([name, each]) => [name, plainValue(each)]))
  return node.type === 'int' && typeof node.value === 'bigint' ? node.text : node.value
}

/** The characters of a scalar as somebody meant them: a version 1.10 is no number. */
export function writtenText(node: ScalarNode): string {
  return node.type === 'text' ? node.value : node.text
}
