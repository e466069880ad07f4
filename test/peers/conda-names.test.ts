import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { beforeAll, describe, expect, it } from 'vitest'
import {
  environmentName,
  legacySingleName,
  lookupNames,
  singleName,
  specOf,
  targetOf,
} from '../../src/dependencies/conda/targets.js'
import type { Requirement } from '../../src/dependencies/types.js'
import { needs } from '../helpers/needs.js'
import { runCommand } from '../helpers/run-command.js'
import { tempDirectory } from '../helpers/temp-directory.js'
import { findPulsarVenv } from './pulsar-venv.js'

interface Case {
  readonly requirements: readonly Requirement[]
  readonly versionless: boolean
}

type Answer =
  | { readonly refused: string }
  | { readonly specs: string[]; readonly lookup: string[]; readonly singles: string[][] }

const CASES = 1000
const NAMES = [
  'zlib',
  'samtools',
  'BWA',
  'R-Base',
  'bioconductor-DESeq2',
  'perl',
  '_r-mutex',
  'ucsc.x',
  'G++',
  'a b',
  'x"y',
]
const VERSIONS = [
  '1.2.8',
  '0.7.17',
  '1.2.8=h1',
  '1.0--2',
  '>=2',
  '2024.01',
  'V1',
  '1.0*',
  '1!2.0',
  '',
  undefined,
  "1'0",
  '1\x1c2',
  '1\u00a02',
  'größe',
]
const URIS = [
  'https://anaconda.org/bioconda/Samtools',
  'https://anaconda.org/conda-forge/zlib',
  'https://anaconda.org/größe/name',
  'https://anacondaXorg/a/b/last',
  'https://bio.tools/samtools',
  'xhttps://anaconda.org/a/b',
]

const { venv, missing } = findPulsarVenv()

describe('packages and environments', needs(missing), () => {
  const random = createRandom(20_260_811)
  const cases = Array.from({ length: CASES }, () => makeCase(random))
  let answers: Answer[] = []

  beforeAll(async () => {
    const directory = await tempDirectory()
    const [input, output] = [join(directory, 'cases.json'), join(directory, 'answers.json')]
    await writeFile(input, JSON.stringify(cases))
    const program = fileURLToPath(new URL('conda-names.py', import.meta.url))
    const result = await runCommand(join(venv?.bin ?? '', 'python'), [program, input, output], {
      cwd: directory,
    })
    expect(result).toMatchObject({ exitCode: 0 })
    answers = JSON.parse(await readFile(output, 'utf8'))
  })

  it('have the names that galaxy-tool-util gives them', () => {
    expect(cases.map(describeCase)).toEqual(answers.map(asOurs))
  })

  it('are of every kind', () => {
    const kept = answers.flatMap((answer) => ('refused' in answer ? [] : [answer]))
    const count = (is: (answer: (typeof kept)[number]) => boolean): number => kept.filter(is).length
    expect(answers.length - kept.length).toBeGreaterThan(CASES / 20)
    expect(count(({ specs }) => specs.length === 1)).toBeGreaterThan(CASES / 10)
    expect(count(({ lookup }) => lookup[0]?.startsWith('mulled-v1-') === true)).toBeGreaterThan(CASES / 5)
    expect(count(({ lookup }) => lookup[0] !== lookup[1])).toBeGreaterThan(CASES / 10)
  })
})

/** Ours, in the shape of the answers. */
function describeCase({ requirements, versionless }: Case): unknown {
  try {
    const targets = requirements.map((each) => targetOf(each, versionless))
    const isOne = targets.length === 1
    return {
      specs: targets.map(specOf),
      lookup: [...lookupNames(targets)],
      create: environmentName(targets),
      singles: targets.map((each) => (isOne ? [] : [singleName(each), legacySingleName(each)])),
    }
  } catch {
    return 'refused'
  }
}

/** Of a single package the older name is looked for after the current one, by CondaDependencyResolver.resolve. */
function asOurs(answer: Answer): unknown {
  if ('refused' in answer) return 'refused'
  const { specs, lookup, singles } = answer
  const names = singles.length === 1 ? (singles[0] ?? []) : lookup
  return {
    specs,
    lookup: [...new Set(names)],
    create: lookup[1],
    singles: singles.map((each) => (singles.length === 1 ? [] : each)),
  }
}

interface Random {
  below(limit: number): number
  pick<T>(items: readonly T[]): T
}

/** mulberry32 */
function createRandom(seed: number): Random {
  let state = seed
  const next = (): number => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
  const below = (limit: number): number => Math.floor(next() * limit)
  return { below, pick: (items) => items[below(items.length)] as (typeof items)[number] }
}

function makeCase({ below, pick }: Random): Case {
  // What is refused is rare in each requirement, or no longer list would be accepted.
  const rare = <T>(items: readonly T[], common: number): T =>
    pick(below(10) === 0 ? items : items.slice(0, common))
  const requirements = Array.from({ length: 1 + below(below(2) === 0 ? 1 : 5) }, () => ({
    name: rare(NAMES, 9),
    type: 'package',
    version: rare(VERSIONS, 11),
    specs: Array.from({ length: below(4) === 0 ? 1 + below(2) : 0 }, () => ({
      uri: pick(URIS),
      version: pick(['9.9', undefined, '']),
    })),
  }))
  return { requirements, versionless: below(6) === 0 }
}
