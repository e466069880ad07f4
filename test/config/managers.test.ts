import { availableParallelism } from 'node:os'
import { describe, expect, it } from 'vitest'
import { loadConfig } from '../../src/config/load.js'
import { issuesOf, loadApp, loadManager, makeConfigDirectory } from './helpers.js'

describe('which managers there are', () => {
  it.each([
    ['', ['_default_']],
    ['managers: {}', []],
    ['managers: {b: {}, a: {}}', ['b', 'a']],
    ['manager: {}', ['_default_']],
    ['manager: {name: cluster}', ['cluster']],
    ['managers: {1: {}}', ['1']],
  ])('%j', async (app, names) => {
    expect((await loadApp(`${app}\n`)).managers.map(({ name }) => name)).toEqual(names)
  })

  it.each([
    'managers:',
    'managers: []',
    'managers: x',
    'manager:',
    'manager: x',
    'managers: {a: x}',
    'manager: {type: queued_pbs}',
  ])('%s is refused', async (app) => {
    expect((await issuesOf(loadApp(`${app}\n`))).issues).toHaveLength(1)
  })

  it('an old job_managers_config goes before them, its DEFAULT inherited and its keys in lower case', async () => {
    const ini =
      '[DEFAULT]\nnum_concurrent_jobs = 3\n[manager:_default_]\ntype = queued_python\nenv_Foo = bar\n[manager:x]\ntype=unqueued\n[other]\n'
    const config = await loadWithLegacy(ini)
    expect(config.managers).toMatchObject([
      {
        name: '_default_',
        type: 'queued_python',
        numConcurrentJobs: 3,
        env: [{ name: 'foo', value: 'bar' }],
      },
      { name: 'x', type: 'unqueued' },
    ])
  })

  it('an old section needs a type, and a file without sections gives no managers', async () => {
    const error = await issuesOf(loadWithLegacy('[manager:a]\nnum_concurrent_jobs = 1\n'))
    expect(error.issues).toMatchObject([{ line: 2, key: '[manager:a]', message: 'has no type' }])
    expect((await loadWithLegacy('[x]\n')).managers).toEqual([])
  })
})

async function loadWithLegacy(ini: string) {
  const files = { 'app.yml': 'managers: {a: {}}\njob_managers_config: jobs.ini\n', 'jobs.ini': ini }
  const configDirectory = await makeConfigDirectory(files)
  return loadConfig({ configDirectory, env: {}, cwd: configDirectory })
}

describe('what a manager inherits', () => {
  const TOP =
    'staging_directory: /top\nassign_ids: uuid\ngalaxy_home: /g\ndebug: true\nmaximum_stream_size: 10\njob_directory_mode: "0750"\n'

  it('everything it does not say itself', async () => {
    expect(await loadManager(TOP)).toMatchObject({
      stagingDirectory: '/top',
      assignIds: 'uuid',
      galaxyHome: '/g',
      debug: true,
      maximumStreamSizeBytes: 10,
      jobDirectoryMode: 0o750,
    })
  })

  it('and nothing that it does', async () => {
    const own =
      'manager: {staging_directory: own, assign_ids: galaxy, galaxy_home: /h, debug: false, maximum_stream_size: 20, job_directory_mode: 0700}\n'
    expect(await loadManager(TOP + own)).toMatchObject({
      stagingDirectory: '/work-dir/own',
      assignIds: 'galaxy',
      galaxyHome: '/h',
      debug: false,
      maximumStreamSizeBytes: 20,
      jobDirectoryMode: 0o700,
    })
  })

  it("Galaxy's directories come from the environment when no file has them", async () => {
    const env = { GALAXY_HOME: '/env/galaxy', GALAXY_VIRTUAL_ENV: '/env/venv' }
    expect(await loadManager('', { env })).toMatchObject({
      galaxyHome: '/env/galaxy',
      galaxyVirtualEnv: '/env/venv',
    })
    expect(await loadManager('galaxy_home: none\n', { env })).toMatchObject({ galaxyHome: 'none' })
    const own = 'manager: {galaxy_home: /h, galaxy_virtual_env: /v}\n'
    expect(await loadManager(own, { env })).toMatchObject({ galaxyHome: '/h', galaxyVirtualEnv: '/v' })
  })
})

