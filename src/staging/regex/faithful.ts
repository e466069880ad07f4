import { referencesIn } from './emit.js'
import { PythonRegexError } from './error.js'
import { changeFlags, type RegexFlags, type RegexNode } from './nodes.js'
import type { ParsedRegex } from './parse.js'
import type { WidthOf } from './width.js'

interface Checker {
  readonly widthOf: WidthOf
  /** Groups that are referred to. */
  readonly referred: Groups
}

interface Scope {
  readonly flags: RegexFlags
  /** Which of several ways to match is found first matters: there is no way back. */
  readonly final: boolean
}

type Groups = ReadonlySet<number>

/**
 * Refuses what RegExp would do differently from Python. A reference to a group that took no part matches nothing in Python and
 * the empty text in RegExp; RegExp forgets a group at each turn of a repetition around it; and it refuses empty turns where
 * Python takes them and ends.
 * @throws PythonRegexError unsupported
 */
export function checkFaithful(parsed: ParsedRegex, widthOf: WidthOf): void {
  const checker = { widthOf, referred: new Set(referencesIn(parsed.root)) }
  walk(checker, parsed.root, new Set(), { flags: parsed.flags, final: false })
}

/** Walks in the order of matching; the answer is the groups that surely took part after it. */
function walk(checker: Checker, node: RegexNode, before: Groups, scope: Scope): Groups {
  switch (node.kind) {
    case 'reference':
      checkReference(node.group, before, scope.flags)
      return before
    case 'sequence':
      return node.items.reduce((sure, item) => walk(checker, item, sure, scope), before)
    case 'branch':
      return node.options.map((option) => walk(checker, option, before, scope)).reduce(intersect)
    case 'repeat':
      return walkRepeat(checker, node, before, scope)
    case 'group': {
      const inner = { ...scope, flags: changeFlags(scope.flags, node.change) }
      const after = walk(checker, node.body, before, inner)
      return node.index !== undefined && checker.referred.has(node.index)
        ? new Set([...after, node.index])
        : after
    }
    case 'atomic':
      return walk(checker, node.body, before, { ...scope, final: true })
    case 'look': {
      const after = walk(checker, node.body, before, {
        ...scope,
        final: scope.final || checker.referred.size > 0,
      })
      return node.negated ? before : after
    }
    default:
      return before
  }
}

function checkReference(group: number, sure: Groups, flags: RegexFlags): void {
  if (!sure.has(group)) {
    throw unsupported(
      `a reference to group ${group}, which does not take part in every match, is not supported`,
    )
  }
  if (flags.i) throw unsupported(`a reference to group ${group} without regard to case is not supported`)
}

function walkRepeat(
  checker: Checker,
  node: RegexNode & { kind: 'repeat' },
  before: Groups,
  scope: Scope,
): Groups {
  const final = scope.final || node.mode === 'possessive'
  const canBeEmpty = node.max > node.min && checker.widthOf(node.body).min === 0
  if (canBeEmpty && final) {
    throw unsupported(
      'a repetition of something that can be empty, where there is no way back, is not supported',
    )
  }
  const after = walk(checker, node.body, before, { ...scope, final })
  return node.min > 0 && !canBeEmpty ? after : before
}

function intersect(one: Groups, other: Groups): Groups {
  return new Set([...one].filter((group) => other.has(group)))
}

function unsupported(message: string): PythonRegexError {
  return new PythonRegexError('unsupported', message)
}
