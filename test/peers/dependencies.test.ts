import { cp, mkdir, readFile, symlink, utimes, writeFile } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { beforeAll, describe, expect, it } from 'vitest'
import { loadConfig } from '../../src/config/load.js'
import type { ResolverConfig } from '../../src/config/types.js'
import { openDependencies } from '../../src/dependencies/dependencies.js'
import { silentLogger } from '../../src/lib/log.js'
import { needs } from '../helpers/needs.js'
import { runCommand } from '../helpers/run-command.js'
import { tempDirectory } from '../helpers/temp-directory.js'
import { findLmod, findModulecmd } from './find-modules.js'
import { findPulsarVenv } from './pulsar-venv.js'
import { createRandom, type Random } from './random.js'

const { venv, missing } = findPulsarVenv()
const SAMPLES = fileURLToPath(new URL('../config/fixtures/samples/', import.meta.url))
const CONFIGS = 300
const JOBS = 250

async function askGalaxy<A>(cases: readonly unknown[], cwd: string): Promise<A[]> {
  const [input, output] = [join(cwd, 'cases.json'), join(cwd, 'answers.json')]
  await writeFile(input, JSON.stringify(cases))
  const program = fileURLToPath(new URL('dependencies.py', import.meta.url))
  const result = await runCommand(join(venv?.bin ?? '', 'python'), [program, input, output], { cwd })
  expect(result).toMatchObject({ exitCode: 0 })
  return JSON.parse(await readFile(output, 'utf8')) as A[]
}

describe('the configuration of resolvers', needs(missing), () => {
  type Answer = { error: string } | { base: string | null; resolvers: { type: string; options: unknown }[] }
  let ours: Answer[] = []
  let galaxys: Answer[] = []

  async function read(configDirectory: string, cwd: string): Promise<Answer> {
    try {
      const { dependencies } = await loadConfig({ configDirectory, env: {}, cwd })
      const resolvers = dependencies?.resolvers.map(({ type, options }) => ({ type, options })) ?? []
      return { base: dependencies?.baseDirectory ?? null, resolvers }
    } catch (error) {
      return { error: String(error) }
    }
  }

  beforeAll(async () => {
    const cwd = await tempDirectory()
    const random = createRandom(20_261_122)
    const directories: string[] = []
    for (let index = 0; index < CONFIGS; index++) {
      const directory = join(cwd, String(index))
      await mkdir(directory)
      for (const [name, text] of Object.entries(makeConfig(random)))
        await writeFile(join(directory, name), text)
      directories.push(directory)
    }
    for (const sample of ['issue133', 'gtn-2023', 'gtn-2019-rest', 'dagobah-exercise', 'org-bridges2']) {
      const directory = join(cwd, sample)
      await mkdir(directory)
      await cp(join(SAMPLES, `${sample}.app.yml`), join(directory, 'app.yml'))
      const resolvers = join(SAMPLES, `${sample}.dependency_resolvers_conf.xml`)
      if (sample === 'issue133') await cp(resolvers, join(directory, 'dependency_resolvers_conf.xml'))
      directories.push(directory)
    }
    galaxys = await askGalaxy(
      directories.map((configDirectory) => ({ configDirectory })),
      cwd,
    )
    ours = await Promise.all(directories.map((directory) => read(directory, cwd)))
  })

  it('gives the same resolvers, with the same options, as in Galaxy, or none where Galaxy refuses', () => {
    const different = galaxys.flatMap((galaxy, index) => {
      const found = ours[index]
      const isSame =
        'error' in galaxy
          ? found !== undefined && 'error' in found
          : JSON.stringify(galaxy) === JSON.stringify(found)
      return isSame ? [] : [{ index, galaxy, found }]
    })
    expect(different).toEqual([])
  })

  it('is of every kind', () => {
    const resolvers = galaxys.flatMap((each) => ('error' in each ? [] : [each.resolvers]))
    expect(galaxys.length - resolvers.length).toBeGreaterThan(20)
    expect(resolvers.filter((each) => each.length === 0).length).toBeGreaterThan(20)
    expect(new Set(resolvers.flat().map(({ type }) => type)).size).toBe(8)
  })
})

