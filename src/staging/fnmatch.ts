/** One piece of a glob: any text, any character, or a set of ranges of code points. */
type Piece =
  | { readonly kind: 'star' }
  | { readonly kind: 'any' }
  | { readonly kind: 'set'; readonly negated: boolean; readonly ranges: readonly Range[] }

type Range = readonly [from: number, to: number]

/**
 * The names that a glob matches as a whole, as fnmatch.fnmatch has it on POSIX (Python 3.9 and later): case counts, `*` and `?`
 * also match `/`, `[!…]` is everything else, and a `[` that is never closed stands for itself. Takes at most the length of the
 * name times that of the glob.
 */
export function compileFnmatch(glob: string): (name: string) => boolean {
  const pieces = readGlob(Array.from(glob, codeOf))
  return (name) => matchPieces(pieces, Array.from(name, codeOf))
}

const STAR = 0x2a
const QUESTION = 0x3f
const OPEN = 0x5b
const CLOSE = 0x5d
const HYPHEN = 0x2d
const BANG = 0x21

function codeOf(character: string): number {
  return character.codePointAt(0) ?? 0
}

function readGlob(glob: readonly number[]): readonly Piece[] {
  const pieces: Piece[] = []
  for (let at = 0; at < glob.length; at++) {
    const code = glob[at] ?? 0
    const end = code === OPEN ? endOfSet(glob, at + 1) : undefined
    if (end !== undefined) {
      pieces.push(readSet(glob.slice(at + 1, end)))
      at = end
    } else if (code === STAR) pieces.push({ kind: 'star' })
    else if (code === QUESTION) pieces.push({ kind: 'any' })
    else pieces.push({ kind: 'set', negated: false, ranges: [[code, code]] })
  }
  return pieces
}

/** Where the set that begins at `start` is closed; a `]` in first place belongs to it. */
function endOfSet(glob: readonly number[], start: number): number | undefined {
  const first = glob[start] === BANG ? start + 1 : start
  const end = glob.indexOf(CLOSE, glob[first] === CLOSE ? first + 1 : first)
  return end < 0 ? undefined : end
}

function readSet(content: readonly number[]): Piece {
  const negated = content[0] === BANG
  const inner = negated ? content.slice(1) : content
  const ranges: Range[] = []
  for (let at = 0; at < inner.length; at++) {
    const from = inner[at] ?? 0
    const to = inner[at + 1] === HYPHEN ? inner[at + 2] : undefined
    if (to === undefined) ranges.push([from, from])
    else {
      // A range that runs backwards is left out (fnmatch.translate: "Remove empty ranges").
      if (from <= to) ranges.push([from, to])
      at += 2
    }
  }
  return { kind: 'set', negated, ranges }
}

/** A star first takes nothing, then one character more each time that the rest fails; only the last star ever needs to. */
function matchPieces(pieces: readonly Piece[], name: readonly number[]): boolean {
  let piece = 0
  let at = 0
  let retry: { readonly piece: number; at: number } | undefined
  while (at < name.length) {
    const current = pieces[piece]
    if (current?.kind === 'star') {
      piece++
      retry = { piece, at }
    } else if (current && matchPiece(current, name[at] ?? 0)) {
      piece++
      at++
    } else if (retry) {
      retry.at++
      piece = retry.piece
      at = retry.at
    } else return false
  }
  return pieces.slice(piece).every((each) => each.kind === 'star')
}

function matchPiece(piece: Piece, code: number): boolean {
  if (piece.kind !== 'set') return piece.kind === 'any'
  return piece.ranges.some(([from, to]) => from <= code && code <= to) !== piece.negated
}
