import type { Random } from './random.js'

/** A made-up app.yml and where its keys stand. */
export interface RandomYaml {
  readonly text: string
  readonly lineBreak: string
  /** Keys with a single value, with the lines [from, to) they take. */
  readonly leaves: readonly { readonly path: readonly string[]; readonly from: number; readonly to: number }[]
  /** Block mappings and `{}`, the whole file among them; new keys can be put into them. */
  readonly mappings: readonly (readonly string[])[]
}

/** What YAML 1.1 and 1.2 read alike. */
const SCALARS = [
  ...[
    'foo',
    '/srv/pulsar',
    '8913',
    '1.5',
    'true',
    '~',
    '"12345"',
    "'it''s'",
    '"a\\tb"',
    'a b c',
    'http://h:1/',
  ],
  ...['"#"', "''", 'x:y', 'a#b', '-p debug'],
]
const BLOCKS = [
  ['|', 'one', 'two'],
  ['>-', 'one', '', 'two'],
  ['"one', 'two"'],
  ['one', 'two'],
]
const LISTS = [
  ['- a', '- b'],
  ['- a: 1', '  b: 2'],
  ['-', '- # c', '- x'],
]

export function makeYaml(random: Random): RandomYaml {
  const step = random.pick([2, 2, 4, 3])
  const lines: string[] = random.chance(0.4) ? ['---'] : []
  const leaves: { path: string[]; from: number; to: number }[] = []
  const mappings: string[][] = [[]]
  let names = 0

  const comment = (): string => (random.chance(0.3) ? random.pick(['  # c', ' # "q": {', '   #']) : '')

  function addNoise(indent: number): void {
    if (random.chance(0.15)) lines.push('')
    if (random.chance(0.2)) lines.push(`${' '.repeat(indent)}# key: value`)
    if (random.chance(0.05)) lines.push('# at the margin')
  }

  function addMapping(path: string[], indent: number, depth: number): void {
    for (let count = 1 + random.below(4); count > 0; count--) {
      addNoise(indent)
      names += 1
      const name = `${random.pick(['key', 'job_--mem', 'a.b', 'long_name_of_an_option'])}${names}`
      const own = [...path, name]
      const key = `${' '.repeat(indent)}${random.chance(0.1) ? `"${name}"` : name}${random.chance(0.05) ? ' ' : ''}:`
      addEntry(own, key, indent, depth)
    }
    // A comment of the last key's value: deeper than the key, but not as deep as the lines of a block text.
    if (random.chance(0.15)) lines.push(`${' '.repeat(indent + 1)}# deeper`)
  }

  function addEntry(path: string[], key: string, indent: number, depth: number): void {
    const from = lines.length
    const blanks = random.chance(0.2) ? '   ' : ' '
    const kind = random.below(12)
    if (kind < 6) lines.push(`${key}${blanks}${random.pick(SCALARS)}${comment()}`)
    else if (kind === 6) lines.push(`${key}${comment()}`)
    else if (kind === 7) {
      const [first = '', ...more] = random.pick(BLOCKS)
      lines.push(
        `${key} ${first}`,
        ...more.map((line) => (line === '' ? '' : ' '.repeat(indent + step) + line)),
      )
    } else if (kind === 8) {
      lines.push(`${key}${comment()}`, ...random.pick(LISTS).map((line) => ' '.repeat(indent) + line))
      return
    } else if (kind === 9) {
      lines.push(`${key} {}${comment()}`)
      mappings.push(path)
      return
    } else if (depth < 3) {
      lines.push(`${key}${comment()}`)
      mappings.push(path)
      addMapping(path, indent + step, depth + 1)
      return
    } else lines.push(`${key} [a, "b"]${comment()}`)
    leaves.push({ path, from, to: lines.length })
  }

  addMapping([], 0, 0)
  if (random.chance(0.3)) lines.push('', '# the end')
  const lineBreak = random.chance(0.2) ? '\r\n' : '\n'
  const text = `${random.chance(0.05) ? '\ufeff' : ''}${lines.join(lineBreak)}${random.chance(0.85) ? lineBreak : ''}`
  // A single line has no line break to go by.
  return { text, lineBreak: text.includes(lineBreak) ? lineBreak : '\n', leaves, mappings }
}
