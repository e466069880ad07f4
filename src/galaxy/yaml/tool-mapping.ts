import type { ParsedNode, YAMLMap } from 'yaml'
import { quoteYaml, renderYaml } from '../../lib/edit/quote-yaml.js'
import { refuseEdit } from '../../lib/edit/refuse.js'
import { insertBelow, lineBreakFor, lineNumber, type Splice, spliceText } from '../../lib/edit/text-lines.js'
import { shapeOf } from '../../lib/edit/yaml-layout.js'
import type { Marker } from '../marker.js'
import { renderCommentedOut } from './comment.js'
import type { Dialect } from './dialect.js'
import { replaceInFlow } from './flow.js'
import { type Item, isFlow, listItems } from './items.js'

interface Mapping {
  readonly item: Item
  readonly node: YAMLMap.Parsed<ParsedNode, ParsedNode | null>
}

/** Comments the mapping of a tool out and writes it again, with the destination of the marker and all else that it said. */
export function replaceMapping(
  text: string,
  dialect: Dialect,
  { item, node }: Mapping,
  marker: Marker & { readonly destination: string },
  file: string | undefined,
): string {
  const place = { file, line: lineNumber(text, item.start) }
  const written = text.slice(item.start, item.end)
  const splice = withDestination(text, dialect, node, marker.destination)
  if (!splice) throw refuseEdit(place, 'the destination of this tool is not written as a text on its line')
  const start = splice.start - item.start
  const mapping = spliceText(written, [{ start, end: splice.end - item.start, text: splice.text }])
  const isBlock = item.start === 0 || text[item.start - 1] === '\n'
  if (isBlock) {
    if (item.isUnusual) throw refuseEdit(place, 'this tool does not begin its line')
    const lineBreak = lineBreakFor(text, text.length)
    const comment = renderCommentedOut(marker, written, item.column, lineBreak)
    return spliceText(text, [{ start: item.start, end: item.end, text: comment + lineBreak + mapping }])
  }
  if (written.includes('\n'))
    throw refuseEdit(place, 'this tool stands in brackets on several lines', 'write it on one')
  return spliceText(text, [replaceInFlow(text, item, marker, mapping)])
}

function withDestination(
  text: string,
  { toolDestination }: Dialect,
  node: Mapping['node'],
  destination: string,
): Splice | undefined {
  const pairs = listItems(text, node)
  const found = pairs.find(({ key }) => key === 'environment' || key === 'destination')
  if (found) {
    const { kind } = shapeOf(text, found)
    const [start, end] = found.value?.range ?? [found.colonEnd, found.colonEnd]
    if (kind === 'nothing')
      return { start: found.colonEnd, end: found.colonEnd, text: ` ${quoteYaml(destination)}` }
    return kind === 'scalar'
      ? { start, end, text: isFlow(node) ? inBrackets(destination) : quoteYaml(destination) }
      : undefined
  }
  const last = pairs.at(-1)
  if (!last) return undefined
  if (isFlow(node))
    return { start: last.end, end: last.end, text: `, ${toolDestination}: ${inBrackets(destination)}` }
  return insertBelow(text, last.end, [
    `${' '.repeat(last.column)}${toolDestination}: ${quoteYaml(destination)}`,
  ])
}

function inBrackets(value: string): string {
  return renderYaml([value]).slice(1, -1)
}
