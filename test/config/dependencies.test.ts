import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { loadConfig } from '../../src/config/load.js'
import type { DependenciesConfig } from '../../src/config/types.js'
import { issuesOf, load, loadApp, makeConfigDirectory } from './helpers.js'

const SAMPLES = fileURLToPath(new URL('fixtures/samples/', import.meta.url))
const XML = 'dependency_resolvers_conf.xml'

async function dependenciesOf(files: Record<string, string>): Promise<DependenciesConfig> {
  const { dependencies } = await load({ 'app.yml': '', ...files })
  if (!dependencies) throw new Error('nothing is resolved')
  return dependencies
}

const typesOf = ({ resolvers }: DependenciesConfig) =>
  resolvers.map(({ type, options }) => [type, options] as const)

describe('whether and where requirements are resolved', () => {
  it('is in ./dependencies, by the default resolvers, when nothing is said', async () => {
    const dependencies = await dependenciesOf({})
    expect(dependencies.baseDirectory).toBe('/work-dir/dependencies')
    expect(dependencies.onFailure).toBe('fail')
    expect(typesOf(dependencies)).toEqual([
      ['tool_shed_packages', {}],
      ['galaxy_packages', {}],
      ['conda', {}],
      ['galaxy_packages', { versionless: true }],
      ['conda', { versionless: true }],
    ])
  })

  it.each([
    'tool_dependency_dir: none',
    'tool_dependency_dir: NONE',
    'tool_dependency_dir:',
    'tool_dependency_dir: ""',
    'use_tool_dependencies: false',
    'use_tool_dependencies:',
    'dependency_resolution: {use: false}',
    'dependency_resolution: {resolvers: []}',
    'dependency_resolvers: []',
  ])('is off with %s', async (app) => {
    expect((await loadApp(app)).dependencies).toBeUndefined()
  })

  it('is what dependency_resolution says, before the plain options; its nulls say nothing', async () => {
    const app = `
tool_dependency_dir: none
use_tool_dependencies: false
dependency_resolvers: [{type: modules}]
dependency_resolution:
  use: true
  default_base_path: /deps
  resolvers: [{resolver_type: conda, auto_install: true, prefix: null, ensure_channels: [a, b], disabled: false}]
  cache: null
`
    const { dependencies, warnings } = await loadApp(app)
    expect(dependencies?.baseDirectory).toBe('/deps')
    expect(dependencies && typesOf(dependencies)).toEqual([
      ['conda', { auto_install: true, prefix: null, ensure_channels: ['a', 'b'], disabled: false }],
    ])
    expect(warnings).toEqual([])
  })

  it('warns of a relative tool_dependency_dir, with what it means here', async () => {
    const { warnings } = await loadApp('tool_dependency_dir: deps')
    expect(warnings).toEqual([
      expect.stringMatching(/app\.yml:1: tool_dependency_dir deps is relative .*\/work-dir\/deps/),
    ])
  })

  it.each([
    ['conda_exec: [a, b]', 'conda_exec', 'expected text, found ["a","b"]'],
    ['conda_prefix: {a: 1}', 'conda_prefix', 'expected text'],
    ['conda_ensure_channels: {a: 1}', 'conda_ensure_channels', 'expected text with commas, or a list'],
    ['conda_ensure_channels: [[a]]', 'conda_ensure_channels', 'expected text with commas, or a list'],
    ['conda_installer: http://host/Miniforge3.sh', 'conda_installer', 'an https:// address'],
    ['conda_installer_sha256: abc', 'conda_installer_sha256', '64 hexadecimal digits'],
    ['dependency_resolvers: [{type: conda, exec: true}]', 'conda exec', 'expected text, found true'],
    ['dependency_resolvers: [{type: conda, mapping_files: 1.5e3}]', undefined, undefined],
    ['dependency_resolvers: [{type: conda, ensure_channels: [a, b]}]', undefined, undefined],
    ['conda_ensure_channels: [a, b]', undefined, undefined],
    ['conda_exec:', undefined, undefined],
    ['conda_installer: /srv/Miniforge3.sh', undefined, undefined],
  ] as const)('finds options of Conda that could not be used: %s', async (app, key, message) => {
    const issues = await issuesOf(loadApp(app)).then(
      (error) => error.issues,
      () => [],
    )
    if (key === undefined) return expect(issues).toEqual([])
    expect(issues).toMatchObject([{ key, message: expect.stringContaining(message) }])
  })

  it('hands on what counts for all resolvers of a type; Conda installs nothing unless somebody says so', async () => {
    const { options } = await dependenciesOf({
      'app.yml': 'conda_auto_install: true\nconda_prefix: null\nmodules_mapping_files: m.yml\ndebug: true',
    })
    expect(options).toEqual({
      conda_auto_init: false,
      conda_auto_install: true,
      conda_prefix: null,
      modules_mapping_files: 'm.yml',
    })
  })
})

