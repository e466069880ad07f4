import { resolve } from 'node:path'
import { type ConfigNode, describeNode, isNull } from './node.js'
import type { Place, Problems } from './problems.js'
import { readConfigFile } from './read-file.js'
import { readYaml } from './read-yaml.js'
import type { MetricPluginConfig } from './types.js'

const PLUGINS = [
  'core',
  'hostname',
  'uname',
  'cpuinfo',
  'meminfo',
  'env',
  'cgroup',
] as const satisfies readonly MetricPluginConfig['type'][]
const CGROUP_VERSIONS = ['auto', '1', '2']
const YAML_NAME = /\.ya?ml(\.sample)?$/

/** A plugin as it stands in the file. */
interface WrittenPlugin {
  readonly type: string
  readonly options: Readonly<Record<string, string>>
  readonly place: Place
}

/**
 * The metrics plugins of `job_metrics_config_file`, in file order: YAML by its name, else XML; `core` alone when there is no
 * file (galaxy/job_metrics/__init__.py).
 */
export async function readJobMetrics(
  file: string,
  directory: string,
  problems: Problems,
  signal: AbortSignal | undefined,
): Promise<MetricPluginConfig[]> {
  const path = resolve(directory, file)
  const content = await readConfigFile({ path }, signal)
  if (content === undefined) return [{ type: 'core', options: {} }]
  const written = YAML_NAME.test(path)
    ? await readYamlPlugins(content, path, problems)
    : await readXmlPlugins(content, path, problems)
  return written.flatMap((plugin) => checkPlugin(plugin, problems))
}

async function readXmlPlugins(content: string, path: string, problems: Problems): Promise<WrittenPlugin[]> {
  const { readXmlElements } = await import('./xml-elements.js')
  return readXmlElements(content, path, problems).map(({ name, attributes, place }) => ({
    type: name,
    options: attributes,
    place,
  }))
}

async function readYamlPlugins(content: string, path: string, problems: Problems): Promise<WrittenPlugin[]> {
  const node = await readYaml(content, path, problems)
  if (node === undefined) return []
  if (node.kind === 'sequence') return node.items.flatMap((item) => readItem(item, problems))
  problems.error(
    node.place,
    '',
    `expected a list of plugins ("- type: core"), found ${describeNode(node, true)}`,
  )
  return []
}

function readItem(item: ConfigNode, problems: Problems): WrittenPlugin[] {
  const type = item.kind === 'mapping' ? item.entries.get('type') : undefined
  if (item.kind !== 'mapping' || type?.kind !== 'scalar' || isNull(type)) {
    problems.error(item.place, '', 'expected a plugin with its type, such as "- type: core"')
    return []
  }
  const options: Record<string, string> = {}
  for (const [key, node] of item.entries) if (key !== 'type' && !isNull(node)) options[key] = optionText(node)
  return [{ type: type.text, options, place: item.place }]
}

/** Lists (cgroup's params) become what the XML form has: text with commas. */
function optionText(node: ConfigNode): string {
  if (node.kind === 'scalar') return node.text
  return node.kind === 'sequence' ? node.items.map(optionText).join(',') : ''
}

function checkPlugin({ type, options, place }: WrittenPlugin, problems: Problems): MetricPluginConfig[] {
  if (type === 'collectl') {
    problems.warn(
      place,
      'the collectl plugin is gone from Galaxy and Pulsar: it is skipped. cgroup measures memory and CPU',
    )
    return []
  }
  const known = PLUGINS.find((name) => name === type)
  if (!known) {
    problems.error(place, type, 'unknown job metrics plugin', `the plugins are ${PLUGINS.join(', ')}`)
    return []
  }
  if (known === 'cgroup' && options.version !== undefined && !CGROUP_VERSIONS.includes(options.version)) {
    problems.error(
      place,
      'cgroup version',
      `expected one of ${CGROUP_VERSIONS.join(', ')}, found ${JSON.stringify(options.version)}`,
    )
  }
  return [{ type: known, options }]
}
