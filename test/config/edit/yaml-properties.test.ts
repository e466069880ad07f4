import { describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { editYaml, readYamlValue } from '../../../src/config/edit/yaml.js'
import type { YamlValue } from '../../../src/lib/edit/quote-yaml.js'
import { createRandom, HARD_TEXTS, type Random } from './random.js'
import { makeYaml } from './random-yaml.js'

const ROUNDS = 500

function randomValue(random: Random): YamlValue {
  return random.pick<() => YamlValue>([
    () => random.pick(HARD_TEXTS),
    () => random.pick(HARD_TEXTS),
    () => random.pick([true, false]),
    () => random.pick([0, 8913, -1, 0.5, 1e-7, 1e30]),
    () => ['a', random.pick(HARD_TEXTS)],
  ])()
}

/** What a reader of YAML 1.2, which the editor does not use, makes of a file. */
function readElsewhere(text: string): Record<string, unknown> {
  return parse(text, { version: '1.2' }) ?? {}
}

/** Sets or takes away a value in the plain object of a file. */
function change(object: unknown, path: readonly string[], value: unknown): unknown {
  const [key = '', ...rest] = path
  const copy: Record<string, unknown> = { ...(object as Record<string, unknown> | null) }
  if (rest.length > 0) copy[key] = change(copy[key], rest, value)
  else if (value === undefined) delete copy[key]
  else copy[key] = value
  return copy
}

/** The lines of `more` that are not in `less`, when they stand together; fails when `less` is anything but the rest. */
function linesBetween(less: string, more: string, lineBreak: string): string[] {
  const [short, long] = [less, more].map((text) => text.replace('\ufeff', '').split(lineBreak)) as [
    string[],
    string[],
  ]
  let same = 0
  while (same < short.length && short[same] === long[same]) same += 1
  const extra = long.length - short.length
  expect([...long.slice(0, same), ...long.slice(same + extra)]).toEqual(short)
  return long.slice(same, same + extra)
}

describe('editing thousands of made-up files', () => {
  it('gives a key the wanted value and touches no line of any other', () => {
    const random = createRandom(20_161)
    for (let round = 0; round < ROUNDS; round++) {
      const { text, leaves, lineBreak } = makeYaml(random)
      if (leaves.length === 0) continue
      const { path, from, to } = random.pick(leaves)
      const value = randomValue(random)
      const after = editYaml(text, [{ path, value }])
      expect(readYamlValue(after, path), text).toEqual(value)
      expect(readElsewhere(after), text).toEqual(change(readElsewhere(text), path, value))
      const [lines, now] = [text.split(lineBreak), after.split(lineBreak)]
      expect(now.slice(0, from), text).toEqual(lines.slice(0, from))
      expect(now.slice(now.length - (lines.length - to)), text).toEqual(lines.slice(to))
      const comment = /(?: +#[^"]*)?$/.exec(lines[from] ?? '')?.[0] ?? ''
      if (to === from + 1) expect(now[from]?.endsWith(comment), text).toBe(true)
    }
  })

  it('leaves the bytes alone when the value is there already', () => {
    const random = createRandom(20_162)
    for (let round = 0; round < ROUNDS; round++) {
      const { text, leaves, mappings } = makeYaml(random)
      for (const path of [...leaves.map((leaf) => leaf.path), ...mappings.slice(1)]) {
        const value = readYamlValue(text, path)
        expect(value).not.toBeUndefined()
        expect(editYaml(text, [{ path, value }]), text).toBe(text)
      }
    }
  })

  it('puts a new key on lines of its own, and taking it away gives back the bytes', () => {
    const random = createRandom(20_163)
    for (let round = 0; round < ROUNDS; round++) {
      const { text, mappings, lineBreak } = makeYaml(random)
      const mapping = random.pick(mappings)
      const name = random.pick(['new', 'yes', 'a: b', 'job_--mem', '0750'])
      const path = random.chance(0.3) ? [...mapping, name, 'inner'] : [...mapping, name]
      const value = random.chance(0.1) ? { a: randomValue(random), b: 'c' } : randomValue(random)
      const siblings = Object.keys(readYamlValue(text, mapping) ?? {})
      const after = random.chance(0.3) && siblings.length > 0 ? { after: random.pick(siblings) } : {}
      const added = editYaml(text, [{ path, value, ...after }])
      expect(readYamlValue(added, path), text).toEqual(value)
      expect(readElsewhere(added), text).toEqual(change(readElsewhere(text), path, value))
      if (siblings.length > 0) {
        const lines = linesBetween(text, added, lineBreak)
        expect(lines.length, text).toBe(
          path.length - mapping.length + (typeof value === 'object' && 'a' in (value ?? {}) ? 2 : 0),
        )
      }
      expect(editYaml(added, [{ path: [...mapping, name], value: undefined }]), text).toBe(text)
    }
  })

  it('takes away a key with its lines and nothing else', () => {
    const random = createRandom(20_164)
    for (let round = 0; round < ROUNDS; round++) {
      const { text, leaves, mappings, lineBreak } = makeYaml(random)
      const paths = [...leaves.map((leaf) => leaf.path), ...mappings.slice(1)]
      if (paths.length === 0) continue
      const path = random.pick(paths)
      const after = editYaml(text, [{ path, value: undefined }])
      expect(readElsewhere(after), text).toEqual(change(readElsewhere(text), path, undefined))
      const isOnly = Object.keys(readYamlValue(text, path.slice(0, -1)) ?? {}).length === 1
      if (!isOnly) linesBetween(after, text, lineBreak)
    }
  })

  it('makes one mapping of another', () => {
    const random = createRandom(20_165)
    for (let round = 0; round < ROUNDS; round++) {
      const [{ text, mappings }, other] = [makeYaml(random), makeYaml(random)]
      const path = mappings[1]
      const value = readYamlValue(other.text, other.mappings[1] ?? [])
      if (path === undefined || value === undefined) continue
      const after = editYaml(text, [{ path, value }])
      expect(readYamlValue(after, path), text).toEqual(value)
      expect(readElsewhere(after), text).toEqual(change(readElsewhere(text), path, value))
    }
  })
})