const TYPES = [
  'conda',
  'galaxy_packages',
  'tool_shed_packages',
  'unlinked_tool_shed_packages',
  'modules',
  'lmod',
  'homebrew',
  'tool_shed_tap',
] as const
const OPTIONS: Record<string, readonly unknown[]> = {
  versionless: ['true', 'True', 'false', true, false],
  auto_install: ['True', 'yes', true, 'on'],
  prefix: ['/opt/conda', 'a b', '', null, "it's & <more>"],
  ensure_channels: ['a,b', '', ['a', 'b']],
  base_path: ['/p', 'relative'],
  modulepath: ['/m:/n'],
}

function makeConfig(random: Random): Record<string, string> {
  const app: Record<string, unknown> = {}
  const add = (part: number, key: string, values: readonly unknown[]): void => {
    if (random.chance(part)) app[key] = random.pick(values)
  }
  add(0.3, 'tool_dependency_dir', ['/deps', 'deps', 'none', 'None', null, '', '/x/../deps'])
  add(0.1, 'use_tool_dependencies', [true, false, null])
  add(0.1, 'conda_auto_install', [true, 'True', null])
  add(0.15, 'dependency_resolvers', [makeList(random), [], null, 'conda', { type: 'conda' }])
  if (random.chance(0.2)) {
    app.dependency_resolution = random.pick([
      { use: random.pick([true, false, null]), resolvers: random.pick([makeList(random), null]) },
      { default_base_path: random.pick(['/other', null]), cache: null },
      null,
      ['conda'],
    ])
  }
  const file = random.pick(['dependency_resolvers_conf.xml', 'r.yml', 'r.yaml.sample', 'r.xml', 'none.xml'])
  if (file !== 'dependency_resolvers_conf.xml' || random.chance(0.3))
    app.dependency_resolvers_config_file = file
  // JSON is YAML.
  const files = { 'app.yml': JSON.stringify(app) }
  if (file === 'none.xml') return files
  return { ...files, [file]: file.endsWith('xml') ? makeXml(random) : makeYaml(random) }
}

function makeOptions(random: Random): Record<string, unknown> {
  return Object.fromEntries(
    random.some(Object.keys(OPTIONS), 3).map((name) => [name, random.pick(OPTIONS[name] ?? [])]),
  )
}

function makeList(random: Random): unknown[] {
  return random.some(TYPES, 4).map((type) => {
    const name = random.pick(['type', 'type', 'resolver_type'])
    return { [name]: random.chance(0.05) ? random.pick(['condo', null, '']) : type, ...makeOptions(random) }
  })
}

function makeYaml(random: Random): string {
  if (random.chance(0.1)) return random.pick(['', 'a: b', '- conda', '[', 'x', '- {auto_init: true}'])
  return JSON.stringify(makeList(random))
}

function makeXml(random: Random): string {
  if (random.chance(0.1))
    return random.pick(['', '<a>', '<a><conda></a>', '<a><conda x=1/></a>', 'text', '<a/>x'])
  const escapeXml = (text: string): string =>
    text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;')
  const children = random.some(random.chance(0.1) ? [...TYPES, 'condo'] : TYPES, 5).map((type) => {
    const attributes = Object.entries(makeOptions(random)).map(
      ([name, value]) => ` ${name}="${escapeXml(String(value))}"`,
    )
    return `<${type}${attributes.join('')}${random.pick(['/>', ` ></${type}>`, `>\n <inner/> text</${type}>`])}`
  })
  const comment = random.pick(['', '<!-- <conda/> -->', '<!-- a\n b -->'])
  const root = random.pick(['dependency_resolvers', 'anything'])
  return `${random.pick(['', '<?xml version="1.0"?>\n'])}<${root}>\n${children.join(`\n${comment}\n`)}\n</${root}>\n`
}

