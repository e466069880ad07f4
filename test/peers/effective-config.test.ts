import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { beforeAll, describe, expect, it } from 'vitest'
import { findOption } from '../../src/config/option.js'
import { appOptions, managerOptions } from '../../src/config/options/index.js'
import { readSites } from '../config/real-sites.js'
import { needs } from '../helpers/needs.js'
import { runCommand } from '../helpers/run-command.js'
import { tempDirectory } from '../helpers/temp-directory.js'
import { compareAnswers, type Difference } from './effective/compare-answers.js'
import { EXPLANATIONS } from './effective/explanations.js'
import {
  type Configuration,
  listConfigurations,
  makeConfigurations,
} from './effective/make-configurations.js'
import { type Answer, ourAnswer } from './effective/our-answer.js'
import { findPulsarVenv } from './pulsar-venv.js'

// What pulsar-app 0.16.0 makes of a configuration, and what Magnetar makes of it.

const { venv, missing } = findPulsarVenv()
const NAMES_PROGRAM = fileURLToPath(new URL('effective/option-names.py', import.meta.url))
const PROGRAM = fileURLToPath(new URL('effective/effective-config.py', import.meta.url))
const GENERATED = 300
const SEED = 20_261_122
const PAGE = new URL('../../docs/compatibility.md', import.meta.url)

/** What the same words of the source ask for besides: arguments of functions, and options whose names are prefixed. */
const NO_OPTIONS = [
  'catch',
  'description',
  'drmaa_session_factory_class',
  'env',
  'errback',
  'home_directory',
  'instrument_post_commands',
  'instrument_pre_commands',
  'interval_max',
  'interval_start',
  'interval_step',
  'max_retries',
  'memory_statement',
  'metadata_directory',
  'setup_params',
  'should_retry',
  'working_directory',
]

interface Compared {
  readonly configuration: Configuration
  /** By both. */
  readonly refused: boolean
  /** Ours. */
  readonly warnings: readonly string[]
  readonly differences: readonly Difference[]
}

async function compareAll(configurations: readonly Configuration[]): Promise<Compared[]> {
  const directory = await tempDirectory()
  const cases = await Promise.all(
    configurations.map(async (configuration, index) => {
      const root = join(directory, String(index))
      const placed = (text: string): string => text.replaceAll('ROOT', root)
      for (const [path, content] of Object.entries(configuration.files)) {
        const file = join(root, path)
        await mkdir(dirname(file), { recursive: true })
        await writeFile(file, placed(content))
      }
      const cwd = join(root, 'work')
      await mkdir(cwd, { recursive: true })
      const env = Object.fromEntries(
        Object.entries(configuration.env).map(([key, value]) => [key, placed(value)]),
      )
      const etc = join(root, 'etc')
      const appConfPath = configuration.by === 'app.yml' ? join(etc, 'app.yml') : undefined
      const args = ['-c', etc, ...(appConfPath === undefined ? [] : ['--app_conf_path', appConfPath])]
      return { root, cwd, env, etc, appConfPath, args, configuration }
    }),
  )
  // Ours first: the Python server makes directories.
  const ours = await Promise.all(
    cases.map(({ cwd, env, etc, appConfPath }) =>
      ourAnswer({
        configDirectory: etc,
        env,
        cwd,
        mode: 'gunicorn',
        ...(appConfPath === undefined ? {} : { appConfPath }),
      }),
    ),
  )
  const [input, output] = [join(directory, 'cases.json'), join(directory, 'answers.json')]
  await writeFile(input, JSON.stringify(cases.map(({ cwd, args, env }) => ({ cwd, args, env }))))
  const result = await runCommand(
    join(venv?.bin ?? '', 'python'),
    [PROGRAM, input, output, String(availableParallelism())],
    {
      cwd: directory,
    },
  )
  expect(result).toMatchObject({ exitCode: 0 })
  const answers = JSON.parse(await readFile(output, 'utf8')) as Answer[]
  return cases.map(({ configuration }, index) => {
    const real = answers[index] ?? {}
    const { answer = {}, warnings = [] } = ours[index] ?? {}
    const differences = compareAnswers(real, answer)
    return { configuration, refused: 'refused' in real && 'refused' in answer, warnings, differences }
  })
}

/** The reasons for a difference, by their number. */
function reasonsFor(difference: Difference, { warnings }: Compared): number[] {
  return EXPLANATIONS.flatMap((each, index) => (each.matches(difference, warnings) ? [index] : []))
}

