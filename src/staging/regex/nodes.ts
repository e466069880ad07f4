/** What Python takes as "no upper limit" of a repetition, and as the largest width (re/_constants.py: MAXREPEAT). */
export const MAX_REPEAT = 4_294_967_295

/** Inline flags: without regard to case, lines, dot takes all, verbose, ASCII. */
export interface RegexFlags {
  readonly i: boolean
  readonly m: boolean
  readonly s: boolean
  readonly x: boolean
  readonly a: boolean
}

export const NO_FLAGS: RegexFlags = { i: false, m: false, s: false, x: false, a: false }

/** One part of a set: a range of code points, or digits, spaces, word characters, or (capitals) all but these. */
export type SetItem =
  | { readonly from: number; readonly to: number }
  | { readonly category: 'd' | 'D' | 's' | 'S' | 'w' | 'W' }

export type RegexNode =
  | { readonly kind: 'literal'; readonly code: number }
  | { readonly kind: 'any' }
  | { readonly kind: 'set'; readonly negated: boolean; readonly items: readonly SetItem[] }
  | { readonly kind: 'at'; readonly where: 'start' | 'end' | '^' | '$' | 'boundary' | 'no-boundary' }
  | { readonly kind: 'sequence'; readonly items: readonly RegexNode[] }
  | { readonly kind: 'branch'; readonly options: readonly RegexNode[] }
  | {
      readonly kind: 'repeat'
      readonly min: number
      readonly max: number
      readonly mode: 'greedy' | 'lazy' | 'possessive'
      readonly body: RegexNode
    }
  /** index: it captures; flags: those that hold within, when it changes them. */
  | {
      readonly kind: 'group'
      readonly index?: number
      readonly change?: FlagChange
      readonly body: RegexNode
    }
  | { readonly kind: 'atomic'; readonly body: RegexNode }
  | { readonly kind: 'look'; readonly behind: boolean; readonly negated: boolean; readonly body: RegexNode }
  | { readonly kind: 'reference'; readonly group: number }

/** Letters of the flags that a group switches on and off. */
export interface FlagChange {
  readonly add: string
  readonly remove: string
}

/** `u` is the opposite of `a` and needs no place of its own. */
export function changeFlags(flags: RegexFlags, change: FlagChange | undefined): RegexFlags {
  if (!change) return flags
  const result: Record<string, boolean> = { ...flags }
  for (const letter of change.add) result[letter === 'u' ? 'a' : letter] = letter !== 'u'
  for (const letter of change.remove) result[letter] = false
  return { ...flags, ...result }
}