describe('requirements that galaxy_packages, tool shed packages and modules meet', needs(missing), () => {
  const [modulecmd, lmod] = [findModulecmd(), findLmod()]
  let effects: { ours: string; galaxys: string; description: unknown; resolvers: unknown }[] = []

  beforeAll(async () => {
    const cwd = await tempDirectory()
    const base = join(cwd, 'deps')
    await makeTree(base)
    const random = createRandom(4)
    const systems = [
      ...(modulecmd.missing
        ? []
        : [{ type: 'modules', modulecmd: modulecmd.program, modulepath: join(base, 'tcl') }]),
      ...(lmod.missing ? [] : [{ type: 'lmod', lmodexec: lmod.program, modulepath: join(base, 'lua') }]),
    ]
    const cases = Array.from({ length: JOBS }, () => {
      const resolvers = makeResolvers(random, base, systems)
      const isUnlinked = resolvers.some(({ type }) => type === 'unlinked_tool_shed_packages')
      return { base, resolvers, description: makeDescription(random, isUnlinked) }
    })
    const galaxys = await askGalaxy<{ shell: string } | { error: string }>(cases, cwd)
    const lines: string[] = []
    for (const each of cases) {
      const found = await openDependencies(
        {
          baseDirectory: base,
          resolvers: each.resolvers.map(
            ({ type, ...options }) =>
              ({ type, options, mappings: [], place: '' }) as unknown as ResolverConfig,
          ),
          onFailure: 'fail',
          options: {},
        },
        { log: silentLogger, cwd, env: { PATH: process.env.PATH } },
      )
      const { signal } = new AbortController()
      const { description } = each
      const shell = await found.resolve({ description, jobDirectory: cwd, log: silentLogger, signal })
      lines.push(shell.join('\n'))
      await found.close()
    }
    const ours = await effectsOf(lines, cwd)
    const theirs = await effectsOf(
      galaxys.map((each) => ('shell' in each ? each.shell : `echo ${each.error}`)),
      cwd,
    )
    effects = cases.map(({ description, resolvers }, index) => ({
      ours: ours[index] ?? '',
      galaxys: theirs[index] ?? '',
      description,
      resolvers,
    }))
  })

  it('are the same to the tool as by Galaxy', () => {
    expect(effects.filter(({ ours, galaxys }) => ours !== galaxys)).toEqual([])
  })

  it('are met in every way', () => {
    const having = (text: string) => effects.filter(({ ours }) => ours.includes(text)).length
    expect(having('/env.sh')).toBeGreaterThan(10)
    expect(having('/bin:')).toBeGreaterThan(10)
    expect(having('environment_settings')).toBeGreaterThan(3)
    expect(having('/package_')).toBeGreaterThan(10)
    if (!modulecmd.missing) expect(having('tcl of')).toBeGreaterThan(3)
    if (!lmod.missing) expect(having('lua of')).toBeGreaterThan(3)
    expect(effects.filter(({ ours }) => ours.startsWith('||/usr/bin:/bin|')).length).toBeGreaterThan(3)
  })
})

/** What each of the scripts leaves in the environment of the tool. */
async function effectsOf(scripts: readonly string[], cwd: string): Promise<string[]> {
  const all = scripts.map(
    (script) => `(\n${script}\nprintf '%s|%s|%s|%s\\0' "$PACKAGE_BASE" "$SEEN" "$PATH" "$LOADEDMODULES"\n)`,
  )
  const file = join(cwd, 'all.sh')
  await writeFile(file, `PATH=/usr/bin:/bin\n${all.join('\n')}\n`)
  const { exitCode, output } = await runCommand('env', ['-i', 'bash', file], { cwd })
  expect(exitCode).toBe(0)
  return output.split('\0').slice(0, -1)
}

