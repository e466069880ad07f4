import { describeNode, pythonText, type ScalarNode } from './node.js'
import type { managerOptions } from './options/index.js'
import type { Problems } from './problems.js'
import type { Section } from './section.js'
import type { ManagerConfig, ManagerType } from './types.js'

type ManagerSection = Section<typeof managerOptions>

const ENVIRONMENT_PREFIX = 'env_'
const VARIABLE_NAME = /^[A-Za-z_][A-Za-z0-9_]*$/

/**
 * `env_NAME: value` in file order; the value is what Python's str() makes of it (managers/base/__init__.py __init_env_vars). What no
 * shell could set is left out: it has never had an effect but a line in the job's stderr.
 */
export function readManagerEnvironment(section: ManagerSection, problems: Problems): ManagerConfig['env'] {
  const isVariable = (key: string): boolean => key.toLowerCase().startsWith(ENVIRONMENT_PREFIX)
  return [...section.entries]
    .filter(([key]) => isVariable(key))
    .flatMap(([key, node]) => {
      const name = key.slice(ENVIRONMENT_PREFIX.length)
      const isName = VARIABLE_NAME.test(name)
      if (isName && node.kind === 'scalar') return [{ name, value: pythonText(node) }]
      const found = isName
        ? `expected text or a number, found ${describeNode(node)}`
        : 'what follows env_ is not the name of a variable'
      problems.warn(node.place, `${section.nameOf(key)}: ${found}: it has no effect`)
      return []
    })
}

// Begin with job_ but are options of the manager itself.
const NOT_PARAMETERS = new Set(['job_plugin', 'job_directory_mode', 'job_name_template'])

/** `job_NAME: value` of queued_cli and slurm, the prefix removed once (managers/util/cli/__init__.py split_params). */
export function readJobParameters(
  type: ManagerType,
  section: ManagerSection,
  problems: Problems,
): ManagerConfig['jobParameters'] {
  const isParameter = (key: string): boolean => key.startsWith('job_') && !NOT_PARAMETERS.has(key)
  if (type !== 'queued_cli' && type !== 'slurm') {
    for (const [key, node] of section.entries)
      if (isParameter(key))
        problems.warn(node.place, `${section.nameOf(key)} has no effect with type: ${type}`)
    return {}
  }
  const family = familyOf(section, isParameter, problems)
  return Object.fromEntries(
    family.map(([key, node]) => [key.slice('job_'.length), asWritten(section.nameOf(key), node, problems)]),
  )
}

/** 1:00:00 without quotes is the number 3600 to Python, which Slurm then takes for minutes: what stands in the file is meant. */
function asWritten(name: string, node: ScalarNode, problems: Problems): string {
  if (node.type === 'text') return node.value
  if (node.type === 'null') return ''
  if (pythonText(node) !== node.text) {
    const message = `${name}: ${node.text} is used as written; the Python Pulsar reads it as ${pythonText(node)} because it is not in quotes`
    problems.warn(node.place, message)
  }
  return node.text
}

/** Often meant for a destination in Galaxy's job_conf, where `submit_native_specification` belongs. */
export function warnSubmitKeys(type: ManagerType, section: ManagerSection, problems: Problems): void {
  if (type === 'queued_condor') return
  const keys = [...section.entries.keys()].filter((key) => key.toLowerCase().startsWith('submit_'))
  const first = keys[0]
  if (first === undefined) return
  const names = keys.map(section.nameOf).join(', ')
  const message = `${names}: no effect with type: ${type}. Such keys belong to the destination in Galaxy's job_conf; native_specification is for here`
  problems.warn(section.entries.get(first)?.place, message)
}

function familyOf(
  section: ManagerSection,
  belongs: (key: string) => boolean,
  problems: Problems,
): (readonly [string, ScalarNode])[] {
  const found: (readonly [string, ScalarNode])[] = []
  for (const [key, node] of section.entries) {
    if (!belongs(key)) continue
    if (node.kind === 'scalar') found.push([key, node])
    else
      problems.error(
        node.place,
        section.nameOf(key),
        `expected text or a number, found ${describeNode(node)}`,
      )
  }
  return found
}
