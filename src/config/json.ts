import type { ConfigNode, MappingNode } from './node.js'
import type { Place, Problems } from './problems.js'

/** The JSON object of --app_conf_base64. What is wrong with it is said without any of its text. */
export function jsonNode(base64: string, source: string, problems: Problems): MappingNode | undefined {
  const place = { file: source }
  try {
    const node = toNode(JSON.parse(Buffer.from(base64, 'base64').toString('utf8')), place)
    if (node.kind === 'mapping') return node
    problems.error(place, '', 'expected a JSON object in base64, found JSON of another type')
  } catch {
    problems.error(place, '', 'expected a JSON object in base64, found something else')
  }
  return undefined
}

function toNode(value: unknown, place: Place): ConfigNode {
  if (Array.isArray(value))
    return { kind: 'sequence', items: value.map((each) => toNode(each, place)), place }
  if (value !== null && typeof value === 'object') {
    const entries = Object.entries(value).map(([key, each]) => [key, toNode(each, place)] as const)
    return { kind: 'mapping', entries: new Map(entries), place }
  }
  const text = value === null ? '' : String(value)
  if (typeof value === 'boolean') return { kind: 'scalar', type: 'bool', value, text, place }
  if (typeof value === 'number')
    return { kind: 'scalar', type: Number.isInteger(value) ? 'int' : 'float', value, text, place }
  if (typeof value === 'string') return { kind: 'scalar', type: 'text', value, text, place }
  return { kind: 'scalar', type: 'null', value: null, text, place }
}
