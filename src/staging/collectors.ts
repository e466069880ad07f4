import { compilePythonRegex, type PythonRegex } from './python-regex.js'
import { readText, type WireProblems, type WireRecord } from './wire-values.js'

/** Which files Galaxy looks for when a job says nothing else (pulsar/client/staging/__init__.py). */
export const DEFAULT_DYNAMIC_OUTPUTS: readonly string[] = [
  String.raw`primary_.*|galaxy.json|metadata_.*|dataset_\d+\.dat|__instrument_.*|dataset_\d+_files.+|outputs_populated/.*|tool_stdout|tool_stderr`,
]

/** Patterns that go by a name (galaxy/tool_util/parser/output_collection_def.py). */
const NAMED_PATTERNS: Readonly<Record<string, string>> = {
  __default__:
    'primary_DATASET_ID_(?P<designation>[^_]+)_(?P<visible>[^_]+)_(?P<ext>[^_]+)(_(?P<dbkey>[^_]+))?',
  __name__: '(?P<name>.*)',
  __designation__: '(?P<designation>.*)',
  __name_and_ext__: String.raw`(?P<name>.*)\.(?P<ext>[^\.]+)?`,
  __designation_and_ext__: String.raw`(?P<designation>.*)\.(?P<ext>[^\._]+)?`,
}

const TRUE_WORDS = new Set(['true', 'yes', 'on', 'y', 't', '1'])

/** Outputs that a tool names itself: files below `directory` whose names match. */
export interface CollectorDescription {
  readonly pattern: string
  /** Relative to the working directory; undefined: anywhere. */
  readonly directory: string | undefined
}

/**
 * Reads one of the `dataset_collector_descriptions`. undefined: the tool writes down itself what it made (galaxy.json), so there
 * is nothing to match; the Python server fails there.
 */
export function readCollector(
  wire: WireRecord,
  where: string,
  problems: WireProblems,
): CollectorDescription | undefined {
  const via = readText(wire.discover_via, `${where}.discover_via`, problems)
  const provided =
    'discover_via' in wire ? via === 'tool_provided_metadata' : isTrue(wire.from_provided_metadata)
  if (provided) return undefined
  const pattern = readText(wire.pattern, `${where}.pattern`, problems) ?? '__default__'
  return {
    pattern: Object.hasOwn(NAMED_PATTERNS, pattern) ? (NAMED_PATTERNS[pattern] ?? pattern) : pattern,
    directory: readText(wire.directory, `${where}.directory`, problems) || undefined,
  }
}

/** galaxy.util.asbool, without its error for other words. */
function isTrue(value: unknown): boolean {
  return typeof value === 'string' ? TRUE_WORDS.has(value.trim().toLowerCase()) : Boolean(value)
}

/** Whether a file, relative to its directory, is one that a collector looks for. */
export type NameMatcher = (name: string) => boolean

/**
 * pulsar/client/staging/models.py: dynamic_match, the part with descriptions. What is matched is the path below `directory`,
 * whatever match_relative_path says. As there, a pattern that nothing is matched with may be wrong: the matcher is what throws
 * a PythonRegexError.
 */
export function makeCollectorMatcher({ pattern, directory }: CollectorDescription): NameMatcher {
  let compiled: PythonRegex | undefined
  const match = (text: string): boolean => {
    compiled ??= compilePythonRegex(pattern)
    return compiled.match(text)
  }
  return directory === undefined ? match : matchBelow(directory, match)
}

/** A directory outside the job's own has no files here. */
function matchBelow(directory: string, match: NameMatcher): NameMatcher {
  const inside = directory.startsWith('/') ? undefined : normalise(directory)
  if (inside === undefined) return () => false
  return (name) => {
    const relative = below(inside, normalise(name) ?? name)
    return relative !== undefined && match(relative)
  }
}

function below(directory: string, name: string): string | undefined {
  if (directory === '') return name
  // A file in the directory's place is "." for Python's pathlib.
  if (name === directory) return '.'
  return name.startsWith(`${directory}/`) ? name.slice(directory.length + 1) : undefined
}

/** Without "." and ".."; undefined when it leads outside. */
function normalise(path: string): string | undefined {
  const components: string[] = []
  for (const component of path.split('/')) {
    if (component === '..' && components.pop() === undefined) return undefined
    if (component !== '' && component !== '.' && component !== '..') components.push(component)
  }
  return components.join('/')
}
