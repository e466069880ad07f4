import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { editIni, readIniValue } from '../../../src/config/edit/ini.js'
import { MagnetarError } from '../../../src/lib/errors.js'
import { renderServerIni } from '../../../src/setup/files/render/server-ini.js'
import { createRandom, type Random } from './random.js'

function edit(text: string, name: string, value: string | undefined): string {
  const at = name.lastIndexOf('/')
  return editIni(text, [{ section: name.slice(0, at), key: name.slice(at + 1), value }], 'server.ini')
}

describe('changing an option', () => {
  it.each<[string, string, string, string | undefined, string]>([
    ['keeps blanks and delimiter', '[a]\nk   :  v\nl = w\n', 'a/k', 'x', '[a]\nk   :  x\nl = w\n'],
    ['keeps the case of the key', '[a]\nKey = v\n', 'a/key', 'x', '[a]\nKey = x\n'],
    ['keeps a value without blanks', '[a]\nk=v\n', 'a/k', 'x', '[a]\nk=x\n'],
    ['fills an empty value', '[a]\nk =\nl=\nm:\n', 'a/k', 'x', '[a]\nk = x\nl=\nm:\n'],
    ['fills an empty value without blanks', '[a]\nk =\nl=\nm:\n', 'a/l', 'x', '[a]\nk =\nl=x\nm:\n'],
    ['fills an empty value after a colon', '[a]\nk =\nl=\nm:\n', 'a/m', 'x', '[a]\nk =\nl=\nm: x\n'],
    ['empties a value', '[a]\nk = v\nl = w\n', 'a/k', '', '[a]\nk =\nl = w\n'],
    ['keeps CRLF', '[a]\r\nk = v\r\nl = w\r\n', 'a/k', 'x', '[a]\r\nk = x\r\nl = w\r\n'],
    ['keeps a missing last line break', '[a]\nk = v', 'a/k', 'x', '[a]\nk = x'],
    ['replaces what looks like a comment', '[a]\nk = v ; no comment\n', 'a/k', 'x', '[a]\nk = x\n'],
    [
      'replaces lines that go on with it, not the comments between',
      '[a]\nk = one\n  # c\n  two\n\n  three\nl = w\n',
      'a/k',
      'x',
      '[a]\nk = x\n  # c\n\nl = w\n',
    ],
    ['writes several lines', '[a]\n  k = one\nl = w\n', 'a/k', 'x\ny', '[a]\n  k = x\n      y\nl = w\n'],
    ['leaves other sections alone', '[a]\nk = v\n[b]\nk = w\n', 'b/k', 'x', '[a]\nk = v\n[b]\nk = x\n'],
    ['changes a default', '[DEFAULT]\nk = v\n[a]\n', 'DEFAULT/k', 'x', '[DEFAULT]\nk = x\n[a]\n'],
    [
      'leaves the bytes when the value is there',
      '[a]\nk = one\n\ttwo\n',
      'a/K',
      'one\ntwo',
      '[a]\nk = one\n\ttwo\n',
    ],
  ])('%s', (_what, text, name, value, wanted) => {
    expect(edit(text, name, value)).toBe(wanted)
    expect(readIniValue(edit(text, name, value), name.split('/')[0] ?? '', name.split('/')[1] ?? '')).toBe(
      value,
    )
  })
})

