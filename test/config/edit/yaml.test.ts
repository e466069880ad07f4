import { readdirSync, readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { editYaml, readYamlValue } from '../../../src/config/edit/yaml.js'
import type { YamlValue } from '../../../src/lib/edit/quote-yaml.js'
import { MagnetarError } from '../../../src/lib/errors.js'

/** One edit by dotted path. */
function edit(text: string, path: string, value: YamlValue | undefined, after?: string): string {
  return editYaml(
    text,
    [{ path: path.split('.'), value, ...(after === undefined ? {} : { after }) }],
    'app.yml',
  )
}

function refusal(text: string, path: string, value: YamlValue | undefined): MagnetarError {
  try {
    edit(text, path, value)
  } catch (error) {
    if (error instanceof MagnetarError) return error
    throw error
  }
  throw new Error('the edit was not refused')
}

describe('changing a value', () => {
  it.each<[string, string, string, YamlValue, string]>([
    ['keeps the comment behind it', 'a: 1   # why\nb: 2\n', 'a', 5, 'a: 5   # why\nb: 2\n'],
    ['keeps its quotes', 'a: \'x\'\nb: "y"\n', 'a', "it's", "a: 'it''s'\nb: \"y\"\n"],
    ['keeps its double quotes', 'a: "x" # c\n', 'a', 'y', 'a: "y" # c\n'],
    ['quotes a text that would be something else', 'a: x\n', 'a', '12345', 'a: "12345"\n'],
    ['makes a number of a text', 'a: "5"\n', 'a', 5, 'a: 5\n'],
    ['makes a text of a number', 'a: 12345 # c\n', 'a', '12345', 'a: "12345" # c\n'],
    ['keeps blanks around the colon', 'private_token : test\n', 'private_token', 'x', 'private_token : x\n'],
    ['finds quoted keys', '"a": 1\n\'b\': 2\n', 'b', 3, '"a": 1\n\'b\': 3\n'],
    ['goes into nested mappings', 'm:\n    a:\n        t: x\n', 'm.a.t', 'z', 'm:\n    a:\n        t: z\n'],
    ['fills an empty one', 'a:\nb: 1\n', 'a', 'x', 'a: x\nb: 1\n'],
    ['fills an empty one before its comment', 'a:  # why\nb: 1\n', 'a', 'x', 'a: x  # why\nb: 1\n'],
    ['keeps CRLF', 'a: 1\r\nb: 2 # c\r\n', 'b', 3, 'a: 1\r\nb: 3 # c\r\n'],
    ['keeps a missing last line break', 'a: 1', 'a', 2, 'a: 2'],
    ['keeps a byte order mark and ---', '\ufeff---\na: 1\n', 'a', 2, '\ufeff---\na: 2\n'],
    ['replaces a value of several lines', 'a: one\n  two # c\nb: 1\n', 'a', 'x', 'a: x # c\nb: 1\n'],
    [
      'replaces a value on the next line',
      'a:\n  # c\n  "one\n  two"\nb: 1\n',
      'a',
      'x',
      'a:\n  # c\n  "x"\nb: 1\n',
    ],
    [
      'replaces a block text',
      'a: |- # c\n  one\n\n  two\n\n# d\nb: 1\n',
      'a',
      'x',
      'a: x # c\n\n# d\nb: 1\n',
    ],
    ['replaces a block text with its last empty lines', 'a: |+\n  one\n\n\nb: 1\n', 'a', 'x', 'a: x\nb: 1\n'],
    ['replaces a block text at the end', 'a: >\n  one', 'a', 'x', 'a: x'],
    ['replaces a list', 'a: # c\n- 1\n# d\n- 2\n# e\nb: 1\n', 'a', 'x', 'a: x # c\n# e\nb: 1\n'],
    ['replaces a list in brackets', 'a: [1,\n  2] # c\nb: 1\n', 'a', 'x', 'a: x # c\nb: 1\n'],
    ['replaces an alias', 'a: &x 1\nb: *x\n', 'b', 2, 'a: &x 1\nb: 2\n'],
    [
      'overrides a merged key',
      'x: &d {k: 1}\ny:\n  <<: *d\n  l: 3\n',
      'y.k',
      2,
      'x: &d {k: 1}\ny:\n  <<: *d\n  l: 3\n  k: 2\n',
    ],
    ['keeps an anchor that nobody uses', 'a: &x 1\n', 'a', 2, 'a: &x 2\n'],
    ['writes a text of several lines on one', 'a: x\n', 'a', 'b\nc', 'a: "b\\nc"\n'],
    ['writes a list on one line', 'a: x\n', 'a', ['b', 'c: d'], 'a: [b, "c: d"]\n'],
    [
      'makes a mapping of a single value',
      'a: x # c\nb: 1\n',
      'a',
      { c: 1, d: 'e' },
      'a: # c\n  c: 1\n  d: e\nb: 1\n',
    ],
    [
      'makes a mapping equal, key by key',
      'a:\n  b: 1 # one\n  # none\n  c: 2\n',
      'a',
      { d: 4, b: 5 },
      'a:\n  b: 5 # one\n  # none\n  d: 4\n',
    ],
    ['makes a mapping of null', 'a: null # c\n', 'a', { b: 1 }, 'a: # c\n  b: 1\n'],
    ['empties a mapping', 'a: # c\n  b: 1\n  # d\nc: 2\n', 'a', {}, 'a: {} # c\nc: 2\n'],
    ['writes null', 'a: x # c\n', 'a', null, 'a: null # c\n'],
  ])('%s', (_what, text, path, value, wanted) => {
    expect(edit(text, path, value)).toBe(wanted)
  })

  it.each<[string, string, YamlValue]>([
    ['a: yes\n', 'a', true],
    ['a: 0x10\n', 'a', 16],
    ["a: 'foo'\n", 'a', 'foo'],
    ['a: >-\n  one\n  two\n', 'a', 'one two'],
    ['a:\n', 'a', null],
    ['a: {c: 1, b: [2]}\n', 'a', { b: [2], c: 1 }],
    ['x: &d {k: 1}\ny:\n  <<: *d\n', 'y.k', 1],
    ['a: 1:30\n', 'a', 90],
  ])('changes nothing of %j when %s has that value', (text, path, value) => {
    expect(edit(text, path, value)).toBe(text)
  })
})

describe('a new key', () => {
  it.each<[string, string, string, YamlValue, string]>([
    ['goes to the end', 'a: 1\n', 'b', 'x', 'a: 1\nb: x\n'],
    ['goes before comments that belong to nothing', 'a: 1\n\n# end\n', 'b', 2, 'a: 1\nb: 2\n\n# end\n'],
    [
      'goes below comments of what is above it',
      'a:\n  b: 1\n\n  # c: 2\n\n# end\n',
      'd',
      2,
      'a:\n  b: 1\n\n  # c: 2\nd: 2\n\n# end\n',
    ],
    [
      'goes to the end of its mapping',
      'm:\n  a: 1 # c\n  # d\nz: 1\n',
      'm.b',
      2,
      'm:\n  a: 1 # c\n  b: 2\n  # d\nz: 1\n',
    ],
    ['is indented as its neighbours', 'm:\n      a: 1\n', 'm.b', 2, 'm:\n      a: 1\n      b: 2\n'],
    ['gets the mappings it needs', 'a: 1\n', 'm.o.b', 'x', 'a: 1\nm:\n  o:\n    b: x\n'],
    ['takes the indentation of the file', 'x:\n    y: 1\n', 'm.b', 2, 'x:\n    y: 1\nm:\n    b: 2\n'],
    ['fills an empty mapping', 'm: {} # c\nz: 1\n', 'm.b', 2, 'm: # c\n  b: 2\nz: 1\n'],
    ['takes the place of null', 'm: ~ # c\nz: 1\n', 'm.b', 2, 'm: # c\n  b: 2\nz: 1\n'],
    ['fills an empty value', 'm:\n  # t: 1\nz: 1\n', 'm.b', 2, 'm:\n  b: 2\n  # t: 1\nz: 1\n'],
    ['comes after a block text', 'a: |\n  x\n\n\n', 'b', 2, 'a: |\n  x\nb: 2\n\n\n'],
    ['comes after a list', 'a:\n- 1\n- b: 2\n  # c\n', 'd', 2, 'a:\n- 1\n- b: 2\n  # c\nd: 2\n'],
    ['comes after an empty list entry', 'a:\n-\n', 'd', 2, 'a:\n-\nd: 2\n'],
    ['gives the last line no line break it had not', 'a: 1', 'b', 2, 'a: 1\nb: 2'],
    ['has CRLF where the file has', 'a: 1\r\n\r\n', 'm.b', 2, 'a: 1\r\nm:\r\n  b: 2\r\n\r\n'],
    ['is the first of an empty file', '', 'm.b', 2, 'm:\n  b: 2\n'],
    ['is the first below comments', '# c\n---\n# d\n', 'a', 1, '# c\n---\n# d\na: 1\n'],
    ['is the first below a last line without line break', '---', 'a', 1, '---\na: 1'],
    ['comes before the end of the document', 'a: 1\n...\n', 'b', 2, 'a: 1\nb: 2\n...\n'],
    ['is quoted where it must be', 'a: 1\n', 'yes', 2, 'a: 1\n"yes": 2\n'],
    ['may be an odd one', 'm:\n  a: 1\n', 'm.job_--mem', '4G', 'm:\n  a: 1\n  job_--mem: 4G\n'],
    [
      'may be a mapping',
      '---\n',
      'manager',
      { type: 'slurm', env: {} },
      '---\nmanager:\n  type: slurm\n  env: {}\n',
    ],
  ])('%s', (_what, text, path, value, wanted) => {
    expect(edit(text, path, value)).toBe(wanted)
  })

  it('goes below the key it is to follow, if that is there', () => {
    expect(edit('a: 1\nb:\n  c: 1\n  # d\ne: 2\n', 'x', 5, 'b')).toBe('a: 1\nb:\n  c: 1\n  # d\nx: 5\ne: 2\n')
    expect(edit('a: 1\nb: 2\n', 'm', { p: 1, o: 2 }, 'a')).toBe('a: 1\nm:\n  p: 1\n  o: 2\nb: 2\n')
    expect(edit('a: 1\nb: 2\n', 'x', 5, 'none')).toBe('a: 1\nb: 2\nx: 5\n')
  })
})

describe('taking a key away', () => {
  it.each<[string, string, string, string]>([
    ['leaves the comments above and below', '# a\na: 1\n# b\nb: 2\n', 'a', '# a\n# b\nb: 2\n'],
    ['takes a block with its comments', 'a:\n  b: 1\n\n  # c\n\n# d\ne: 1\n', 'a', '\n# d\ne: 1\n'],
    ['takes a value of several lines', 'a: |\n  x\n  y\nb: 1\n', 'a', 'b: 1\n'],
    ['leaves {} when it was the last', 'm: # c\n  b: 1\n  # d\nz: 1\n', 'm.b', 'm: {} # c\n  # d\nz: 1\n'],
    ['leaves {} at the very end', 'm:\n  b: 1', 'm.b', 'm: {}'],
    ['keeps a missing last line break', 'a: 1\r\nb: 2', 'b', 'a: 1'],
    ['may leave nothing', 'a: 1\n', 'a', ''],
    ['may leave comments only', '---\n# c\na: 1\n', 'a', '---\n# c\n'],
    ['is nothing when there is none', 'a: 1\n', 'b.c', 'a: 1\n'],
  ])('%s', (_what, text, path, wanted) => {
    expect(edit(text, path, undefined)).toBe(wanted)
  })
})

describe('an edit that is refused', () => {
  it.each<[string, string, YamlValue | undefined, number | undefined, RegExp]>([
    ['a: 1\nm: {a: 1}\n', 'm.a', 2, 2, /m is written in brackets/],
    ['a: 1\nm: [1]\n', 'm.a', 2, 2, /m is written in brackets/],
    ['m:\n- a: 1\n', 'm.a', 2, 1, /m is a list/],
    ['m: x\n', 'm.a', 2, 1, /m has a single value/],
    ['m:\n  # c\n  {}\n', 'm.a', 2, 1, /m is written in brackets/],
    ['m:\n  # c\n  ~\n', 'm.a', 2, 1, /m has a single value/],
    ['m: |\n  x\n', 'm.a', 2, 1, /m has a single value/],
    ['d: &d\n  a: 1\nm: *d\n', 'm.a', 2, 3, /m is an alias/],
    ['m: &d\n', 'm.a', 2, 1, /anchor or a tag/],
    ['m: &d\n  a: 1\n', 'm.a', undefined, 2, /anchor or a tag/],
    ['m: &d\n  a: 1\n', 'm', 5, 1, /anchor or a tag/],
    ['a: &x 1\nb: *x\n', 'a', 2, 1, /ties it to other values/],
    ['a: &x 1\nb: *x\n', 'a', undefined, 1, /breaking the file/],
    ['a: !!str x\n', 'a', 5, 1, /ties it to other values/],
    ['x: &d {k: {l: 1}}\ny:\n  <<: *d\n', 'y.k.m', 2, 2, /ties it/],
    ['x: &d {k: 1}\ny:\n  <<: *d\n', 'y.k', undefined, undefined, /merge key/],
    ['a: 1\nb: 1\na: 2\n', 'a', 3, 3, /a is there twice/],
    ['? a\n: 1\n', 'a', 2, 1, /beginning of its line/],
    ['&k a: 1\n', 'a', 2, 1, /beginning of its line/],
    ['{a: 1}\n', 'a', 2, 1, /does not consist of lines/],
    ['- a\n', 'a', 2, 1, /does not consist of lines/],
    ['text\n', 'a', 2, 1, /does not consist of lines/],
    ['---\n...\n', 'a', 2, undefined, /has begun/],
    ['a: 1\n---\nb: 1\n', 'a', 2, 2, /more than one YAML document/],
    ['a:\n\tb: 1\n', 'a.b', 2, 2, /tab/],
    ['a: 1\rb: 2\n', 'a', 2, 1, /unusual line break/],
    ['a: "x\u2028y"\n', 'a', 2, 1, /unusual line break/],
    ['a: "x\n', 'a', 2, 2, /closing quote/],
    ['a: !vault x\nb: 1\n', 'b', 2, 1, /tag/],
  ])('%j: %s', (text, path, value, line, message) => {
    const error = refusal(text, path, value)
    expect(error.code).toBe('EDIT_REFUSED')
    expect(error.message).toMatch(message)
    expect(error.message.startsWith(line === undefined ? 'app.yml: ' : `app.yml:${line}: `)).toBe(true)
  })

  it('says nothing of the values', () => {
    expect(refusal('private_token: &x secret\nb: *x\n', 'private_token', 'newer').message).not.toMatch(
      /secret|newer/,
    )
  })
})

describe('reading a value', () => {
  it.each<[string, string, YamlValue | undefined]>([
    ['a: yes\n', 'a', true],
    ['a: 0777\n', 'a', 511],
    ['a: 1.5\n', 'a', 1.5],
    ['a: "5"\n', 'a', '5'],
    ['a: 2020-01-01\n', 'a', '2020-01-01'],
    ['a: 12345678901234567890\n', 'a', '12345678901234567890'],
    ['a:\n', 'a', null],
    ['a:\n  b: [1, x]\n', 'a', { b: [1, 'x'] }],
    ['a: 1\n', 'a.b', undefined],
    ['a: 1\n', 'b', undefined],
    ['', 'b', undefined],
    ['x: &d {k: 1}\ny:\n  <<: *d\n', 'y.k', 1],
  ])('%j: %s', (text, path, value) => {
    expect(readYamlValue(text, path.split('.'))).toEqual(value)
  })

  it('refuses what is no YAML, with the line', () => {
    expect(() => readYamlValue('a: 1\nb: c: d\n', ['a'], 'app.yml')).toThrow(/^app\.yml:2: /)
    expect(() => readYamlValue('a: 1\nb: c: d\n', ['a'])).toThrow(/^line 2: /)
  })
})

describe('real files', () => {
  const samples = new URL('../fixtures/samples/', import.meta.url)
  const names = readdirSync(samples).filter((name) => name.endsWith('app.yml'))

  it.each(names)('%s: every setting of a new key and its removal gives back the bytes', (name) => {
    const text = readFileSync(new URL(name, samples), 'utf8')
    for (const path of [['zz'], ['zz', 'y'], ['managers', 'zz', 'type'], ['manager', 'zz']]) {
      const added = editYaml(text, [{ path, value: 'no' }])
      expect(added).not.toBe(text)
      expect(readYamlValue(added, path)).toBe('no')
      const depth = path.findIndex((_, index) => readYamlValue(text, path.slice(0, index + 1)) === undefined)
      expect(editYaml(added, [{ path: path.slice(0, depth + 1), value: undefined }])).toBe(text)
    }
  })
})
