import { emitCharacter, emitSet, wordSet } from './characters.js'
import { changeFlags, MAX_REPEAT, type RegexFlags, type RegexNode } from './nodes.js'
import type { ParsedRegex } from './parse.js'
import { childrenOf } from './width.js'

interface Emitter {
  /** RegExp's number of each of the pattern's groups that is referred to; the others need not capture. */
  readonly numbers: Map<number, number>
  readonly referred: ReadonlySet<number>
  captures: number
}

/** Where a part stands. */
interface Scope {
  readonly flags: RegexFlags
  /** RegExp works from right to left there. */
  readonly behind: boolean
}

/** The pattern for a RegExp with the flag `u`, to be matched at the beginning of a text. */
export function emitRegex(parsed: ParsedRegex): string {
  const emitter: Emitter = { numbers: new Map(), referred: new Set(referencesIn(parsed.root)), captures: 0 }
  return `^${emit(emitter, parsed.root, { flags: parsed.flags, behind: false })}`
}

/** Numbers of the groups that are referred to. */
export function referencesIn(node: RegexNode): readonly number[] {
  return node.kind === 'reference' ? [node.group] : childrenOf(node).flatMap(referencesIn)
}

function emit(emitter: Emitter, node: RegexNode, scope: Scope): string {
  switch (node.kind) {
    case 'literal':
      return emitCharacter(node.code, scope.flags)
    case 'any':
      return scope.flags.s ? '[^]' : '[^\\n]'
    case 'set':
      return emitSet(node.items, node.negated, scope.flags)
    case 'at':
      return emitPlace(node.where, scope.flags)
    case 'sequence':
      return node.items.map((item) => emit(emitter, item, scope)).join('')
    case 'branch':
      return `(?:${node.options.map((option) => emit(emitter, option, scope)).join('|')})`
    case 'repeat':
      return emitRepeat(emitter, node, scope)
    case 'group':
      return emitGroup(emitter, node, scope)
    case 'atomic':
      return emitAtomic(emitter, scope, () => emit(emitter, node.body, scope))
    case 'look':
      return `(?${node.behind ? '<' : ''}${node.negated ? '!' : '='}${emit(emitter, node.body, {
        ...scope,
        behind: node.behind,
      })})`
    case 'reference':
      return `(?:\\${emitter.numbers.get(node.group)})`
  }
}

/** `$` also matches before a last line feed; `\b` and `\B` never in an empty text (Modules/_sre/sre_lib.h: SRE(at)). */
function emitPlace(where: (RegexNode & { kind: 'at' })['where'], flags: RegexFlags): string {
  const word = wordSet(flags)
  switch (where) {
    case 'start':
      return '^'
    case 'end':
      return '$'
    case '^':
      return flags.m ? '(?<![^\\n])' : '^'
    case '$':
      return flags.m ? '(?![^\\n])' : '(?=\\n?$)'
    case 'boundary':
      return `(?:(?<=${word})(?!${word})|(?<!${word})(?=${word}))`
    case 'no-boundary':
      return `(?:(?<=${word})(?=${word})|(?<!${word})(?!${word})(?:(?<=[^])|(?=[^])))`
  }
}

function emitGroup(emitter: Emitter, node: RegexNode & { kind: 'group' }, scope: Scope): string {
  const inner = { ...scope, flags: changeFlags(scope.flags, node.change) }
  if (node.index === undefined || !emitter.referred.has(node.index)) {
    return `(?:${emit(emitter, node.body, inner)})`
  }
  emitter.numbers.set(node.index, ++emitter.captures)
  return `(${emit(emitter, node.body, inner)})`
}

function emitRepeat(emitter: Emitter, node: RegexNode & { kind: 'repeat' }, scope: Scope): string {
  const limits = emitLimits(node.min, node.max)
  if (node.mode !== 'possessive') {
    return `(?:${emit(emitter, node.body, scope)})${limits}${node.mode === 'lazy' ? '?' : ''}`
  }
  // Each turn is final by itself: `(?:a|ab){2}+` does not match "aba" (SRE_OP_POSSESSIVE_REPEAT).
  return emitAtomic(emitter, scope, () => {
    const turn = emitAtomic(emitter, scope, () => emit(emitter, node.body, scope))
    return `(?:${turn})${limits}`
  })
}

function emitLimits(min: number, max: number): string {
  if (max !== MAX_REPEAT) return `{${min},${max}}`
  return min === 0 ? '*' : `{${min},}`
}

/**
 * RegExp never goes back into a look-ahead, so one that captures, and then what it captured, is atomic. In a look-behind all
 * ways have the same length, and the first is as good as any.
 */
function emitAtomic(emitter: Emitter, scope: Scope, body: () => string): string {
  if (scope.behind) return `(?:${body()})`
  const number = ++emitter.captures
  return `(?=(${body()}))\\${number}(?:)`
}
