import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { beforeAll, describe, expect, it } from 'vitest'
import { type OutputListings, planOutputs } from '../../src/staging/collect-outputs.js'
import type { OutputPlan } from '../../src/staging/output-plan.js'
import { parseRemoteStaging } from '../../src/staging/remote-staging.js'
import { needs } from '../helpers/needs.js'
import { runCommand } from '../helpers/run-command.js'
import { tempDirectory } from '../helpers/temp-directory.js'
import { findPulsarVenv } from './pulsar-venv.js'
import { createRandom, type Random } from './random.js'

interface Case {
  mapper: Record<string, unknown>
  outputs: Record<string, unknown>
  listings: OutputListings
  dynamicFiles: { type: string; path: string; contents: string }[]
}

type Collected = Record<string, unknown>

interface Answer {
  collected: Collected[]
  /** Files for which no action could be chosen. */
  failures: string[]
  aborted: string | null
}

const CASES = 600

const { venv, missing } = findPulsarVenv()

/**
 * Where the Python server gives up in the middle (`Failed to remove`, a collector without a pattern, a pattern that is none), the
 * rest is collected here, and the collection failed all the same: its files are the first of ours. Two of these do not fail here:
 * a collector with discover_via tool_provided_metadata, which Galaxy sends rightly, and extra_files that are no text.
 */
const HARMLESS_HERE = [
  "AttributeError: 'ToolProvidedMetadataDatasetCollection' object has no attribute 'pattern'",
  'TypeError: startswith first arg must be str or a tuple of str, not NoneType',
]

describe('what is collected', needs(missing), () => {
  const random = createRandom(20_260_805)
  const cases = Array.from({ length: CASES }, () => makeCase(random))
  let answers: Answer[] = []

  beforeAll(async () => {
    const directory = await tempDirectory()
    const [input, output] = [join(directory, 'cases.json'), join(directory, 'answers.json')]
    await writeFile(input, JSON.stringify(cases))
    const program = fileURLToPath(new URL('collect-outputs.py', import.meta.url))
    const result = await runCommand(join(venv?.bin ?? '', 'python'), [program, input, output], {
      cwd: directory,
    })
    expect(result).toMatchObject({ exitCode: 0 })
    answers = JSON.parse(await readFile(output, 'utf8'))
  })

  it('is what the Python Pulsar collects, in its order', () => {
    const different = cases.flatMap((each, index) => {
      const [found, answer] = [plan(each), answers[index]]
      return answer && agree(found, answer) ? [] : [{ ...each, found, answer }]
    })
    expect(different).toEqual([])
  })

  it('is much, and of every kind', () => {
    const collected = answers.flatMap((answer) => answer.collected)
    const count = (key: string, value: unknown) => collected.filter((each) => each[key] === value).length
    expect(collected.length).toBeGreaterThan(CASES * 5)
    for (const type of ['output', 'output_workdir', 'output_metadata', 'output_jobdir']) {
      expect(count('type', type)).toBeGreaterThan(CASES / 4)
    }
    for (const action of [
      'none',
      'copy',
      'transfer',
      'rewrite',
      'remote_copy',
      'remote_transfer',
      'remote_transfer_tus',
    ]) {
      expect(count('action_type', action)).toBeGreaterThan(CASES / 20)
    }
    expect(count('action_type', 'remote_rsync_transfer')).toBeGreaterThan(10)
    expect(answers.filter((answer) => answer.failures.length > 0).length).toBeGreaterThan(10)
    for (const start of ['Exception: Failed to remove', ...HARMLESS_HERE, 'error: ']) {
      expect(answers.filter((answer) => answer.aborted?.startsWith(start)).length).toBeGreaterThan(3)
    }
  })
})

function plan({ mapper, outputs, listings, dynamicFiles }: Case): OutputPlan {
  const staging = parseRemoteStaging({ action_mapper: mapper, client_outputs: outputs })
  if (!staging.mapper) throw new Error('there is no mapper')
  return planOutputs({ mapper: staging.mapper, clientOutputs: staging.clientOutputs, listings, dynamicFiles })
}

function agree(found: OutputPlan, { collected, failures, aborted }: Answer): boolean {
  const ours = found.outputs.map(({ type, name, action }) =>
    JSON.stringify(sorted({ type, name, ...action })),
  )
  const theirs = collected.map((each) => JSON.stringify(sorted(each)))
  if (aborted === null) {
    return (
      JSON.stringify(ours) === JSON.stringify(theirs) && found.failures.length > 0 === failures.length > 0
    )
  }
  const isStart = theirs.every((each, index) => each === ours[index])
  return isStart && (found.failures.length > 0 || failures.length > 0 || HARMLESS_HERE.includes(aborted))
}

