import { readSetEscape } from './escapes.js'
import type { RegexNode, SetItem } from './nodes.js'
import type { Source } from './source.js'

/** A set; its `[` was taken already. A `]` in first place and a `[` anywhere stand for themselves (re/_parser.py: _parse). */
export function readSet(source: Source): RegexNode {
  const start = source.position() - 1
  const items: SetItem[] = []
  const negated = source.accept('^')
  for (;;) {
    const one = takeInSet(source, start)
    if (one === ']' && items.length > 0) break
    const from = readItem(source, one)
    if (!source.accept('-')) {
      items.push(from)
      continue
    }
    const other = takeInSet(source, start)
    if (other === ']') {
      items.push(from, { from: 0x2d, to: 0x2d })
      break
    }
    items.push(readRange(source, from, readItem(source, other), `${one}-${other}`))
  }
  return { kind: 'set', negated, items }
}

function takeInSet(source: Source, start: number): string {
  const taken = source.take()
  if (taken === undefined) throw source.error('unterminated character set', source.position() - start)
  return taken
}

function readItem(source: Source, taken: string): SetItem {
  if (taken.startsWith('\\')) return readSetEscape(source, taken)
  const code = taken.codePointAt(0) ?? 0
  return { from: code, to: code }
}

function readRange(source: Source, from: SetItem, to: SetItem, written: string): SetItem {
  if ('category' in from || 'category' in to || to.to < from.from) {
    throw source.error(`bad character range ${written}`, [...written].length)
  }
  return { from: from.from, to: to.to }
}
