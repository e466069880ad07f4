import { createRequire } from 'node:module'
import type * as Yaml from 'yaml'
import { describeYamlError } from '../lib/edit/yaml-errors.js'
import { resolvePlainScalar } from '../lib/edit/yaml-scalars.js'
import type { ConfigNode, MappingNode, ScalarNode } from './node.js'
import type { Place, Problems } from './problems.js'

// After the first few come their consequences.
const MAX_ERRORS = 5

/**
 * Reads a YAML file as Python's yaml.safe_load does (see yaml-scalars.ts), keeping lines and the written text of scalars.
 * Problems are added to `problems`; then undefined is returned. An empty file is null.
 */
export function parseYaml(text: string, file: string, problems: Problems): ConfigNode | undefined {
  // The package is CommonJS: required, it loads a third sooner than through import(), and only when there is a YAML file.
  const yaml: typeof Yaml = createRequire(import.meta.url)('yaml')
  const lines = new yaml.LineCounter()
  const before = problems.issues.length
  try {
    // Only texts, lists and mappings from the library; what a plain scalar means is decided here.
    const document = yaml.parseDocument(text, {
      version: '1.1',
      schema: 'failsafe',
      uniqueKeys: false,
      lineCounter: lines,
      // Pretty errors quote the file, and so a token in it.
      prettyErrors: false,
      // 'silent' would also keep quiet about a second document.
      logLevel: 'error',
    })
    for (const error of document.errors.slice(0, MAX_ERRORS)) {
      const place = { file, line: lines.linePos(error.pos[0]).line }
      const { message, fix } = describeYamlError(error.code)
      problems.error(place, '', message, fix)
    }
    if (problems.issues.length > before) return undefined
    const node = createConverter(yaml, document, lines, file, problems)(document.contents, { file, line: 1 })
    return problems.issues.length > before ? undefined : node
  } catch (error) {
    // A file nested thousands of levels deep ends here. Other messages of the library can quote the file.
    const reason = error instanceof RangeError ? 'it is nested too deeply' : 'it confuses the YAML reader'
    problems.error({ file }, '', `cannot be read: ${reason}`)
    return undefined
  }
}

type Convert = (node: unknown, place: Place) => ConfigNode

function createConverter(
  yaml: typeof Yaml,
  document: Yaml.Document.Parsed,
  lines: Yaml.LineCounter,
  file: string,
  problems: Problems,
): Convert {
  // Aliases share what they point to, so a file of nested aliases costs no more than its length.
  const done = new Map<unknown, ConfigNode>()
  const open = new Set<unknown>()

  function placeOf(node: unknown, otherwise: Place): Place {
    return yaml.isNode(node) && node.range ? { file, line: lines.linePos(node.range[0]).line } : otherwise
  }

  function convert(node: unknown, place: Place): ConfigNode {
    if (yaml.isAlias(node)) return convertAlias(node, place)
    if (yaml.isScalar(node)) return convertScalar(node, place)
    const known = done.get(node)
    if (known) return { ...known, place }
    if (!yaml.isCollection(node)) return nullNode(place)
    checkTag(node, place)
    open.add(node)
    const converted = yaml.isMap(node)
      ? convertMapping(node, place)
      : {
          kind: 'sequence' as const,
          items: node.items.map((item) => convert(item, placeOf(item, place))),
          place,
        }
    open.delete(node)
    done.set(node, converted)
    return converted
  }

  function convertAlias(alias: Yaml.Alias, place: Place): ConfigNode {
    const target = alias.resolve(document)
    if (target !== undefined && !open.has(target)) return convert(target, place)
    if (target === undefined) {
      const { message, fix } = describeYamlError('BAD_ALIAS')
      problems.error(place, '', message, fix)
    } else problems.error(place, '', 'an alias (*name) refers to a value that contains it')
    return nullNode(place)
  }

  function convertScalar(scalar: Yaml.Scalar, place: Place): ConfigNode {
    const text = scalar.source ?? String(scalar.value ?? '')
    const quoted = scalar.type !== undefined && scalar.type !== 'PLAIN'
    const resolved = resolvePlainScalar(text)
    const untagged = scalar.tag === undefined || scalar.tag === '!'
    if (scalar.tag === TAG_TEXT || (untagged && quoted))
      return { kind: 'scalar', type: 'text', value: text, text, place }
    if (untagged) return { kind: 'scalar', ...resolved, text, place }
    if (scalar.tag === `tag:yaml.org,2002:${resolved.type}`)
      return { kind: 'scalar', ...resolved, text, place }
    checkTag(scalar, place)
    return nullNode(place)
  }

  // The tag is not shown: `private_token: !x` may be a token someone forgot to quote.
  function checkTag(node: Yaml.Node & { tag?: string }, place: Place): void {
    if (node.tag === undefined || KNOWN_COLLECTION_TAGS.has(node.tag)) return
    problems.error(
      place,
      '',
      'has a tag (!name) that cannot be used here',
      'quote the value if it begins with "!"',
    )
  }

  function convertMapping(map: Yaml.YAMLMap, place: Place): MappingNode {
    const own = new Map<string, ConfigNode>()
    const merged = new Map<string, ConfigNode>()
    for (const pair of map.items) {
      const keyPlace = placeOf(pair.key, place)
      const target = yaml.isAlias(pair.key) ? pair.key.resolve(document) : pair.key
      if (target !== null && !yaml.isScalar(target)) {
        problems.error(keyPlace, '', 'a list or mapping cannot be a key')
        continue
      }
      const key = target === null ? '' : (target.source ?? String(target.value ?? ''))
      const value = convert(pair.value, keyPlace)
      if (key === '<<' && target?.type === 'PLAIN') addMerged(merged, value)
      else own.set(key, value)
    }
    for (const [key, value] of own) merged.set(key, value)
    return { kind: 'mapping', entries: merged, place }
  }

  // yaml/constructor.py flatten_mapping: of several merged mappings the first one that has a key gives its value.
  function addMerged(merged: Map<string, ConfigNode>, value: ConfigNode): void {
    const sources = value.kind === 'sequence' ? [...value.items].reverse() : [value]
    for (const source of sources) {
      if (source.kind === 'mapping') for (const [key, each] of source.entries) merged.set(key, each)
      else problems.error(value.place, '<<', 'expected a mapping or a list of mappings to merge')
    }
  }

  return convert
}

const TAG_TEXT = 'tag:yaml.org,2002:str'
const KNOWN_COLLECTION_TAGS = new Set(['tag:yaml.org,2002:map', 'tag:yaml.org,2002:seq'])

function nullNode(place: Place): ScalarNode {
  return { kind: 'scalar', type: 'null', value: null, text: '', place }
}
