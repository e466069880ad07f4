import { describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { readYamlValue } from '../../../src/config/edit/yaml.js'
import { quoteYaml, quoteYamlAs, renderYaml } from '../../../src/lib/edit/quote-yaml.js'
import { createRandom, HARD_TEXTS } from './random.js'

const ALPHABET = [
  ...'abyn019 :#-?,[]{}&*!|>\'"%@`~=+._xeE/\\\t\n\r\u00a0é\u2028\ufeff',
  '😀',
  'null',
  'true',
  '0x',
]

describe('a text as a YAML scalar', () => {
  it.each([
    ...[
      '12345',
      'yes',
      'null',
      '0123',
      '1e3',
      'a: b',
      '@x',
      '*x',
      'abc #c',
      '1_000',
      '12:30:45',
      '=',
      '~',
      '',
      'y',
      '0o17',
    ],
    ...['2020-01-01', '<<', ' a', 'a ', 'a:', '---', '0x_', 'a\u00a0b'],
  ])('%j gets quotes', (text) => {
    expect(quoteYaml(text)).toMatch(/^".*"$/)
  })

  it.each([
    'foo',
    '/srv/pulsar/etc',
    '-p debug',
    'a:b',
    'a#b',
    '127.0.0.1',
    "it's",
    'a "b"',
    'http://h:8913/',
    'é',
    'None',
    '1e',
  ])('%j stays plain', (text) => {
    expect(quoteYaml(text)).toBe(text)
  })

  it('is that text to readers of YAML 1.1 and of 1.2, for hard cases and thousands of random texts', () => {
    const random = createRandom(1)
    const texts: string[] = [...HARD_TEXTS]
    for (let round = 0; round < 4000; round++)
      texts.push(Array.from({ length: 1 + random.below(6) }, () => random.pick(ALPHABET)).join(''))
    let plain = 0
    for (const text of texts) {
      const line = `k: ${quoteYaml(text)}\n`
      if (quoteYaml(text) === text) plain += 1
      expect(line, JSON.stringify(text)).toMatch(/^[^\n\r\t]*\n$/)
      expect(readYamlValue(line, ['k']), line).toBe(text)
      expect(parse(line, { version: '1.2' }), line).toEqual({ k: text })
      expect(parse(line, { version: '1.1' }), line).toEqual({ k: text })
    }
    expect(plain).toBeGreaterThan(200)
  })

  it('keeps the quotes that were there, as far as they can hold it', () => {
    expect(quoteYamlAs('foo', "'")).toBe("'foo'")
    expect(quoteYamlAs("it's", "'")).toBe("'it''s'")
    expect(quoteYamlAs('a\nb', "'")).toBe('"a\\nb"')
    expect(quoteYamlAs('foo', '"')).toBe('"foo"')
  })
})

describe('a value on one line', () => {
  it.each([
    [true, 'true'],
    [null, 'null'],
    [8913, '8913'],
    [-0.5, '-0.5'],
    [1e-7, '1.0e-7'],
    [1.5e21, '1.5e+21'],
    [Number.POSITIVE_INFINITY, '.inf'],
    ['yes', '"yes"'],
    [[], '[]'],
    [{}, '{}'],
    [['a', 'b, c', 1], '[a, "b, c", 1]'],
    [{ a: { 'b:': ['1'] } }, '{a: {"b:": ["1"]}}'],
  ])('%j is %s', (value, written) => {
    expect(renderYaml(value)).toBe(written)
    expect(readYamlValue(`k: ${written}\n`, ['k'])).toEqual(value)
  })
})