describe('values of a manager', () => {
  it.each([
    ['job_directory_mode: 0777', 0o777],
    ['job_directory_mode: "0750"', 0o750],
    ['job_directory_mode: "0o750"', 0o750],
    ['job_directory_mode: "750"', 0o750],
    ['manager: {job_directory_mode: 0750}', 0o750],
    ['manager: {job_directory_mode: "0750"}', 0o750],
    ['job_directory_mode:', undefined],
  ])('%s', async (app, mode) => {
    expect((await loadManager(`${app}\n`)).jobDirectoryMode).toBe(mode)
  })

  it.each([
    '0640',
    '"x"',
    '"0999"',
    'yes',
    '[]',
    '755',
  ])('job_directory_mode: %s is refused', async (mode) => {
    expect((await issuesOf(loadApp(`job_directory_mode: ${mode}\n`))).issues).toMatchObject([
      { key: 'job_directory_mode' },
    ])
  })

  it.each([
    ['', 1048576],
    ['maximum_stream_size: 0', undefined],
    ['maximum_stream_size: "0"', 0],
    ['maximum_stream_size: -1', undefined],
    ['maximum_stream_size: "2048"', 2048],
    ['manager: {maximum_stream_size: 0}', 0],
  ])('%j', async (app, bytes) => {
    expect((await loadManager(`${app}\n`)).maximumStreamSizeBytes).toBe(bytes)
  })

  it.each([
    ['type: queued_python', 1],
    ['num_concurrent_jobs: 4', 4],
    ['num_concurrent_jobs: "4"', 4],
    ['num_concurrent_jobs: "*"', availableParallelism()],
    ['type: unqueued', Number.POSITIVE_INFINITY],
    ['type: slurm', Number.POSITIVE_INFINITY],
  ])('%s', async (option, limit) => {
    expect((await loadManager(`manager:\n  ${option}\n`)).numConcurrentJobs).toBe(limit)
  })

  it.each([
    ['tmp_dir: true', undefined],
    ['tmp_dir: false', undefined],
    ['tmp_dir: "yes"', undefined],
    ['tmp_dir: "no"', 'no'],
    ['tmp_dir: ""', undefined],
    ['tmp_dir:', undefined],
    ['tmp_dir: 1', undefined],
    ['tmp_dir: /scratch', '/scratch'],
    ['tmp_dir: $(mktemp -d)', '$(mktemp -d)'],
  ])('%s', async (option, tmpDir) => {
    expect((await loadManager(`manager:\n  ${option}\n`)).tmpDir).toBe(tmpDir)
  })

  it('min_polling_interval and return_code_wait are seconds', async () => {
    expect(await loadManager('')).toMatchObject({ minPollingIntervalMs: 500, returnCodeWaitMs: 15_000 })
    const own = 'manager: {min_polling_interval: "15", return_code_wait: 0.25}\n'
    expect(await loadManager(own)).toMatchObject({ minPollingIntervalMs: 15_000, returnCodeWaitMs: 250 })
  })

  it('env_NAME keeps order and case, and its values are what Python makes of them', async () => {
    const app =
      'manager:\n  env_ZED: $HOME/x\n  env_aB: yes\n  ENV_C: 010\n  env_D: 1.50\n  env_E:\n  env_F: "yes"\n  env_G: ""\n'
    expect((await loadManager(app)).env).toEqual([
      { name: 'ZED', value: '$HOME/x' },
      { name: 'aB', value: 'True' },
      { name: 'C', value: '8' },
      { name: 'D', value: '1.50' },
      { name: 'E', value: '' },
      { name: 'F', value: 'yes' },
      { name: 'G', value: '' },
    ])
  })

  it.each([
    'queued_cli',
    'slurm',
  ])('job_* keys of %s are the text written, their prefix removed once', async (type) => {
    const app = `manager:
  type: ${type}
  job_plugin: Slurm
  job_time: 1:00:00
  job_ncpus: 4
  "job_--mem": 4G
  job_job_x: y
  job_--exclusive:
  job_directory_mode: 0700
  job_name_template: galaxy_$job_id
`
    const config = await loadApp(app)
    expect(config.managers[0]).toMatchObject({
      jobPlugin: 'Slurm',
      jobNameTemplate: 'galaxy_$job_id',
      jobDirectoryMode: 0o700,
    })
    expect(Object.entries(config.managers[0]?.jobParameters ?? {})).toEqual([
      ['time', '1:00:00'],
      ['ncpus', '4'],
      ['--mem', '4G'],
      ['job_x', 'y'],
      ['--exclusive', ''],
    ])
    expect(config.warnings).toEqual([
      expect.stringMatching(
        /:4: manager\.job_time: 1:00:00 is used as written; the Python Pulsar reads it as 3600/,
      ),
    ])
  })

  it('job_* keys of other types are told to have no effect', async () => {
    const config = await loadApp('manager: {job_time: 5}\n')
    expect(config.managers[0]?.jobParameters).toEqual({})
    expect(config.warnings).toEqual([
      expect.stringContaining('manager.job_time has no effect with type: queued_python'),
    ])
  })

  it.each([
    ['none', true],
    ['job_plus_uuid', true],
    ['galaxy', false],
  ])('assign_ids: %s means galaxy', async (word, told) => {
    const config = await loadApp(`assign_ids: ${word}\n`)
    expect(config.managers[0]?.assignIds).toBe('galaxy')
    expect(config.warnings).toHaveLength(told ? 1 : 0)
  })
})
