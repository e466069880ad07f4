import { describe, expect, it } from 'vitest'
import { issuesOf, load, loadApp } from './helpers.js'

describe('options at the top of app.yml', () => {
  it.each([
    ['12345', '12345'],
    ['True', 'True'],
    ['0123', '0123'],
    ['1:30', '1:30'],
    ['1e5', '1e5'],
  ])('private_token: %s is the text written, with a hint that does not show it', async (written, token) => {
    const config = await loadApp(`# comment\nprivate_token: ${written}\n`)
    expect(config.privateToken).toBe(token)
    expect(config.warnings.join('')).not.toContain(written)
    if (written !== '1e5') {
      expect(config.warnings).toEqual([
        expect.stringMatching(/app\.yml:2: private_token is not in quotes.*Put quotes around it/),
      ])
    }
  })

  it.each([
    'private_token:\n',
    "private_token: ''\n",
    'private_token: ~\n',
  ])('%j is no token', async (app) => {
    expect((await loadApp(app)).privateToken).toBeUndefined()
  })

  it.each([
    ['persistence_directory: __none__', null],
    ['persistence_directory:', '/work-dir/files/persisted_data'],
    ['persistence_directory: var/active', '/work-dir/var/active'],
    ['persistence_directory: /srv/active', '/srv/active'],
  ])('%s', async (app, directory) => {
    expect((await loadApp(`${app}\n`)).persistenceDirectory).toBe(directory)
  })
})

