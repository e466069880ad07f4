/** In secretKeys of a change: every line of the file is secret. */
const WHOLE_FILE = '*'
export const HIDDEN = '(hidden)'
const CHANGED = '(hidden, another one)'
/** A value that is shorter may stand elsewhere by chance. */
const LONG_ENOUGH = 6

/**
 * Two texts of a file with the values of the secret keys replaced, so that a person can see what changes but not the values. It hides
 * too much rather than too little: whole lines after the key in whatever syntax (YAML, INI, a shell's), commented ones too, lines that
 * continue a value, private keys, and the same values where they stand elsewhere.
 */
export function hideSecrets(
  before: string,
  after: string,
  secretKeys: readonly string[],
): { readonly before: string; readonly after: string } {
  if (secretKeys.length === 0) return { before, after }
  if (secretKeys.includes(WHOLE_FILE)) {
    const same = before === after
    return {
      before: hideAll(before, HIDDEN),
      after: hideAll(after, same || before === '' ? HIDDEN : CHANGED),
    }
  }
  const old = findValues(before, secretKeys)
  const values = [...old, ...findValues(after, secretKeys)]
  const hide = (text: string): string => {
    const shown = mapValues(text, secretKeys, (value) =>
      old.size > 0 && !old.has(bare(value)) ? CHANGED : HIDDEN,
    )
    return hideElsewhere(shown, values)
  }
  return { before: hide(before), after: hide(after) }
}

function hideAll(text: string, by: string): string {
  return text
    .split('\n')
    .map((line) => (line === '' ? '' : by))
    .join('\n')
}

function findValues(text: string, keys: readonly string[]): Set<string> {
  const values = new Set<string>()
  mapValues(text, keys, (value) => {
    values.add(bare(value))
    return value
  })
  return values
}

/** Without the quotes and the comment around it. */
function bare(value: string): string {
  const text = value.trim()
  return /^(["'])(.*)\1(\s+#.*)?$/s.exec(text)?.[2] ?? text.replace(/\s+[#;].*$/s, '')
}

function hideElsewhere(text: string, values: readonly string[]): string {
  return values
    .filter((value) => value.length >= LONG_ENOUGH)
    .sort((a, b) => b.length - a.length)
    .reduce((hidden, value) => hidden.replaceAll(value, HIDDEN), text)
}

/** Replaces what stands after a key, up to the end of its line and of the lines that continue it (those indented deeper). */
function mapValues(text: string, keys: readonly string[], map: (value: string) => string): string {
  const names = keys.map((key) => key.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')).join('|')
  const pattern = new RegExp(`^(.*?(?<![\\w-])(?:${names})(?![\\w-])["']?\\s*[:=]\\s*)(.*?)(\\r?)$`, 's')
  const shown: string[] = []
  let indent: number | undefined
  let inKey = false
  for (const line of text.split('\n')) {
    const [, head, value = '', end = ''] = pattern.exec(line) ?? []
    if (/-----BEGIN [A-Z ]*PRIVATE KEY-----/.test(line)) inKey = true
    if (inKey) {
      inKey = !/-----END [A-Z ]*PRIVATE KEY-----/.test(line)
      shown.push(map(line))
    } else if (head !== undefined) {
      indent = indentOf(line)
      shown.push(`${head}${value === '' ? '' : map(value)}${end}`)
    } else if (indent !== undefined && line.trim() !== '' && indentOf(line) > indent) shown.push(map(line))
    else {
      if (line.trim() !== '') indent = undefined
      shown.push(line)
    }
  }
  return shown.join('\n')
}

function indentOf(line: string): number {
  return /^[\s#;]*/.exec(line)?.[0].length ?? 0
}