/** For `bwa` and its like there are packages in each place; what `unlinked` stands for is below owners alone. */
async function makeTree(base: string): Promise<void> {
  const put = async (path: string, text: string): Promise<void> => {
    await mkdir(dirname(join(base, path)), { recursive: true })
    await writeFile(join(base, path), text)
  }
  const script = (path: string): Promise<void> =>
    put(`${path}/env.sh`, `SEEN="$SEEN:$PACKAGE_BASE/env.sh"; export SEEN\n`)
  for (const version of ['1', '2']) {
    await script(`bwa/${version}`)
    await put(`zlib/${version}/bin/zlib`, '')
    await script(`zlib/${version}/iuc/package_zlib_1/c${version}`)
  }
  await symlink('2', join(base, 'bwa', 'default'))
  await symlink(join(base, 'zlib', '1'), join(base, 'zlib', 'default'))
  await script('environment_settings/R_HOME/iuc/setup_r/c1')
  const owned = [
    'iuc/package_unlinked_1/r1',
    'devteam/package_Unlinked/r2',
    'x/package_unlinked_9/r3',
  ] as const
  for (const [index, path] of owned.entries()) {
    await script(`unlinked/1/${path}`)
    await utimes(join(base, 'unlinked', '1', dirname(path)), 1000 * (index + 1), 1000 * (index + 1))
  }
  await put('unlinked/2/bin/x', '')
  for (const name of ['bwa/3', 'samtools/1.9', 'samtools/1.10']) {
    const [tool = ''] = name.split('/')
    await put(`tcl/${name}`, `#%Module\nsetenv SEEN "tcl of ${name}"\nprepend-path PATH /${tool}/bin\n`)
    await put(`lua/${name}.lua`, `setenv("SEEN", "lua of ${name}")\nprepend_path("PATH", "/${tool}/bin")\n`)
  }
  expect(basename(base)).toBe('deps')
}

const BWA = [
  { name: 'bwa', type: 'package', version: '1', specs: [] },
  { name: 'bwa', type: 'package', version: '1' },
  { name: 'bwa', type: 'package', version: '3' },
]

interface WrittenResolver {
  readonly type: string
  readonly [option: string]: unknown
}

function makeResolvers(random: Random, base: string, systems: readonly WrittenResolver[]): WrittenResolver[] {
  const plain = [
    { type: 'galaxy_packages' },
    { type: 'galaxy_packages', versionless: 'true' },
    { type: 'tool_shed_packages' },
    { type: 'tool_shed_packages', versionless: true },
    { type: 'unlinked_tool_shed_packages' },
    { type: 'unlinked_tool_shed_packages', preferred_owners: 'devteam', versionless: 'True' },
    { type: 'unlinked_tool_shed_packages', select_by_owner: 'false' },
    { type: 'galaxy_packages', base_path: join(base, 'nothing') },
  ]
  // Asking a module command takes a while, mostly Galaxy's.
  const some = random.some(plain, 3)
  if (systems.length === 0 || random.chance(0.75)) return some
  const system = random.pick(systems)
  const versionless = random.chance(0.3) ? { versionless: 'true' } : {}
  return random.chance(0.5)
    ? [{ ...system, ...versionless }, ...some]
    : [...some, { ...system, ...versionless }]
}

/** Galaxy's resolver of unlinked packages gives up at an env.sh in the place of owners, where ours goes on. */
function makeDescription(random: Random, isUnlinked: boolean): unknown {
  const requirements = random.some(
    [
      ...(isUnlinked ? [] : BWA),
      { name: 'bwa', type: 'package', version: null },
      { name: 'zlib', type: 'package', version: '2', specs: [{ uri: 'https://x/y', version: null }] },
      { name: 'zlib', type: 'package', version: '1' },
      { name: 'zlib', type: 'package', version: null },
      { name: 'unlinked', type: 'package', version: '1' },
      { name: 'unlinked', type: 'package', version: '2' },
      { name: 'samtools', type: 'package', version: '1.9' },
      { name: 'samtools', type: 'package', version: null },
      { name: 'R_HOME', type: 'set_environment', version: null },
      { name: 'bwa', type: 'python-module', version: '1' },
      { name: 'nothing', type: 'package', version: '1' },
    ],
    4,
  )
  const installed = (dependency_name: string, dependency_version: string | null, name: string) => ({
    dependency_name,
    dependency_version,
    dependency_type: dependency_version === null ? 'set_environment' : 'package',
    repository_name: name,
    repository_owner: 'iuc',
    repository_installed_changeset: `c${dependency_version ?? 1}`,
  })
  const installed_tool_dependencies = random.some(
    [
      installed('zlib', '1', 'package_zlib_1'),
      installed('zlib', '2', 'package_zlib_1'),
      installed('R_HOME', null, 'setup_r'),
    ],
    4,
  )
  return { requirements, installed_tool_dependencies }
}
