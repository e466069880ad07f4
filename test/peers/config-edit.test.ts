import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { editIni } from '../../src/config/edit/ini.js'
import { editYaml, readYamlValue } from '../../src/config/edit/yaml.js'
import { quoteYaml } from '../../src/lib/edit/quote-yaml.js'
import { runCommand } from '../../src/lib/exec.js'
import { createRandom, HARD_TEXTS } from '../config/edit/random.js'
import { makeYaml } from '../config/edit/random-yaml.js'
import { needs } from '../helpers/needs.js'
import { findPulsarVenv } from './pulsar-venv.js'

const { venv, missing } = findPulsarVenv()

const READ_YAML = `
import json, sys, yaml
def read(text):
    try:
        return yaml.safe_load(text)
    except Exception as error:
        return {"error": str(error)}
json.dump([read(text) for text in json.load(sys.stdin)], sys.stdout, default=str)
`

const READ_INI = `
import configparser, json, sys
def read(text):
    parser = configparser.ConfigParser()
    parser.read_string(text)
    return {section: dict(parser.items(section, raw=True)) for section in parser.sections()}
json.dump([read(text) for text in json.load(sys.stdin)], sys.stdout)
`

/** What Python makes of each text. */
async function askPython(script: string, texts: readonly string[]): Promise<unknown[]> {
  const python = join(venv?.bin ?? '', 'python')
  const { code, stdout, stderr } = await runCommand(python, ['-c', script], {
    timeoutMs: 120_000,
    input: JSON.stringify(texts),
    maxOutputBytes: 64 * 1024 * 1024,
  })
  expect(stderr).toBe('')
  expect(code).toBe(0)
  return JSON.parse(stdout)
}

const ALPHABET = [
  ...'abyn019 :#-?,[]{}&*!|>\'"%@`~=+._xeE/\\\t\n\u00a0é\u0085\u2028\ufeff',
  '😀',
  'null',
  'true',
  '0x',
  '0b',
  '0o',
  '12',
  ':30',
]

describe('edited files, read by Python', needs(missing), () => {
  it('PyYAML reads every text as it was before it was quoted, as a value and as a key', async () => {
    const random = createRandom(30_001)
    const texts: string[] = [...HARD_TEXTS]
    for (let round = 0; round < 5000; round++)
      texts.push(Array.from({ length: 1 + random.below(6) }, () => random.pick(ALPHABET)).join(''))
    const read = await askPython(
      READ_YAML,
      texts.flatMap((text) => [`k: ${quoteYaml(text)}\n`, `m:\n  ${quoteYaml(text)}: 1\n`]),
    )
    for (const [index, text] of texts.entries()) {
      expect(read[2 * index], JSON.stringify(text)).toEqual({ k: text })
      expect(read[2 * index + 1], JSON.stringify(text)).toEqual({ m: { [text]: 1 } })
    }
  })

  it('PyYAML finds the wanted values in edited files, and all others as they were', async () => {
    const random = createRandom(30_002)
    const cases = Array.from({ length: 400 }, () => {
      const { text, leaves, mappings } = makeYaml(random)
      const path = [...random.pick(mappings), 'new key']
      const value = random.pick(HARD_TEXTS)
      const changed =
        leaves.length > 0
          ? [{ path: random.pick(leaves).path, value: random.pick([5, true, 0.5, 'it is']) }]
          : []
      return {
        text,
        after: editYaml(text, [{ path, value }, ...changed]),
        wanted: [{ path, value }, ...changed],
      }
    })
    const before = await askPython(
      READ_YAML,
      cases.map(({ text }) => text),
    )
    const after = await askPython(
      READ_YAML,
      cases.map((each) => each.after),
    )
    for (const [index, { text, wanted }] of cases.entries()) {
      const expected = wanted.reduce(
        (object, { path, value }) => setIn(object, path, value),
        (before[index] ?? {}) as Record<string, unknown>,
      )
      expect(after[index], text).toEqual(expected)
    }
    expect(
      cases.every(({ after: edited, wanted }) =>
        wanted.every(({ path, value }) => readYamlValue(edited, path) === value),
      ),
    ).toBe(true)
  })

  it('configparser finds the wanted options in edited files', async () => {
    const text = '[a]\nk = v\n  w\nuser            = u\n\n; c\n[b]\nx: y\n'
    const edits = [
      { section: 'a', key: 'K', value: 'one\ntwo' },
      { section: 'a', key: 'new', value: 'a = b # c' },
      { section: 'b', key: 'x', value: '' },
      { section: 'c d', key: 'port', value: '8913' },
    ]
    const [read] = await askPython(READ_INI, [editIni(text, edits)])
    expect(read).toEqual({
      a: { k: 'one\ntwo', user: 'u', new: 'a = b # c' },
      b: { x: '' },
      'c d': { port: '8913' },
    })
  })
})

function setIn(
  object: unknown,
  [key = '', ...rest]: readonly string[],
  value: unknown,
): Record<string, unknown> {
  const copy = { ...(object as Record<string, unknown> | null) }
  copy[key] = rest.length > 0 ? setIn(copy[key], rest, value) : value
  return copy
}
