import { readdirSync, readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { createProblems } from '../../src/config/problems.js'
import { parseYaml } from '../../src/config/yaml.js'
import { parseSimpleYaml } from '../../src/config/yaml-simple.js'

const FIXTURES = new URL('fixtures/', import.meta.url)
const TABLE: { text: string }[] = JSON.parse(readFileSync(new URL('yaml-table.json', FIXTURES), 'utf8'))
const SAMPLES = readdirSync(new URL('samples/', FIXTURES)).filter((name) => name.endsWith('app.yml'))

function readSample(name: string): string {
  return readFileSync(new URL(`samples/${name}`, FIXTURES), 'utf8')
}

const MIXED = `managers:
  a:
    type: slurm
    "job_--mem": 4G
    job_time: 1:00:00
  b: {}
list:
- a
- b: 1
  c: yes # comment
-   d: 2
    e:
    - 5
    - x y
f: 'quoted'
g:
`

/** What the yaml package reads, or "error". */
function readFully(text: string): unknown {
  const problems = createProblems()
  return parseYaml(text, 'app.yml', problems) ?? 'error'
}

describe('the reader for simple YAML', () => {
  it.each(SAMPLES)('reads %s without the yaml package, with the same lines and values', (name) => {
    expect(parseSimpleYaml(readSample(name), 'app.yml')).toEqual(readFully(readSample(name)))
  })

  it('agrees with the yaml package on every text of the PyYAML table that it reads', () => {
    const read = TABLE.filter(({ text }) => parseSimpleYaml(text, 'app.yml') !== undefined)
    expect(read.length).toBeGreaterThan(100)
    for (const { text } of read) expect(parseSimpleYaml(text, 'app.yml'), text).toEqual(readFully(text))
  })

  it('agrees with the yaml package on real files in which characters and lines were changed', () => {
    const random = createRandom(20_160)
    let read = 0
    for (let round = 0; round < 3000; round++) {
      const text = mutate(round % 2 === 0 ? MIXED : readSample(pick(SAMPLES, random)), random)
      const simple = parseSimpleYaml(text, 'app.yml')
      if (simple === undefined) continue
      read += 1
      expect(simple, text).toEqual(readFully(text))
    }
    expect(read).toBeGreaterThan(500)
  })

  it.each([
    ['a tab', 'a:\tb\n'],
    ['an anchor', 'a: &x 1\nb: *x\n'],
    ['a merge', 'a: {b: 1}\n<<: 2\n'],
    ['a block scalar', 'a: |\n  b\n'],
    ['a scalar of two lines', 'a: b\n  c\n'],
    ['a second document', 'a: 1\n---\nb: 2\n'],
    ['a list at the top', '- a\n'],
    ['an escape', 'a: "\\n"\n'],
    ['other alphabets', 'a: é\n'],
    ['nothing', '# a\n'],
  ])('leaves %s to the yaml package', (_what, text) => {
    expect(parseSimpleYaml(text, 'app.yml')).toBeUndefined()
  })
})

const INSERTIONS = [
  ' ',
  '  ',
  ':',
  ': ',
  ' #',
  '#',
  '-',
  '- ',
  "'",
  '"',
  '{}',
  '[',
  ']',
  '\n',
  '\n  ',
  '\n- ',
  '&a ',
  '*a',
  '!',
  '|',
  '>',
  '~',
  '\t',
  ',',
]

/** One to four small changes: something inserted, a character or a line taken away, a line repeated or moved in. */
function mutate(text: string, random: () => number): string {
  let result = text
  for (let changes = 1 + Math.floor(random() * 4); changes > 0; changes--) {
    const at = Math.floor(random() * result.length)
    const lines = result.split('\n')
    const line = Math.floor(random() * lines.length)
    const kind = Math.floor(random() * 5)
    if (kind === 0) result = result.slice(0, at) + pick(INSERTIONS, random) + result.slice(at)
    else if (kind === 1) result = result.slice(0, at) + result.slice(at + 1)
    else if (kind === 2) result = lines.toSpliced(line, 1).join('\n')
    else if (kind === 3) result = lines.toSpliced(line, 0, lines[line] ?? '').join('\n')
    else result = lines.toSpliced(line, 1, `  ${lines[line]}`).join('\n')
  }
  return result
}

function pick<T>(from: readonly T[], random: () => number): T {
  const item = from[Math.floor(random() * from.length)]
  if (item === undefined) throw new Error('nothing to pick from')
  return item
}

/** Mulberry32: the same numbers on every machine. */
function createRandom(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}