describe('a new option', () => {
  it.each<[string, string, string, string, string]>([
    [
      'goes to the end of its section',
      '[a]\nk = v\n\n\n[b]\nl = w\n',
      'a/m',
      'x',
      '[a]\nk = v\nm = x\n\n\n[b]\nl = w\n',
    ],
    [
      'goes below the comments of its section',
      '[a]\nk = v\n## PEM\n# m = y\n\n## B\n[b]\n',
      'a/m',
      'x',
      '[a]\nk = v\n## PEM\n# m = y\nm = x\n\n## B\n[b]\n',
    ],
    [
      'goes above the comments of the next',
      '[a]\nk = v\n## B\n[b]\n',
      'a/m',
      'x',
      '[a]\nk = v\nm = x\n## B\n[b]\n',
    ],
    [
      'goes below a value of several lines',
      '[a]\nk = v\n  w\n\n[b]\n',
      'a/m',
      'x',
      '[a]\nk = v\n  w\nm = x\n\n[b]\n',
    ],
    ['goes to an empty section', '[a]\n\n[b]\nk=v\n', 'a/m', 'x', '[a]\nm = x\n\n[b]\nk=v\n'],
    ['is written like its neighbours', '[a]\nk=v\n', 'a/m', 'x', '[a]\nk=v\nm=x\n'],
    ['has the colon of its neighbours', '[a]\n  k: v\n', 'a/m', 'x', '[a]\n  k: v\n  m: x\n'],
    [
      'is aligned where they are',
      '[p]\nuser            = u\ndirectory       = d\n',
      'p/stopsignal',
      'INT',
      '[p]\nuser            = u\ndirectory       = d\nstopsignal      = INT\n',
    ],
    [
      'is aligned as far as it can be',
      '[p]\nuser   = u\ndir    = d\n',
      'p/redirect_stderr',
      'true',
      '[p]\nuser   = u\ndir    = d\nredirect_stderr = true\n',
    ],
    ['makes its section at the end', '[a]\nk = v\n', 'b/m', 'x', '[a]\nk = v\n\n[b]\nm = x\n'],
    ['makes its section in an empty file', '', 'b/m', 'x', '[b]\nm = x\n'],
    [
      'makes its section below a last line without line break',
      '[a]\r\nk = v',
      'b/m',
      'x',
      '[a]\r\nk = v\r\n\r\n[b]\r\nm = x',
    ],
    ['keeps a missing last line break', '[a]\nk = v', 'a/m', 'x', '[a]\nk = v\nm = x'],
    ['may have several lines', '[a]\nk = v\n', 'a/m', 'x\ny', '[a]\nk = v\nm = x\n    y\n'],
    ['may be empty', '[a]\nk = v\n', 'a/m', '', '[a]\nk = v\nm =\n'],
  ])('%s', (_what, text, name, value, wanted) => {
    const [section = '', key = ''] = name.split('/')
    expect(edit(text, name, value)).toBe(wanted)
    expect(readIniValue(wanted, section, key)).toBe(value)
  })

  it('turns what pulsar-config writes into what the exercise ends up with', () => {
    const text = renderServerIni({ host: 'localhost', port: 8913, logging: true, http: false })
    const section = 'uwsgi'
    const after = editIni(text, [
      { section, key: 'socket', value: undefined },
      { section, key: 'http', value: 'localhost:8913' },
      { section, key: 'buffer-size', value: '16384' },
      { section, key: 'logto', value: '/srv/pulsar/var/uwsgi.log' },
    ])
    const changed = after.split('\n').filter((line) => !text.includes(line))
    expect(changed).toEqual([
      'http = localhost:8913',
      'buffer-size = 16384',
      'logto = /srv/pulsar/var/uwsgi.log',
    ])
    expect(after).toContain('enable-threads = True\nhttp = localhost:8913\n')
  })
})

describe('taking an option away', () => {
  it.each<[string, string, string, string]>([
    ['takes its line', '[a]\nk = v\nl = w\n', 'a/k', '[a]\nl = w\n'],
    ['takes all its lines, but no comment', '[a]\nk = v\n# c\n  w\n  x\nl = w\n', 'a/k', '[a]\n# c\nl = w\n'],
    ['takes several last lines', '[a]\nl = w\nk = v\n  x', 'a/k', '[a]\nl = w'],
    ['leaves an empty section', '[a]\nk = v\n', 'a/k', '[a]\n'],
    ['is nothing when there is none', '[a]\nk = v\n', 'b/k', '[a]\nk = v\n'],
  ])('%s', (_what, text, name, wanted) => {
    expect(edit(text, name, undefined)).toBe(wanted)
  })
})

