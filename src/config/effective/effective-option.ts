import { availableParallelism } from 'node:os'
import { isAbsolute } from 'node:path'
import type { LoadOptions } from '../load.js'
import { type ConfigNode, isNull } from '../node.js'
import type { Option, OptionTable } from '../option.js'
import { path } from '../option-types.js'
import { createProblems, type Place } from '../problems.js'
import { type Entries, openSection } from '../section.js'

/** One option as the server uses it. */
export interface EffectiveValue {
  /** `managers.cluster.type` */
  readonly name: string
  /** undefined: not set, and there is no default. A list or mapping is only named as such: it can hold a secret. */
  readonly value: string | number | boolean | undefined
  readonly secret: boolean
  /** Where it is set; undefined: the default. */
  readonly place: Place | undefined
  /** Why it has no effect, or what else is to be known. */
  readonly note: string | undefined
}

/** Options that a variable of the server's environment gives when nothing else does (shared-values.ts, managers.ts). */
const VARIABLES: Readonly<Record<string, string>> = {
  galaxy_home: 'GALAXY_HOME',
  galaxy_virtual_env: 'GALAXY_VIRTUAL_ENV',
}

/** Values that say more in other words. */
const IN_WORDS: Readonly<Record<string, (value: unknown) => unknown>> = {
  job_directory_mode: (mode) => (typeof mode === 'number' ? mode.toString(8).padStart(4, '0') : mode),
  maximum_stream_size: (bytes) => (typeof bytes === 'number' && bytes < 0 ? 'no limit' : bytes),
  num_concurrent_jobs: (jobs) => (jobs === '*' ? `* (${availableParallelism()} CPUs)` : jobs),
}

/** What the server makes of one option; undefined: it is not set, and there is nothing to say about it. */
export function effectiveOption(
  name: string,
  key: string,
  option: Option,
  entries: Entries,
  env: LoadOptions['env'],
): EffectiveValue | undefined {
  const node = entries.get(key)
  const isSet = node !== undefined && !isNull(node) && !(node.kind === 'scalar' && node.text === '')
  const secret = option.secret === true
  if (!isSet) {
    const variable = VARIABLES[key]
    const given = variable === undefined ? undefined : env[variable]
    const value = given || wordFor(key, option.default)
    const place = given ? { file: `environment variable ${variable}` } : undefined
    if (value === undefined && !secret) return undefined
    return { name, value, secret, place, note: relativeNote(key, option, value) }
  }
  const value = isUnread(option) ? plainValue(node) : wordFor(key, readOption(key, option, entries), node)
  return { name, value, secret, place: node.place, note: noteOf(option) ?? relativeNote(key, option, value) }
}

function isUnread(option: Option): boolean {
  return option.ignored !== undefined || option.notYet !== undefined
}

function readOption(key: string, option: Option, entries: Entries): unknown {
  const table: OptionTable = { [key]: option }
  // Wrong values have stopped the loading before this.
  return openSection(table, entries, '', createProblems()).get(key)
}

function wordFor(key: string, value: unknown, node?: ConfigNode): EffectiveValue['value'] {
  const word = IN_WORDS[key]?.(value) ?? value
  if (typeof word === 'string' || typeof word === 'number' || typeof word === 'boolean') return word
  return plainValue(node)
}

function plainValue(node: ConfigNode | undefined): EffectiveValue['value'] {
  if (node === undefined || isNull(node)) return undefined
  if (node.kind !== 'scalar') return node.kind === 'mapping' ? '(a mapping)' : '(a list)'
  return typeof node.value === 'boolean' || typeof node.value === 'number' ? node.value : node.text
}

function noteOf(option: Option): string | undefined {
  if (option.ignored) return `no effect: ${option.ignored}`
  return option.notYet ? 'not used by this release' : undefined
}

/** Such paths begin where the server is started, which cannot be told from here; that of job metrics at the configuration. */
function relativeNote(key: string, { type }: Option, value: EffectiveValue['value']): string | undefined {
  if (type.expected !== path.expected || key === 'job_metrics_config_file') return undefined
  if (typeof value !== 'string' || isAbsolute(value) || NO_PATH.has(value)) return undefined
  return 'relative to the directory in which the server is started'
}

const NO_PATH = new Set(['__none__', 'none'])
