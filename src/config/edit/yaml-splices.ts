import { quoteYaml, quoteYamlAs, renderYaml, type YamlValue } from '../../lib/edit/quote-yaml.js'
import { type EditPlace, refuseEdit } from '../../lib/edit/refuse.js'
import { appendLines, endOfLine, insertBelow, removeLines, type Splice } from '../../lib/edit/text-lines.js'
import { deeperCommentsEnd, type Entry, indentStep, shapeOf } from '../../lib/edit/yaml-layout.js'
import type { Target } from './yaml-target.js'

/** What puts a value where `target` is, or makes the keys that are missing there. */
export function setting(text: string, target: Target, value: YamlValue, after: string | undefined): Splice[] {
  const { entries, entry, missing, parent, root, place } = target
  if (entry) return replacement(text, entry, value, place)
  const step = indentStep(text, root)
  const sibling = entries.findLast(({ name }) => name === after) ?? entries.at(-1)
  const column = sibling?.column ?? (parent ? parent.column + step : 0)
  const lines = missing.map((name, depth) => {
    const key = `${' '.repeat(column + depth * step)}${quoteYaml(name)}:`
    return depth === missing.length - 1 ? `${key} ${renderYaml(value)}` : key
  })
  if (sibling) return [insertBelow(text, deeperCommentsEnd(text, sibling.lastLineEnd, column), lines)]
  if (!parent) return [appendLines(text, lines)]
  return [...withoutPlaceholder(text, parent), insertBelow(text, parent.lastLineEnd, lines)]
}

/** `manager: {}` and `manager: ~` become `manager:`. */
function withoutPlaceholder(text: string, parent: Entry): Splice[] {
  const { value, colonEnd } = parent
  const isEmpty = value === null || shapeOf(text, parent).kind === 'nothing'
  return isEmpty ? [] : [{ start: colonEnd, end: value.range[1], text: '' }]
}

function replacement(text: string, entry: Entry, value: YamlValue, place: EditPlace): Splice[] {
  const shape = shapeOf(text, entry)
  const [start, end] = entry.value?.range ?? [entry.colonEnd, entry.colonEnd]
  switch (shape.kind) {
    case 'scalar': {
      const written = typeof value === 'string' ? quoteYamlAs(value, shape.quotes) : renderYaml(value)
      return [{ start, end, text: written }]
    }
    case 'alias':
    case 'flow':
      return [{ start, end, text: renderYaml(value) }]
    case 'block scalar': {
      const header = /^[|>][-+\d]*/.exec(text.slice(start, end))?.[0] ?? ''
      return [
        { start, end: start + header.length, text: renderYaml(value) },
        { start: endOfLine(text, start), end: entry.lastLineEnd, text: '' },
      ]
    }
    case 'nothing':
    case 'block mapping':
    case 'block list':
      if (shape.mayHide) throw refuseEdit(place, `${entry.name} has an anchor or a tag`)
      return [
        { start: entry.colonEnd, end: entry.colonEnd, text: ` ${renderYaml(value)}` },
        ...(shape.kind === 'nothing' ? [] : [linesBelow(text, entry)]),
      ]
  }
}

/** A block value, which begins below the line of its key. */
function linesBelow(text: string, entry: Entry): Splice {
  const start = endOfLine(text, entry.colonEnd)
  return { start, end: deeperCommentsEnd(text, entry.lastLineEnd, entry.column), text: '' }
}

/** What takes the key of `target` away. */
export function removal(
  text: string,
  { entry, entries, parent, place, missing }: Target,
  file: string | undefined,
): Splice[] {
  if (!entry) throw refuseEdit({ file }, `${missing.at(-1)} comes from a merge key (<<)`)
  const shape = shapeOf(text, entry)
  const isBlock = shape.kind === 'block mapping' || shape.kind === 'block list'
  const end = isBlock ? deeperCommentsEnd(text, entry.lastLineEnd, entry.column) : entry.lastLineEnd
  const lines = removeLines(text, entry.lineStart, end)
  if (!parent || entries.length > 1) return [lines]
  if (shapeOf(text, parent).mayHide) throw refuseEdit(place, `${parent.name} has an anchor or a tag`)
  return [{ start: parent.colonEnd, end: parent.colonEnd, text: ' {}' }, lines]
}
