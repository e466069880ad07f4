import { symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { loadConfig } from '../../src/config/load.js'
import { issuesOf, load, loadApp, makeConfigDirectory } from './helpers.js'

function base64(value: unknown): string {
  return Buffer.from(JSON.stringify(value)).toString('base64')
}

describe('finding app.yml', () => {
  it('takes the one that app_config names, relative to the configuration directory', async () => {
    const files = {
      'server.ini': '[app:main]\napp_config = sub/my.yml\n',
      'sub/my.yml': 'private_token: named\n',
      'app.yml': 'private_token: beside\n',
    }
    expect((await load(files)).privateToken).toBe('named')
  })

  it('understands %(here)s in app_config', async () => {
    const files = {
      'server.ini': '[app:main]\napp_config = %(here)s/my.yml\n',
      'my.yml': 'private_token: named\n',
    }
    expect((await load(files)).privateToken).toBe('named')
  })

  it('falls back to the .sample of the named file and says so', async () => {
    const config = await load({
      'server.ini': '[app:main]\napp_config = my.yml\n',
      'my.yml.sample': 'private_token: sample\n',
    })
    expect(config.privateToken).toBe('sample')
    expect(config.warnings).toEqual([
      expect.stringMatching(/server\.ini:2: .*my\.yml does not exist: my\.yml\.sample/),
    ])
  })

  it('refuses a named file that is nowhere, with the place of its name', async () => {
    const error = await issuesOf(load({ 'server.ini': '\n[app:main]\napp_config = my.yml\n' }))
    expect(error).toMatchObject({ code: 'CONFIG_UNREADABLE', issues: [{ line: 3, key: 'app_config' }] })
  })

  it('takes app.yml beside the ini, and needs no ini for that', async () => {
    expect(
      (await load({ 'server.ini': '[server:main]\n', 'app.yml': 'private_token: beside\n' })).privateToken,
    ).toBe('beside')
    expect((await loadApp('private_token: alone\n')).privateToken).toBe('alone')
  })

  it('reads server.ini.sample when there is no server.ini', async () => {
    expect(
      (await load({ 'server.ini.sample': '[server:main]\nport = 9999\n', 'app.yml': '' })).server.port,
    ).toBe(9999)
  })

  it('reads only the file given as appConfPath', async () => {
    const configDirectory = await makeConfigDirectory({
      'server.ini': '[server:main]\nport = 9999\n[app:main]\napp_config = app.yml\n',
      'app.yml': 'private_token: beside\n',
      'other.yml': 'private_token: other\n',
    })
    const config = await loadConfig({
      configDirectory,
      appConfPath: 'other.yml',
      env: {},
      cwd: configDirectory,
    })
    expect(config.privateToken).toBe('other')
    expect(config.server.port).toBe(8913)
  })

  it('reads another [app:NAME] when asked', async () => {
    const ini = '[app:main]\nprivate_token = one\n[app:second]\nprivate_token = two\n'
    expect((await load({ 'server.ini': ini, 'app.yml': '' }, { app: 'second' })).privateToken).toBe('two')
  })

  it('starts with all defaults when there is nothing, and warns that everyone is let in', async () => {
    const config = await load({})
    expect(config).toMatchObject({
      privateToken: undefined,
      stagingDirectory: '/work-dir/files/staging',
      persistenceDirectory: '/work-dir/files/persisted_data',
      server: { host: 'localhost', port: 8913, sslPem: undefined },
      managers: [{ name: '_default_', type: 'queued_python', numConcurrentJobs: 1 }],
      jobMetrics: [{ type: 'core', options: {} }],
      logging: { level: 'info', file: undefined },
    })
    expect(config.warnings).toEqual([expect.stringContaining('there is no private token')])
  })

  it('reads a JSON object in base64 instead of any file', async () => {
    const appConfBase64 = base64({
      private_token: 'blob',
      manager: { type: 'unqueued', env_N: 5 },
      logging: { root: { level: 'WARNING' }, loggers: { pulsar: { level: 'DEBUG' } } },
    })
    const config = await load(
      { 'app.yml': 'private_token: file\n', 'server.ini': '[server:main]\nport = 1\n' },
      { appConfBase64 },
    )
    expect(config).toMatchObject({
      privateToken: 'blob',
      server: { port: 8913 },
      logging: { level: 'debug' },
    })
    expect(config.managers).toMatchObject([{ type: 'unqueued', env: [{ name: 'N', value: '5' }] }])
  })

  it.each([
    ['not base64 of JSON'],
    [base64([1])],
    [base64('x')],
  ])('refuses the blob %s', async (appConfBase64) => {
    const error = await issuesOf(load({}, { appConfBase64 }))
    expect(error.message).toMatch(/^--app_conf_base64: expected a JSON object/)
  })
})

describe('what goes before what', () => {
  const files = { 'server.ini': '[app:main]\nprivate_token = ini\n' }

  it('app.yml goes before [app:main]', async () => {
    expect((await load(files)).privateToken).toBe('ini')
    expect((await load({ ...files, 'app.yml': 'private_token: yml\n' })).privateToken).toBe('yml')
  })

  it('PULSAR_CONFIG_X counts only when X is given nowhere', async () => {
    const env = { PULSAR_CONFIG_PRIVATE_TOKEN: 'env' }
    expect((await load({ 'app.yml': '' }, { env })).privateToken).toBe('env')
    expect((await load(files, { env })).privateToken).toBe('ini')
  })

  it('PULSAR_CONFIG_OVERRIDE_X goes before everything', async () => {
    const env = { PULSAR_CONFIG_OVERRIDE_PRIVATE_TOKEN: 'override', PULSAR_CONFIG_PRIVATE_TOKEN: 'env' }
    expect((await loadApp('private_token: yml\n', { env })).privateToken).toBe('override')
  })

  it('keys of app.yml replace mappings of the same name, they are not merged', async () => {
    const config = await load({
      'server.ini': '[app:main]\nmanagers = x\n',
      'app.yml': 'managers: {a: {}}\n',
    })
    expect(config.managers.map(({ name }) => name)).toEqual(['a'])
  })

  it("the launchers' own variables are no options", async () => {
    const env = { PULSAR_CONFIG_DIR: '/x', PULSAR_CONFIG_FILE: '/x/server.ini' }
    expect((await loadApp('', { env })).warnings).toEqual([])
  })

  it('a wrong value from the environment is reported with the name of the variable', async () => {
    const error = await issuesOf(loadApp('', { env: { PULSAR_CONFIG_OVERRIDE_MANAGERS: '{"a":{}}' } }))
    expect(error.message).toBe(
      'environment variable PULSAR_CONFIG_OVERRIDE_MANAGERS: managers: expected a mapping from names to options, found the text "{\\"a\\":{}}"; write managers: {} for a node without managers',
    )
  })
})

describe('files that cannot be read', () => {
  it.each([
    ['a directory', async (path: string) => symlink('/', path), /is not a regular file/],
    [
      'not UTF-8',
      async (path: string) => writeFile(path, Buffer.from([0x61, 0x3a, 0x20, 0xff])),
      /is not UTF-8/,
    ],
    [
      'too large',
      async (path: string) => writeFile(path, '#'.repeat(1024 * 1024 + 1)),
      /has more than 1048576 bytes/,
    ],
  ])('%s', async (_what, make, message) => {
    const configDirectory = await makeConfigDirectory({})
    await make(join(configDirectory, 'app.yml'))
    const error = await issuesOf(loadConfig({ configDirectory, env: {}, cwd: '/' }))
    expect(error.code).toBe('CONFIG_UNREADABLE')
    expect(error.message).toMatch(message)
  })

  it('the directory of the cache is one, or is to be made', async () => {
    const error = await issuesOf(loadApp('a: 1\nfile_cache_dir: /dev/null\n'))
    expect(error.issues).toMatchObject([
      { line: 2, key: 'file_cache_dir', message: '/dev/null is no directory' },
    ])
    expect((await loadApp('file_cache_dir: /\n')).fileCacheDirectory).toBe('/')
  })
})