describe('the file of resolvers', () => {
  it('is the one of a real site', async () => {
    const configDirectory = await makeConfigDirectory({ 'app.yml': '' })
    const { dependencies, warnings } = await loadConfig({
      configDirectory,
      appConfBase64: Buffer.from(
        JSON.stringify({
          dependency_resolvers_config_file: `${SAMPLES}issue133.dependency_resolvers_conf.xml`,
        }),
      ).toString('base64'),
      env: {},
      cwd: '/work-dir',
    })
    expect(dependencies && typesOf(dependencies)).toEqual([
      ['tool_shed_packages', {}],
      ['galaxy_packages', {}],
      ['conda', { auto_install: 'True', auto_init: 'True' }],
      ['galaxy_packages', { versionless: 'true' }],
      ['conda', { versionless: 'true' }],
    ])
    expect(dependencies?.resolvers[2]?.place).toBe(`${SAMPLES}issue133.dependency_resolvers_conf.xml:5`)
    expect(warnings).toEqual([])
  })

  it('is YAML by its name, in the configuration directory', async () => {
    const dependencies = await dependenciesOf({
      'app.yml': 'dependency_resolvers_config_file: r.yml.sample',
      'r.yml.sample': '- type: lmod\n  versionless: yes\n- resolver_type: galaxy_packages\n  base_path: /p\n',
    })
    expect(typesOf(dependencies)).toEqual([
      ['lmod', { versionless: true }],
      ['galaxy_packages', { base_path: '/p' }],
    ])
  })

  it('does not count when app.yml has the list', async () => {
    const dependencies = await dependenciesOf({
      'app.yml': 'dependency_resolvers: [{type: modules}]',
      [XML]: '<r><conda/></r>',
    })
    expect(typesOf(dependencies)).toEqual([['modules', {}]])
  })

  it.each([
    ['<a>\n <conda/>\n <condo/>\n</a>', 3, 'condo', 'is conda meant? the types are conda, galaxy_packages'],
    ['', 1, '', 'is not well-formed XML'],
    ['<a>\n <conda>\n</a>', 3, '', 'is not well-formed XML'],
    ['<a>\n <modules find_by="guess"/></a>', 2, 'modules find_by', 'expected one of avail, directory'],
  ])('is refused with its line: %s', async (content, line, key, message) => {
    const error = await issuesOf(load({ 'app.yml': '', [XML]: content }))
    expect(error.issues).toMatchObject([{ line, key }])
    expect(error.message).toContain(XML)
    expect(error.message).toContain(message)
  })

  it.each([
    ['- auto_init: true', 'expected a resolver with its type'],
    ['- type:', 'expected a resolver with its type'],
    ['- conda', 'expected a resolver with its type'],
    ['conda: {}', 'expected a list of resolvers'],
    ['', 'expected a list of resolvers'],
    ['- type: condo', 'unknown type of dependency resolver'],
  ])('is refused as YAML: %s', async (content, message) => {
    const app = 'dependency_resolvers_config_file: r.yml'
    const error = await issuesOf(load({ 'app.yml': app, 'r.yml': content }))
    expect(error.message).toContain(message)
    expect(error.issues[0]).toMatchObject({ line: 1 })
  })

  it.each([
    ['dependency_resolvers: conda', 'dependency_resolvers: expected a list of resolvers'],
    ['dependency_resolution: [a]', 'expected a mapping'],
    ['tool_dependency_dir: 5', 'expected a path or none'],
    ['tool_dependency_dir: [a]', 'expected a path or none'],
    ['dependency_failure: maybe', 'expected one of fail, ignore'],
    ['dependency_resolvers_config_file:', 'expected a path'],
  ])('and app.yml are refused with the key: %s', async (app, message) => {
    expect((await issuesOf(loadApp(app))).message).toContain(message)
  })

  it('warns of what has no effect, and of words that do not mean what they seem to', async () => {
    const { warnings } = await load({
      'app.yml': 'conda_auto_install: "yes"\nconda_auto_instal: true\nuse_cached_dependency_manager: true',
      [XML]:
        '<a><conda auto_init="1" read_only="1" auto_instal="true"/><unlinked_tool_shed_packages select_by_owner="no"/></a>',
    })
    expect(warnings.map((warning) => warning.replace(/^\S+\//, ''))).toEqual([
      'app.yml:3: use_cached_dependency_manager has no effect: an environment is made once and then used by all jobs',
      'app.yml:2: unknown option conda_auto_instal: it has no effect. Is conda_auto_install meant?',
      'app.yml:1: conda_auto_install is "yes", which counts as false, as in the Python Pulsar: write true or false',
      `${XML}:1: conda auto_init is "1", which counts as false, as in the Python Pulsar: write true or false`,
      `${XML}:1: conda read_only is "1", which counts as false, as in the Python Pulsar: write true or false`,
      `${XML}:1: unknown option auto_instal of resolver conda: it has no effect. Is auto_install meant?`,
      `${XML}:1: unlinked_tool_shed_packages select_by_owner is "no", which counts as true, as in the Python Pulsar: write true or false`,
    ])
  })
})

describe('mapping files', () => {
  async function mappingsOf(mapping: string) {
    const files = { [XML]: '<a><modules mapping_files="m.yml"/></a>', 'app.yml': '', 'm.yml': mapping }
    const configDirectory = await makeConfigDirectory(files)
    const config = await loadConfig({ configDirectory, env: {}, cwd: configDirectory })
    return config.dependencies?.resolvers[0]?.mappings
  }

  it('say what a requirement is called here', async () => {
    const mappings = await mappingsOf(`
- {from: blast, to: ncbi-blast}
- {from: {name: bwa, version: 1.10}, to: {name: BWA, version: 0.7}}
- {from: {name: r, unversioned: true}, to: {version: "3.1"}}
- {from: {name: x, version: "2"}, to: {name: y}}
`)
    expect(mappings).toEqual([
      {
        from: { name: 'blast', version: undefined, unversioned: false },
        to: { name: 'ncbi-blast', version: undefined },
      },
      {
        from: { name: 'bwa', version: '1.10', unversioned: false },
        to: { name: 'BWA', version: '0.7' },
      },
      { from: { name: 'r', version: undefined, unversioned: true }, to: { name: 'r', version: '3.1' } },
      { from: { name: 'x', version: '2', unversioned: false }, to: { name: 'y', version: undefined } },
    ])
  })

  it.each([
    ['- {from: {name: a, version: "1", unversioned: true}, to: b}', 'has a version and is unversioned'],
    ['- {from: a}', 'expected a mapping with "from" and "to"'],
    ['- {to: a}', 'expected a mapping with "from" and "to"'],
    ['a: b', 'expected a list of mappings'],
  ])('are refused: %s', async (mapping, message) => {
    expect((await issuesOf(mappingsOf(mapping))).message).toContain(message)
  })

  it('are looked for where the server starts, then where dependencies are; without one there is a warning', async () => {
    const directory = await makeConfigDirectory({
      'cwd/a.yml': '[{from: here, to: x}]',
      'deps/a.yml': '[{from: there, to: x}]',
      'deps/b.yml': '[{from: there, to: x}]',
      'cwd/config/lmod_modules_mapping.yml': '[{from: standard, to: x}]',
      'app.yml': `
tool_dependency_dir: deps
conda_mapping_files: a.yml
dependency_resolvers:
  - {type: galaxy_packages, mapping_files: "a.yml, b.yml"}
  - {type: conda}
  - {type: lmod}
  - {type: modules, mapping_files: [none.yml]}
`,
    })
    const config = await loadConfig({ configDirectory: directory, env: {}, cwd: `${directory}/cwd` })
    const names = config.dependencies?.resolvers.map(({ mappings }) => mappings.map(({ from }) => from.name))
    expect(names).toEqual([['here'], ['here'], ['standard'], []])
    const elsewhere = await loadConfig({
      configDirectory: directory,
      env: { PULSAR_CONFIG_OVERRIDE_TOOL_DEPENDENCY_DIR: `${directory}/deps` },
      cwd: `${directory}/cwd`,
    })
    expect(elsewhere.dependencies?.resolvers[0]?.mappings.map(({ from }) => from.name)).toEqual([
      'here',
      'there',
    ])
    expect(config.warnings.join('\n')).toContain(
      `the mapping file none.yml of resolver modules is neither in ${directory}/cwd nor in ${directory}/cwd/deps`,
    )
  })
})
