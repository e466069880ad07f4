import { PythonRegexError } from './error.js'
import { MAX_REPEAT, type RegexNode } from './nodes.js'

interface Width {
  readonly min: number
  readonly max: number
}

const ONE: Width = { min: 1, max: 1 }
const ZERO: Width = { min: 0, max: 0 }

/** How many characters a part can match (re/_parser.py: getwidth). */
export type WidthOf = (node: RegexNode) => Width

/** @param groups bodies of the capturing groups by their numbers */
export function createWidthOf(groups: ReadonlyMap<number, RegexNode>): WidthOf {
  // Measured once: groups that refer to groups that refer to groups would be looked at again and again.
  const known = new Map<number, Width>()

  function widthOf(node: RegexNode): Width {
    const { min, max } = plainWidth(node)
    return { min: Math.min(min, MAX_REPEAT - 1), max: Math.min(max, MAX_REPEAT) }
  }

  function plainWidth(node: RegexNode): Width {
    switch (node.kind) {
      case 'literal':
      case 'any':
      case 'set':
        return ONE
      case 'at':
      case 'look':
        return ZERO
      case 'sequence':
        return node.items.map(widthOf).reduce(add, ZERO)
      case 'branch':
        return node.options.map(widthOf).reduce(either)
      case 'repeat': {
        const body = widthOf(node.body)
        return { min: body.min * node.min, max: body.max * node.max }
      }
      case 'group':
      case 'atomic':
        return widthOf(node.body)
      case 'reference':
        return groupWidth(node.group)
    }
  }

  function groupWidth(group: number): Width {
    const body = groups.get(group)
    const width = known.get(group) ?? (body ? widthOf(body) : ZERO)
    known.set(group, width)
    return width
  }

  return widthOf
}

function add(one: Width, other: Width): Width {
  return { min: one.min + other.min, max: one.max + other.max }
}

function either(one: Width, other: Width): Width {
  return { min: Math.min(one.min, other.min), max: Math.max(one.max, other.max) }
}

/** @throws PythonRegexError when a look-behind can match texts of different lengths (re/_compiler.py) */
export function checkLookBehinds(node: RegexNode, widthOf: WidthOf): void {
  for (const child of childrenOf(node)) checkLookBehinds(child, widthOf)
  if (node.kind !== 'look' || !node.behind) return
  const { min, max } = widthOf(node.body)
  if (min !== max) throw new PythonRegexError('invalid', 'look-behind requires fixed-width pattern')
}

export function childrenOf(node: RegexNode): readonly RegexNode[] {
  if (node.kind === 'sequence') return node.items
  if (node.kind === 'branch') return node.options
  return 'body' in node ? [node.body] : []
}