describe('wrong values', () => {
  it('are all reported together: file, line, key, what was found, what was expected', async () => {
    const app = `staging_directory:
  - a
maximum_stream_size: 1e6
job_directory_mode: 750
managers:
  a:
    num_concurrent_jobs: many
    min_polling_interval: soon
  b:
    type: slrum
  c: null
`
    const error = await issuesOf(loadApp(app))
    expect(error.code).toBe('CONFIG_INVALID')
    expect(error.message.split('\n').map((line) => line.replace(/^.*\/app\.yml/, 'app.yml'))).toEqual([
      'app.yml:1: staging_directory: expected a path, found a list',
      'app.yml:3: maximum_stream_size: expected a whole number of bytes, or -1 for no limit, found the text "1e6"',
      'app.yml:4: job_directory_mode: expected an octal mode that gives the owner all rights, such as "0750", found the number 750',
      'app.yml:11: managers.c: expected a mapping of options, found nothing (null); write {} for a manager with all its defaults',
      'app.yml:7: managers.a.num_concurrent_jobs: expected a whole number, 0 or more, or "*" for the number of CPUs, found the text "many"',
      'app.yml:8: managers.a.min_polling_interval: expected a number of seconds, 0 or more, found the text "soon"',
      expect.stringMatching(
        /^app\.yml:10: managers\.b\.type: expected one of queued_python, .*, found the text "slrum"$/,
      ),
    ])
    expect(error.issues).toHaveLength(7)
  })

  it.each([
    ['private_token: [s3cret]', 'private_token'],
    ['private_token: {a: s3cret}', 'private_token'],
    ['private_token: *s3cret', ''],
    ['private_token: !s3cret', ''],
    ['private_token: @s3cret', ''],
    ['private_token: a: s3cret', ''],
    ['private_token: "s3cret', ''],
    ['private_token:s3cret', ''],
    ['- s3cret', ''],
  ])('%s is refused without showing it', async (app, key) => {
    const error = await issuesOf(loadApp(`${app}\n`))
    expect(error.issues[0]).toMatchObject({ key })
    expect(`${error.message}${error.stack}${JSON.stringify(error.issues)}`).not.toContain('s3cret')
  })

  it('of both files are reported together', async () => {
    const error = await issuesOf(load({ 'server.ini': '[a\n', 'app.yml': 'a: *b\n' }))
    expect(error.issues.map(({ file }) => file.replace(/.*\//, ''))).toEqual(['server.ini', 'app.yml'])
  })

  it('do not fill the terminal', async () => {
    const error = await issuesOf(loadApp(`maximum_stream_size: ${'x'.repeat(5000)}\n`))
    expect(error.message.length).toBeLessThan(400)
  })
})

describe('keys that nobody reads', () => {
  it.each([
    ['stagin_directory: x', 'unknown option stagin_directory: it has no effect. Is staging_directory meant?'],
    ['private-token: x', 'unknown option private-token: it has no effect. Is private_token meant?'],
    [
      'Staging_Directory: x',
      'unknown option Staging_Directory: it has no effect. Is staging_directory meant?',
    ],
    ['mangers: {}', 'unknown option mangers: it has no effect. Is managers meant?'],
    ['something_else_entirely: x', 'unknown option something_else_entirely: it has no effect'],
    [
      'job_plugin: Slurm',
      'job_plugin only works inside a manager and has no effect here: move it below managers: NAME: (or manager:)',
    ],
    [
      'log_level: DEBUG',
      'log_level has no effect: Pulsar does not read it either; set level under [logger_pulsar] of server.ini',
    ],
    [
      'manager: {private_token: x}',
      'manager.private_token has no effect inside a manager: move it to the top of app.yml',
    ],
    [
      'manager: {num_concurent_jobs: 2}',
      'unknown option manager.num_concurent_jobs: it has no effect. Is num_concurrent_jobs meant?',
    ],
    [
      'manager: {submit_native_specification: -n1}',
      "manager.submit_native_specification: no effect with type: queued_python. Such keys belong to the destination in Galaxy's job_conf; native_specification is for here",
    ],
  ])('%s', async (app, warning) => {
    const { warnings } = await loadApp(`---\n${app}\n`)
    expect(warnings.map((line) => line.replace(/^.*\/app\.yml:/, ''))).toEqual([`2: ${warning}`])
  })

  it('with PasteDeploy are its own', async () => {
    const ini =
      '[app:main]\npaste.app_factory = pulsar.web.wsgi:app_factory\nuse = egg:x\napp_config = app.yml\n'
    expect((await load({ 'server.ini': ini, 'app.yml': '' })).warnings).toEqual([])
  })

  it.each([
    ['message_queue_url: ""'],
    ['conda_auto_init: false'],
    ['conda_auto_init: "False"'],
    ['dependency_resolution: {use: false, resolvers: [{type: conda}]}'],
    ['dependency_resolution: {resolvers: []}'],
    ['tool_dependency_dir: none'],
    ['amqp_publish_retry: true'],
    ['sentry_dsn:'],
  ])('nothing is said about %s, which asks for nothing', async (app) => {
    expect((await loadApp(`${app}\n`)).warnings).toEqual([])
  })

  it.each([
    [
      'user_auth: {authentication: [{type: allow_all}]}',
      'user_auth is set: this release has no user authentication',
    ],
    ['tool_config_files: toolbox.xml', 'tools are NOT checked'],
    ['object_store_config_file: x', 'object store'],
    ['manager: {cvmfsexec: {mode: mountrepo}}', 'manager.cvmfsexec is set'],
    ['manager: {type: coexecution}', 'manager _default_ (coexecution)'],
    ['manager: {type: queued_cli, job_plugin: Torque}', 'manager _default_ (job_plugin: Torque)'],
    ['manager: {type: queued_cli}', 'has no job_plugin: its jobs fail'],
    [
      'manager: {type: queued_cli, job_plugin: Slurm, shell_plugin: SecureShell, shell_hostname: h}',
      'shell_plugin: SecureShell',
    ],
    ['manager: {}\nmanagers: {a: {}}', 'manager has no effect because there is managers as well'],
    ['manager: {num_concurrent_jobs: 0}', 'jobs are accepted but never run'],
  ])('one line is said about %j', async (app, piece) => {
    expect((await loadApp(`${app}\n`)).warnings).toEqual([expect.stringContaining(piece)])
  })
})
