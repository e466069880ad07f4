import { findNearest } from './nearest.js'
import type { Place, Problems } from './problems.js'
import type { ResolverTypeName } from './types.js'

/**
 * `flag`: true or false, as text too; a list: the words that are allowed; `value`: anything, which is made text. Of Conda, where a wrong
 * one would be a path or an address: `text`, and `texts` (with commas, or a list).
 */
type Kind = 'flag' | 'value' | 'text' | 'texts' | 'installer' | 'sha256' | readonly string[]

/** What each resolver can be told (galaxy/tool_util/deps/resolvers). */
const OPTIONS: Readonly<Record<ResolverTypeName, Readonly<Record<string, Kind>>>> = {
  conda: {
    prefix: 'text',
    exec: 'text',
    use_path_exec: 'flag',
    condarc_override: 'text',
    ensure_channels: 'texts',
    auto_init: 'flag',
    auto_install: 'flag',
    read_only: 'flag',
    copy_dependencies: 'flag',
    use_local: 'flag',
    debug: 'flag',
    versionless: 'flag',
    mapping_files: 'texts',
    installer: 'installer',
    installer_sha256: 'sha256',
  },
  galaxy_packages: { base_path: 'value', versionless: 'flag', mapping_files: 'value' },
  tool_shed_packages: { base_path: 'value', versionless: 'flag' },
  unlinked_tool_shed_packages: {
    base_path: 'value',
    versionless: 'flag',
    preferred_owners: 'value',
    select_by_owner: 'flag',
  },
  modules: {
    modulecmd: 'value',
    modulepath: 'value',
    find_by: ['avail', 'directory'],
    prefetch: 'flag',
    default_indicator: 'value',
    versionless: 'flag',
    skip_availability_check: 'flag',
    mapping_files: 'value',
  },
  lmod: {
    lmodexec: 'value',
    settargexec: 'value',
    modulepath: 'value',
    versionless: 'flag',
    skip_availability_check: 'flag',
    mapping_files: 'value',
  },
  homebrew: { cellar: 'value', versionless: 'flag', prefer_version: 'value' },
  tool_shed_tap: { cellar: 'value', versionless: 'flag', prefer_version: 'value' },
}

export const RESOLVER_TYPES = Object.keys(OPTIONS) as readonly ResolverTypeName[]

/** What Galaxy's own description of a resolver holds besides (to_dict in galaxy/tool_util/deps/resolvers). */
const DESCRIPTIVE = new Set([
  'type',
  'resolver_type',
  'read_only',
  'disabled',
  'resolves_simple_dependencies',
  'can_uninstall_dependencies',
])

/** The type's own name, when it is one. */
export function findResolverType(name: string): ResolverTypeName | undefined {
  return RESOLVER_TYPES.find((type) => type === name)
}

/** Says what is wrong with, or has no effect among, the options of one resolver. */
export function reviewResolverOptions(
  type: ResolverTypeName,
  options: Readonly<Record<string, unknown>>,
  place: Place,
  problems: Problems,
): void {
  const known = OPTIONS[type]
  for (const [name, value] of Object.entries(options)) {
    reviewValue(type, name, `${type} ${name}`, value, place, problems)
    if (!Object.hasOwn(known, name) && !DESCRIPTIVE.has(name)) {
      const nearest = findNearest(name, Object.keys(known))
      const hint = nearest === undefined ? 'it has no effect' : `it has no effect. Is ${nearest} meant?`
      problems.warn(place, `unknown option ${name} of resolver ${type}: ${hint}`)
    }
  }
}

/** The same for one option that stands at the top of app.yml for all resolvers of the type, as `called`. */
export function reviewValue(
  type: ResolverTypeName,
  name: string,
  called: string,
  value: unknown,
  place: Place,
  problems: Problems,
): void {
  const kind = Object.hasOwn(OPTIONS[type], name) ? OPTIONS[type][name] : undefined
  if (kind === 'flag') reviewFlag(name === 'select_by_owner', called, value, place, problems)
  else if (typeof kind === 'object') reviewWord(kind, called, value, place, problems)
  else if (kind !== undefined && kind !== 'value') {
    const expected = whatIsWrong(kind, value)
    if (expected !== undefined)
      problems.error(place, called, `expected ${expected}, found ${JSON.stringify(value)}`)
  }
}

/** What was expected; undefined when the value will do. Nothing at all always does. */
function whatIsWrong(kind: 'text' | 'texts' | 'installer' | 'sha256', value: unknown): string | undefined {
  if (value === null || value === '') return undefined
  if (kind === 'texts' && Array.isArray(value) && value.every(isText)) return undefined
  if (!isText(value)) return kind === 'texts' ? 'text with commas, or a list of texts' : 'text'
  const text = String(value)
  if (kind === 'installer' && text.includes('://') && !text.startsWith('https://'))
    return 'a file or an https:// address, as what is there is run'
  if (kind === 'sha256' && !/^[0-9a-f]{64}$/i.test(text)) return 'the 64 hexadecimal digits of a SHA-256'
  return undefined
}

function isText(value: unknown): boolean {
  return typeof value === 'string' || typeof value === 'number'
}

/** The Python server compares lower-cased text with `true`, so all other words are false: seldom what is meant. */
function reviewFlag(
  otherwise: boolean,
  name: string,
  value: unknown,
  place: Place,
  problems: Problems,
): void {
  if (value === null || /^(true|false)$/i.test(String(value))) return
  problems.warn(
    place,
    `${name} is ${JSON.stringify(value)}, which counts as ${otherwise}, as in the Python Pulsar: write true or false`,
  )
}

function reviewWord(
  words: readonly string[],
  name: string,
  value: unknown,
  place: Place,
  problems: Problems,
): void {
  if (typeof value === 'string' && words.includes(value)) return
  problems.error(place, name, `expected one of ${words.join(', ')}, found ${JSON.stringify(value)}`)
}
