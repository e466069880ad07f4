import { findNearest } from './nearest.js'
import type { Place, Problems } from './problems.js'
import type { ResolverTypeName } from './types.js'

/** `flag`: true or false, as text too; a list: the words that are allowed. */
type Kind = 'flag' | 'value' | readonly string[]

/** What each resolver can be told (galaxy/tool_util/deps/resolvers). */
const OPTIONS: Readonly<Record<ResolverTypeName, Readonly<Record<string, Kind>>>> = {
  conda: {
    prefix: 'value',
    exec: 'value',
    use_path_exec: 'flag',
    condarc_override: 'value',
    ensure_channels: 'value',
    auto_init: 'flag',
    auto_install: 'flag',
    copy_dependencies: 'flag',
    use_local: 'flag',
    debug: 'flag',
    versionless: 'flag',
    mapping_files: 'value',
    installer: 'value',
    installer_sha256: 'value',
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
    const kind = Object.hasOwn(known, name) ? known[name] : undefined
    if (kind === 'flag') reviewFlag(name === 'select_by_owner', `${type} ${name}`, value, place, problems)
    else if (Array.isArray(kind)) reviewWord(kind, `${type} ${name}`, value, place, problems)
    else if (kind === undefined && !DESCRIPTIVE.has(name)) {
      const nearest = findNearest(name, Object.keys(known))
      const hint = nearest === undefined ? 'it has no effect' : `it has no effect. Is ${nearest} meant?`
      problems.warn(place, `unknown option ${name} of resolver ${type}: ${hint}`)
    }
  }
}

/** The Python server compares lower-cased text with `true`, so all other words are false: seldom what is meant. */
export function reviewFlag(
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