function isUnexplained(compared: Compared): boolean {
  return compared.differences.some((difference) => reasonsFor(difference, compared).length === 0)
}

/** The figures of docs/compatibility.md. */
function renderFigures(columns: readonly (readonly Compared[])[]): string {
  const count = (matches: (compared: Compared) => boolean): string =>
    columns.map((column) => column.filter(matches).length).join(' | ')
  const hasReason = (compared: Compared, reason: number): boolean =>
    compared.differences.some((difference) => reasonsFor(difference, compared).includes(reason))
  const onlyRetries = (compared: Compared): boolean =>
    compared.differences.every((difference) => reasonsFor(difference, compared).includes(0))
  return [
    '| | of real sites | each value alone | at random |',
    '| --- | --- | --- | --- |',
    `| compared | ${count(() => true)} |`,
    `| the same in every value | ${count((each) => each.differences.length === 0 && !each.refused)} |`,
    `| the same but for how often a transfer is tried again | ${count((each) => each.differences.length > 0 && onlyRetries(each))} |`,
    `| refused by both | ${count((each) => each.refused)} |`,
    `| different in more, each difference for a reason below | ${count((each) => !onlyRetries(each) && !isUnexplained(each))} |`,
    `| different without a reason | ${count(isUnexplained)} |`,
    '',
    '| reason | of real sites | each value alone | at random |',
    '| --- | --- | --- | --- |',
    ...EXPLANATIONS.map(({ why }, index) => `| ${why} | ${count((each) => hasReason(each, index))} |`),
  ].join('\n')
}

describe('the effective configuration', needs(missing), () => {
  let samples: Compared[] = []
  let single: Compared[] = []
  let generated: Compared[] = []

  beforeAll(async () => {
    const sites = (await readSites()).map((site) => ({ ...site, env: {}, by: 'directory' as const }))
    // In one process: most of its time is for loading Pulsar.
    const made = await compareAll([...sites, ...listConfigurations(), ...makeConfigurations(GENERATED, SEED)])
    samples = made.slice(0, sites.length)
    single = made.slice(sites.length, -GENERATED)
    generated = made.slice(-GENERATED)
  }, 120_000)

  it('of real sites is that of the Python Pulsar, but for how often a transfer is tried again', () => {
    expect(samples.length).toBeGreaterThanOrEqual(14)
    const others = samples.flatMap((each) =>
      each.differences.filter((difference) => !reasonsFor(difference, each).includes(0)),
    )
    expect(others).toEqual([])
    expect(samples.filter((each) => each.refused)).toEqual([])
  })

  it.each([
    ['each value of each option', () => single],
    ['values at random', () => generated],
  ])('with %s differs from that of the Python Pulsar only for a reason', (_what, compared) => {
    const unexplained = compared()
      .filter(isUnexplained)
      .map((each) => ({
        name: each.configuration.name,
        app: each.configuration.files['etc/app.yml'],
        ini: each.configuration.files['etc/server.ini'],
        env: each.configuration.env,
        differences: each.differences.filter((one) => reasonsFor(one, each).length === 0),
      }))
    expect(unexplained).toEqual([])
  })

  it('differs for every reason that is given, and mostly for none', () => {
    const all = [...samples, ...single, ...generated]
    const unused = EXPLANATIONS.filter(
      (_, index) =>
        !all.some((each) => each.differences.some((one) => reasonsFor(one, each).includes(index))),
    )
    expect(unused).toEqual([])
    const plain = generated.filter(
      (each) => !each.refused && each.differences.every((one) => reasonsFor(one, each).includes(0)),
    )
    expect(plain.length).toBeGreaterThan(GENERATED / 2)
  })

  it('has a place for every option that the source of the Python Pulsar asks for', async () => {
    const output = join(await tempDirectory(), 'names.json')
    const result = await runCommand(join(venv?.bin ?? '', 'python'), [NAMES_PROGRAM, output])
    expect(result).toMatchObject({ exitCode: 0 })
    const names = JSON.parse(await readFile(output, 'utf8')) as string[]
    expect(names.length).toBeGreaterThan(60)
    const unknown = names.filter((name) => !findOption(appOptions, name) && !findOption(managerOptions, name))
    expect(unknown).toEqual(NO_OPTIONS)
  })

  it('is compared in docs/compatibility.md with these figures', async () => {
    expect(await readFile(PAGE, 'utf8')).toContain(renderFigures([samples, single, generated]))
  })
})
