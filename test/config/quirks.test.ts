import { access } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { loadConfig } from '../../src/config/load.js'
import { silentLogger } from '../../src/lib/log.js'
import { startNode } from '../../src/node.js'
import { issuesOf, load, loadApp, loadManager, makeConfigDirectory } from './helpers.js'

// What an existing configuration may hold that is odd. test/peers/effective-config.test.ts compares with the Python Pulsar.

async function managerAndWarnings(app: string) {
  const config = await loadApp(app)
  return { manager: config.managers[0], warnings: config.warnings.join('\n') }
}

describe('what the Python Pulsar starts with', () => {
  it.each([
    ['true', true, ''],
    ['"True"', true, ''],
    ['"false"', false, ''],
    ['""', false, ''],
    ['1', false, 'debug is 1, which counts as false, as in the Python Pulsar'],
    ['"yes"', false, 'debug is "yes", which counts as false, as in the Python Pulsar'],
  ])('debug: %s', async (value, debug, hint) => {
    const { manager, warnings } = await managerAndWarnings(`debug: ${value}\n`)
    expect(manager?.debug).toBe(debug)
    expect(warnings).toContain(hint)
    expect(warnings === '').toBe(hint === '')
  })

  it.each([
    ['true', true, ''],
    ['1', true, 'send_stdout_update is 1, which counts as true'],
    ['"maybe"', true, 'send_stdout_update is "maybe", which counts as true'],
    ['0', false, ''],
    ['""', false, ''],
    ['"no"', false, 'send_stdout_update is "no", which counts as false'],
    ['"false"', false, 'is the text "false", which is true to the Python Pulsar; here it is false'],
  ])('send_stdout_update: %s', async (value, sends, hint) => {
    const { manager, warnings } = await managerAndWarnings(`send_stdout_update: ${value}\n`)
    expect(manager?.liveOutput !== undefined).toBe(sends)
    expect(warnings).toContain(hint)
    expect(warnings === '').toBe(hint === '')
  })

  it.each([
    ['~', undefined],
    ['""', undefined],
    ['1.5', 1],
    ['"1_000"', 1000],
    ['true', 1],
    ['-7', undefined],
  ])('maximum_stream_size: %s', async (value, bytes) => {
    expect((await loadManager(`maximum_stream_size: ${value}\n`)).maximumStreamSizeBytes).toBe(bytes)
  })

  it.each([
    ['2.7', 2],
    ['true', 1],
    ['-1', 0],
  ])('num_concurrent_jobs: %s', async (value, count) => {
    expect((await loadManager(`manager: {num_concurrent_jobs: ${value}}\n`)).numConcurrentJobs).toBe(count)
  })

  it('num_concurrent_jobs of a type that does not count its jobs, whatever it is, with one line', async () => {
    const { manager, warnings } = await managerAndWarnings(
      'manager: {type: unqueued, num_concurrent_jobs: many}\n',
    )
    expect(manager?.numConcurrentJobs).toBe(Number.POSITIVE_INFINITY)
    expect(warnings).toMatch(/^\S+:1: manager.num_concurrent_jobs has no effect with type: unqueued[^\n]*$/)
  })

  it('a pause of less than nothing is none', async () => {
    const app = 'manager: {min_polling_interval: -1, preprocess_action_interval_max: -2}\n'
    const { minPollingIntervalMs, stageInRetries } = await loadManager(app)
    expect([minPollingIntervalMs, stageInRetries.intervalMaxMs]).toEqual([0, 0])
  })

  it('wrong numbers about live output that is off, told; not of live output that is on', async () => {
    const wrong = 'stdout_update_interval: x\nmanager: {stdout_update_chunk_size: 0}\n'
    const { manager, warnings } = await managerAndWarnings(wrong)
    expect(manager?.liveOutput).toBeUndefined()
    expect(warnings.match(/it is not used while send_stdout_update is off/g)).toHaveLength(2)
    const error = await issuesOf(loadApp(`send_stdout_update: true\n${wrong}`))
    expect(error.issues.map(({ key }) => key)).toEqual([
      'stdout_update_interval',
      'manager.stdout_update_chunk_size',
    ])
  })

  it.each([
    '"env_A B": x',
    '"env_": x',
    'env_A: [x]',
  ])('%s, which has no effect and is told', async (option) => {
    const { manager, warnings } = await managerAndWarnings(`manager:\n  env_OK: 1\n  ${option}\n`)
    expect(manager?.env).toEqual([{ name: 'OK', value: '1' }])
    expect(warnings).toMatch(/:3: manager\.env_.*: it has no effect$/)
  })

  it('null written as ~ is nothing, in variables and in options of the scheduler', async () => {
    const app = 'manager: {type: queued_cli, job_plugin: Slurm, env_A: ~, "job_--exclusive": ~}\n'
    const { env, jobParameters } = await loadManager(app)
    expect({ env, jobParameters }).toEqual({
      env: [{ name: 'A', value: '' }],
      jobParameters: { '--exclusive': '' },
    })
  })

  it('SUBMIT_X of HTCondor in any case, as one that asks for nothing else', async () => {
    const { warnings } = await loadApp('manager: {type: queued_condor, SUBMIT_Request_Memory: 4G}\n')
    expect(warnings).toEqual([expect.stringContaining('this release does not submit to HTCondor')])
  })

  it('config_dir under [app:main], which the directory of the files goes before', async () => {
    const ini = '[app:main]\nconfig_dir = /elsewhere\n'
    const config = await load({ 'server.ini': ini, 'app.yml': '' })
    expect(config.configDirectory).not.toBe('/elsewhere')
    expect((await load({ 'app.yml': 'config_dir: /elsewhere\n' })).configDirectory).toBe('/elsewhere')
  })

  it.each([
    'file_cache_dir',
    'persistence_directory',
    'galaxy_home',
    'dependency_resolution',
  ])('%s with nothing behind it in an ini file', async (key) => {
    await expect(load({ 'server.ini': `[app:main]\n${key} =\n`, 'app.yml': '' })).resolves.toMatchObject({
      fileCacheDirectory: undefined,
      persistenceDirectory: '/work-dir/files/persisted_data',
    })
  })
})

describe('what stops the Python Pulsar', () => {
  it('a missing file_cache_dir is told, and made by the start', async () => {
    const configDirectory = await makeConfigDirectory({
      'app.yml': 'staging_directory: jobs\npersistence_directory: __none__\nfile_cache_dir: made/cache\n',
    })
    const config = await loadConfig({
      configDirectory,
      env: {},
      cwd: configDirectory,
      host: '127.0.0.1',
      port: 0,
    })
    const directory = join(configDirectory, 'made', 'cache')
    expect(config.warnings).toEqual([
      expect.stringContaining(
        `app.yml:3: file_cache_dir ${directory} does not exist: it is made when the server starts`,
      ),
    ])
    await expect(access(directory)).rejects.toThrow()
    const node = await startNode(config, silentLogger)
    await access(directory)
    await node.close()
  })

  it('a name in manager names it', async () => {
    expect((await loadApp('manager: {name: cluster}\n')).managers[0]?.name).toBe('cluster')
  })
})