/** The keys that both have: the client's own of `rewrite` and an unset port are no concern of whoever moves a file. */
function sorted(action: Collected): Collected {
  const known = Object.entries(action).filter(
    ([key, value]) => value !== null && !['source_directory', 'destination_directory'].includes(key),
  )
  return Object.fromEntries(known.sort(([one], [other]) => (one < other ? -1 : 1)))
}

const WORKING = [
  'out.txt',
  'out2.txt',
  'galaxy.json',
  'primary_DATASET_ID_a_visible_txt',
  'primary_1',
  'metadata_5',
  'd/a',
  'd/b.txt',
  'd/s/c',
  'dd/e',
  'split/p_1.fq',
  'split/p_2.fq.gz',
  'x y&z',
  'é.txt',
  'a[1].txt',
  'dataset_1.dat',
  'dataset_2_files/x/y',
  'outputs_populated/9',
  'tool_stdout',
  'notes',
  'd*',
  'refer',
  'refer2',
  'extra/1',
  'extra/2',
  '.hidden',
  'out',
  'd.txt',
] as const
const OUTPUTS = [
  'dataset_1.dat',
  'dataset_2.dat',
  'dataset_3.dat',
  'dataset_1_files/extra',
  'dataset_1_files/i/a b.png',
  'dataset_2_files/x',
  'COMMAND_VERSION',
  'dataset_11_files/z',
  'other',
  'x.html',
  'x._files/q',
] as const
const METADATA = [
  'tool_stdout',
  'tool_stderr',
  'job_stdout',
  'metadata_7',
  '__instrument_core_epoch_end',
  'memory_statement.log',
  'd/metadata_1',
  'refer',
] as const
const JOBDIR = [
  'tool_stdout',
  'working',
  'command.sh',
  'galaxy.json',
  'return_code',
  'metadata',
  'primary_9',
] as const
const DESTINATIONS = [
  '/g/f/dataset_1.dat',
  '/g/f/dataset_2.dat',
  '/g/f/dataset_3.dat',
  '/g/f2/dataset_1.dat',
  '/g/f/x.html',
  '/g/f/a b.dat',
  '/g/f/é',
  '/g/f/other',
  '/g/f/sub/',
  '/g/f/abc',
] as const
const SOURCES = [
  ...WORKING,
  'd',
  'split',
  '*.txt',
  'd/*',
  '*',
  'p*_?',
  '[op]*',
  'nothing',
  'no*thing',
  '../w/out.txt',
  './out.txt',
  'd//a',
  '../x',
  '[!a-o]*',
] as const
const PATTERNS = [
  '.*',
  'out.*',
  String.raw`(?P<name>[^.]+)\.txt$`,
  'd/',
  '^notes$',
  String.raw`(?i)OUT\d?`,
  'refer',
  'tool_std(out|err)',
  'outputs_populated/.*',
  String.raw`.*\.(fq|fq\.gz)`,
  'metadata',
  String.raw`\w+\Z`,
  '(?:a|[dx]).',
  '.',
  '(?!galaxy).*json',
  '[',
  'a{2,1}',
] as const
const ACTIONS = [
  'none',
  'transfer',
  'copy',
  'remote_copy',
  'remote_transfer',
  'remote_transfer',
  'remote_transfer_tus',
  'rewrite',
  'remote_rsync_transfer',
  'remote_scp_transfer',
  'remote_object_store_copy',
] as const
const PATH_TYPES = [
  'output',
  'output_workdir',
  'output_metadata',
  'output_jobdir',
  '*defaults*',
  '*any*',
  'input',
  'output,output_workdir',
  'output_metadata, output',
] as const

function makeCase(random: Random): Case {
  const endpoint = random.pick([
    'https://galaxy.example/api/jobs/1/files?job_key=K',
    'http://galaxy.example/f',
    '',
    null,
  ])
  return {
    mapper: {
      default_action: random.pick(ACTIONS),
      files_endpoint: random.chance(0.8) ? 'https://galaxy.example/api/jobs/1/files?job_key=K' : endpoint,
      ssh_key: random.chance(0.8) ? 'KEY' : null,
      ssh_user: 'galaxy',
      ssh_host: 'galaxy.example',
      ssh_port: random.pick([22, '2222', null]),
      paths: Array.from({ length: random.below(5) }, () => makeMapper(random)),
    },
    outputs: makeOutputs(random),
    listings: {
      working: shuffled(random, WORKING),
      outputs: shuffled(random, OUTPUTS),
      metadata: shuffled(random, METADATA),
      jobdir: shuffled(random, JOBDIR),
    },
    dynamicFiles: random.chance(0.5) ? [makeGalaxyJson(random)] : [],
  }
}

function shuffled(random: Random, names: readonly string[]): string[] {
  const chosen = names.filter(() => random.chance(0.6))
  return chosen
    .map((name) => ({ name, at: random.below(1000) }))
    .sort((a, b) => a.at - b.at)
    .map(({ name }) => name)
}