describe('an edit that is refused', () => {
  it.each<[string, string, string | undefined, string]>([
    ['[a]\nk = 1\nk = 2\n', 'a/k', 'x', 'server.ini:3: k: the option is there twice'],
    ['[a]\nk = 1\n[a]\n', 'a/k', 'x', 'server.ini:3: [a]: the section is there twice'],
    ['k = 1\n', 'a/k', 'x', 'server.ini:1: there is no [section] line'],
    ['[a]\nk = 1\rl = 2\n', 'a/k', 'x', 'server.ini:2: the line has an unusual line break'],
    ['[a]\nk = 1\n', 'a/k', ' x', 'server.ini:2: [a] k cannot be written'],
    ['[a]\nk = 1\n', 'a/k', 'x\n# y', 'server.ini:2: [a] k cannot be written'],
    ['[a]\nk = 1\n', 'a/#k', 'x', 'server.ini: [a] #k cannot be written'],
    ['[a]\nk = 1\n', 'a/m=', 'x', 'server.ini: [a] m= cannot be written'],
    ['[a]\nk = 1\n', 'b\nc/m', 'x', 'cannot be written'],
    // What follows would go on with the option above.
    ['[a]\n  j = 0\nk = 1\n  l\n    m = 3', 'b/k', 'secret\r', 'server.ini: [b] k cannot be written'],
  ])('%j: %s', (text, name, value, message) => {
    let error: unknown
    try {
      edit(text, name, value)
    } catch (thrown) {
      error = thrown
    }
    expect(error).toBeInstanceOf(MagnetarError)
    expect(error).toMatchObject({ code: 'EDIT_REFUSED', message: expect.stringContaining(message) })
    expect(String(error)).not.toContain('secret')
  })
})

interface RandomIni {
  readonly text: string
  readonly lineBreak: string
  readonly options: readonly {
    readonly section: string
    readonly key: string
    readonly from: number
    readonly to: number
  }[]
  readonly sections: readonly string[]
}

function makeIni(random: Random): RandomIni {
  const lines: string[] = []
  const sections: string[] = []
  const options: { section: string; key: string; from: number; to: number }[] = []
  for (let count = 1 + random.below(4); count > 0; count--) {
    const section = `${random.pick(['server:main', 'uwsgi', 'a b', 'DEFAULTS'])}${count}`
    sections.push(section)
    if (random.chance(0.5)) lines.push('')
    if (random.chance(0.3)) lines.push('## About what follows', ...(random.chance(0.3) ? [''] : []))
    lines.push(`[${section}]${random.chance(0.05) ? ' ; x' : ''}`)
    const indent = random.pick(['', '', '', '  '])
    const column = random.chance(0.3) ? 24 : 0
    const delimiter = random.pick([' = ', ' = ', '=', ': ', ' : '])
    for (let more = random.below(5); more > 0; more--) {
      if (random.chance(0.1)) lines.push('')
      if (random.chance(0.2)) lines.push(random.pick(['# key = value', '; key = value', '    # deep']))
      const key = `${random.pick(['key', 'Buffer-Size', 'long_name_of_it', 'app config'])}${more}`
      const from = lines.length
      lines.push(
        `${indent}${column ? `${key} `.padEnd(column) + delimiter.trimStart() : key + delimiter}${random.pick(['v', 'a = b', '%(here)s/app.yml', 'x ; y', ''])}`,
      )
      if (random.chance(0.15))
        lines.push(`${indent}   goes on`, ...(random.chance(0.3) ? ['', `${indent} and on`] : []))
      options.push({ section, key, from, to: lines.length })
    }
  }
  if (random.chance(0.2)) lines.push('', '# the end')
  const lineBreak = lines.length > 1 && random.chance(0.2) ? '\r\n' : '\n'
  return {
    text: lines.join(lineBreak) + (random.chance(0.85) ? lineBreak : ''),
    lineBreak,
    options,
    sections,
  }
}

