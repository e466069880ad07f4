import { isAbsolute, resolve } from 'node:path'
import type { FeatureRequests } from './features.js'
import { type ConfigNode, describeNode, isNull } from './node.js'
import { dependencyOptions } from './options/dependencies.js'
import type { appOptions } from './options/index.js'
import { formatPlace, type Problems } from './problems.js'
import { readMappings } from './resolver-mappings.js'
import { findResolverType, reviewValue } from './resolver-options.js'
import { plainValue, readResolverList, readResolversFile, type WrittenResolver } from './resolvers.js'
import { openSection, reviewKeys, type Section } from './section.js'
import type { DependenciesConfig, ResolverTypeName } from './types.js'

/** What is written in `dependency_resolution`, and the option it goes before (build_dependency_manager). */
const RESOLUTION_KEYS: Readonly<Record<string, string>> = {
  use: 'use_tool_dependencies',
  default_base_path: 'tool_dependency_dir',
  resolvers: 'dependency_resolvers',
  cache_dir: 'tool_dependency_cache_dir',
  precache: 'precache_dependencies',
  cache: 'use_cached_dependency_manager',
}

export interface DependencyFiles {
  readonly cwd: string
  /** Absolute. */
  readonly configDirectory: string
  readonly signal?: AbortSignal | undefined
}

/** How requirements are met (galaxy/tool_util/deps/__init__.py: build_dependency_manager); undefined: not at all. */
export async function readDependencies(
  app: Section<typeof appOptions>,
  files: DependencyFiles,
  problems: Problems,
  features: FeatureRequests,
): Promise<DependenciesConfig | undefined> {
  const over = readResolution(app.entries.get('dependency_resolution'), problems)
  reviewKeys(dependencyOptions, over, '', problems, features)
  const section = openSection(dependencyOptions, new Map([...app.entries, ...over]), '', problems)
  const baseDirectory = readBaseDirectory(section, over.has('tool_dependency_dir'), files, problems)
  const options = readResolverOptions(section, problems)
  const onFailure = section.get('dependency_failure')
  const use = section.entries.get('use_tool_dependencies')
  const isOff = (use !== undefined && isNull(use)) || !section.get('use_tool_dependencies')
  if (isOff || baseDirectory === undefined) return undefined
  const list = section.node('dependency_resolvers')
  const path = resolve(files.configDirectory, section.get('dependency_resolvers_config_file'))
  const written = list
    ? readResolverList(list, 'dependency_resolvers', problems)
    : await readResolversFile(path, problems, files.signal)
  if (written.length === 0) return undefined
  const places = { cwd: files.cwd, baseDirectory, options }
  const withMappings = async (resolver: WrittenResolver) => ({
    ...resolver,
    mappings: await readMappings(resolver, places, problems, files.signal),
    place: formatPlace(resolver.place),
  })
  return { baseDirectory, resolvers: await Promise.all(written.map(withMappings)), onFailure, options }
}

function readResolution(node: ConfigNode | undefined, problems: Problems): Map<string, ConfigNode> {
  const over = new Map<string, ConfigNode>()
  if (node === undefined || isNull(node) || (node.kind === 'scalar' && node.value === '')) return over
  if (node.kind !== 'mapping') {
    problems.error(node.place, 'dependency_resolution', `expected a mapping, found ${describeNode(node)}`)
    return over
  }
  for (const [key, value] of node.entries) {
    const option = Object.hasOwn(RESOLUTION_KEYS, key) ? RESOLUTION_KEYS[key] : undefined
    if (option === undefined)
      problems.warn(value.place, `unknown option dependency_resolution.${key}: it has no effect`)
    else if (!isNull(value)) over.set(option, value)
  }
  return over
}

/** undefined: resolution is off. */
function readBaseDirectory(
  section: Section<typeof dependencyOptions>,
  isOverridden: boolean,
  { cwd }: DependencyFiles,
  problems: Problems,
): string | undefined {
  const node = section.entries.get('tool_dependency_dir')
  if (node === undefined) return resolve(cwd, dependencyOptions.tool_dependency_dir.default)
  if (isNull(node)) return undefined
  if (node.kind !== 'scalar' || node.type !== 'text') {
    problems.error(node.place, 'tool_dependency_dir', `expected a path or none, found ${describeNode(node)}`)
    return undefined
  }
  if (node.value === '' || (!isOverridden && node.value.toLowerCase() === 'none')) return undefined
  if (!isAbsolute(node.value))
    problems.warn(
      node.place,
      `tool_dependency_dir ${node.value} is relative and starts where the server is started, which is not where other commands are; now it is ${resolve(cwd, node.value)}: write the absolute path`,
    )
  return resolve(cwd, node.value)
}

/** What stands at the top of app.yml for all resolvers of a type; those of Conda that Pulsar itself sets (core.py). */
function readResolverOptions(
  { entries }: Section<typeof dependencyOptions>,
  problems: Problems,
): Record<string, unknown> {
  const options: Record<string, unknown> = { conda_auto_init: false, conda_auto_install: false }
  for (const name of Object.keys(dependencyOptions)) {
    const node = entries.get(name)
    const [type, option] = ofResolver(name)
    if (node === undefined || type === undefined) continue
    options[name] = plainValue(node)
    reviewValue(type, option, name, options[name], node.place, problems)
  }
  return options
}

/** `conda_auto_install`: of conda, its auto_install. */
function ofResolver(name: string): [type: ResolverTypeName | undefined, option: string] {
  const parts = name.split('_')
  for (let end = parts.length - 1; end > 0; end--) {
    const type = findResolverType(parts.slice(0, end).join('_'))
    if (type !== undefined) return [type, parts.slice(end).join('_')]
  }
  return [undefined, name]
}