function makeMapper(random: Random): Record<string, unknown> {
  const [match_type, path] = random.pick([
    ['prefix', '/g/f'],
    ['prefix', '/g/w/'],
    ['prefix', '/g/f/../m'],
    ['prefix', '/g/f/dataset_1'],
    ['glob', '/g/*/d*'],
    ['glob', '*.txt'],
    ['glob', '/g/[mw]/*'],
    ['regex', String.raw`/g/f\d?/`],
    ['regex', String.raw`.*\.dat`],
    ['regex', '/g/(?P<x>w|m)/'],
    ['path_type_only', undefined],
    [undefined, '/g/w'],
  ] as const)
  const action = random.pick(ACTIONS)
  return {
    action,
    path_types: random.pick(PATH_TYPES),
    ...(match_type === undefined ? {} : { match_type }),
    ...(path === undefined ? {} : { path }),
    depth: random.below(3),
    ...(action === 'rewrite' ? { source_directory: '/g', destination_directory: '/h' } : {}),
    ...(random.chance(0.3) ? { ssh_user: random.pick(['other', '__UNSET__']) } : {}),
    ...(random.chance(0.2) ? { ssh_key: random.pick(['MINE', '__UNSET__', null]) } : {}),
  }
}

function makeOutputs(random: Random): Record<string, unknown> {
  const files = random.some(DESTINATIONS, 6)
  const sources = random.some(SOURCES, 4)
  return {
    working_directory:
      sources.length > 0 || random.chance(0.9) ? random.pick(['/g/w', '/g/w/', '/g//w/.']) : null,
    metadata_directory: random.chance(0.8) ? '/g/m' : null,
    job_directory: random.chance(0.7) ? '/g/j' : null,
    // Mostly among the output files, as Galaxy has it; else the Python server gives up there.
    work_dir_outputs: sources.map((source) => {
      const known = files.length > 0 && random.chance(0.9)
      return [`/g/w/${source}`, random.pick(known ? files : DESTINATIONS)]
    }),
    output_files: [...files, ...files.filter(() => random.chance(0.7))],
    version_file: random.chance(0.5) ? '/g/f/GALAXY_VERSION_5' : null,
    dynamic_outputs: random.chance(0.5) ? null : patterns(random),
    dataset_collector_descriptions: Array.from({ length: random.chance(0.4) ? random.below(3) : 0 }, () =>
      makeCollector(random),
    ),
  }
}

function patterns(random: Random): string[] {
  return random.some(random.chance(0.1) ? PATTERNS : PATTERNS.slice(0, -2), 3)
}

function makeCollector(random: Random): Record<string, unknown> {
  if (random.chance(0.1)) return { discover_via: 'tool_provided_metadata', directory: null, visible: true }
  const named = ['__default__', '__name__', '__designation__', '__name_and_ext__', '__designation_and_ext__']
  return {
    pattern: random.chance(0.4) ? random.pick(named) : (patterns(random)[0] ?? '__name__'),
    ...(random.chance(0.6)
      ? { directory: random.pick(['d', 'd/', './split', 'd/s', 'nothing', 'out', '.', 'x/../d', '']) }
      : {}),
    ...(random.chance(0.3) ? { discover_via: 'pattern' } : {}),
    ...(random.chance(0.3) ? { from_provided_metadata: random.pick([false, 'false', 'no']) } : {}),
    match_relative_path: random.chance(0.5),
    recurse: random.chance(0.5),
    sort_key: 'filename',
    sort_comp: 'lexical',
    sort_reverse: false,
  }
}

function makeGalaxyJson(random: Random): Case['dynamicFiles'][number] {
  const entry = (): unknown => {
    const one: Record<string, unknown> = {
      filename: random.pick(['refer', 'out.txt', 'tool_stdout', 'nothing', null, 5]),
    }
    if (random.chance(0.4))
      one.extra_files = random.pick(['extra', 'extra/', 'd', 'nothing', 'dataset_2_files'])
    if (random.chance(0.06)) one.extra_files = null
    return random.chance(0.4) ? { elements: [one, [{ name: 'x', value: one }]] } : one
  }
  const entries = Array.from({ length: random.below(3) + 1 }, entry)
  if (random.chance(0.3)) {
    const lines = entries.map((each) => JSON.stringify(each))
    const contents = [...lines, random.pick(['', 'no json', '{"filename": "refer2"}'])].join(
      random.pick(['\n', '\r\n', '\u2028']),
    )
    return { type: 'legacy_galaxy', path: 'galaxy.json', contents }
  }
  const contents = JSON.stringify(entries)
  const damaged = random.chance(0.1) ? contents.slice(1) : contents
  return { type: 'galaxy', path: 'galaxy.json', contents: damaged.replace(':5}', ':NaN}') }
}