const VALUES = [
  'x',
  'localhost:8913',
  'a = b',
  '%(here)s',
  '',
  'x # y',
  'one\ntwo',
  'one\n\nthree',
  '100%',
  '"q"',
  'é',
  '[x]',
]
const ROUNDS = 2000

describe('editing thousands of made-up files', () => {
  it('gives an option the wanted value and touches no line of any other', () => {
    const random = createRandom(20_166)
    for (let round = 0; round < ROUNDS; round++) {
      const { text, options, lineBreak } = makeIni(random)
      if (options.length === 0) continue
      const { section, key, from, to } = random.pick(options)
      const value = random.pick(VALUES)
      const after = editIni(text, [{ section, key, value }])
      expect(readIniValue(after, section, key.toUpperCase()), text).toBe(value)
      const [lines, now] = [text.split(lineBreak), after.split(lineBreak)]
      expect(now.slice(0, from), text).toEqual(lines.slice(0, from))
      expect(now.slice(now.length - (lines.length - to)), text).toEqual(lines.slice(to))
      for (const other of options.filter((each) => each.section !== section || each.key !== key))
        expect(readIniValue(after, other.section, other.key)).toBe(
          readIniValue(text, other.section, other.key),
        )
    }
  })

  it('leaves the bytes alone when the value is there already', () => {
    const random = createRandom(20_167)
    for (let round = 0; round < ROUNDS; round++) {
      const { text, options } = makeIni(random)
      for (const { section, key } of options) {
        const value = readIniValue(text, section, key)
        expect(value).not.toBeUndefined()
        expect(editIni(text, [{ section, key, value }]), text).toBe(text)
      }
    }
  })

  it('puts a new option on lines of its own, and taking it away gives back the bytes', () => {
    const random = createRandom(20_168)
    for (let round = 0; round < ROUNDS; round++) {
      const { text, sections } = makeIni(random)
      const section = random.pick(sections)
      const value = random.pick(VALUES.filter((each) => !each.includes('\n\n')))
      const added = editIni(text, [{ section, key: 'New', value }])
      expect(readIniValue(added, section, 'new'), text).toBe(value)
      expect(editIni(added, [{ section, key: 'new', value: undefined }]), text).toBe(text)
    }
  })

  it('takes away an option and nothing else', () => {
    const random = createRandom(20_169)
    for (let round = 0; round < ROUNDS; round++) {
      const { text, options, lineBreak } = makeIni(random)
      if (options.length === 0) continue
      const { section, key, from, to } = random.pick(options)
      const after = editIni(text, [{ section, key, value: undefined }])
      const rest = text.split(lineBreak)
      // An empty line in its midst stays.
      const kept = rest.splice(from, to - from).filter((line) => line === '')
      rest.splice(from, 0, ...kept)
      expect(after, text).toBe(rest.join(lineBreak))
    }
  })
})

it('reads what the Python table says', () => {
  const table: { text: string; python: Record<string, Record<string, unknown>> }[] = JSON.parse(
    readFileSync(new URL('../fixtures/ini-table.json', import.meta.url), 'utf8'),
  )
  let read = 0
  for (const { text, python } of table) {
    if ('error' in python) {
      expect(() => readIniValue(text, 'a', 'k'), text).toThrow(MagnetarError)
      continue
    }
    const plain = text.includes('%') || text.includes('DEFAULT') ? {} : python
    for (const [section, values] of Object.entries(plain)) {
      for (const [key, value] of Object.entries(values)) {
        expect(readIniValue(text, section, key), text).toBe(value)
        read += 1
      }
    }
  }
  expect(read).toBeGreaterThan(20)
})
