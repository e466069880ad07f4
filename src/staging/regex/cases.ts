/** No letter that has an upper or a lower form lies higher. */
const LAST_CASED = 0x1ffff

let classes: ReadonlyMap<number, readonly number[]> | undefined

/**
 * Code points that are one without regard to case, as Python's re sees it (re/_casefix.py): those whose lower forms are the
 * same, or whose lower forms have the same upper form; so K and the Kelvin sign, i and the dotless ı. RegExp's own flag `i`
 * does not know the latter.
 */
export function sameLetters(code: number, ascii: boolean): readonly number[] {
  if (ascii) return isAsciiLetter(code) ? [code | 0x20, code & ~0x20] : [code]
  return allClasses().get(code) ?? [code]
}

/** All code points that are, without regard to case, one with one of a range. */
export function sameRange(from: number, to: number, ascii: boolean): readonly number[] {
  if (ascii) return ASCII_LETTERS.filter((code) => between(code ^ 0x20, from, to))
  const found = new Set<number>()
  for (const [code, others] of allClasses()) {
    if (between(code, from, to)) for (const other of others) found.add(other)
  }
  return [...found].filter((code) => !between(code, from, to))
}

const ASCII_LETTERS: readonly number[] = [...'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'].map(
  (letter) => letter.charCodeAt(0),
)

function isAsciiLetter(code: number): boolean {
  return between(code | 0x20, 0x61, 0x7a)
}

function between(code: number, from: number, to: number): boolean {
  return from <= code && code <= to
}

/** Made once, when the first pattern asks: 30 ms. */
function allClasses(): ReadonlyMap<number, readonly number[]> {
  classes ??= makeClasses()
  return classes
}

function makeClasses(): ReadonlyMap<number, readonly number[]> {
  const byForm = new Map<string, number[]>()
  for (let code = 0; code <= LAST_CASED; code++) {
    const letter = String.fromCodePoint(code)
    const lower = lowerForm(letter)
    const upper = lower.toUpperCase()
    if (lower === letter && upper === letter) continue
    const others = byForm.get(upper)
    if (others) others.push(code)
    else byForm.set(upper, [code])
  }
  return new Map([...byForm.values()].flatMap((codes) => codes.map((code) => [code, codes] as const)))
}

/** One character for one: İ has two as its lower form in JavaScript, and i in Python's re. */
function lowerForm(letter: string): string {
  return letter === 'İ' ? 'i' : letter.toLowerCase()
}
