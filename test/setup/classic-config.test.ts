import { describe, expect, it } from 'vitest'
import {
  type ClassicOptions,
  type ClassicPlace,
  describeResult,
  describeStart,
  renderClassicFiles,
} from '../../src/setup/classic/classic-config.js'

const bare: ClassicOptions = {
  directory: '.',
  autoConda: false,
  mq: false,
  relayUrl: undefined,
  logging: true,
  supervisor: false,
  wsgiServer: undefined,
  libdrmaaPath: undefined,
  host: 'localhost',
  privateToken: undefined,
  port: '8913',
  install: false,
  force: false,
  unix: true,
}

const place: ClassicPlace = {
  cwd: '/srv/pulsar/etc',
  user: 'pulsar',
  launcher: '/srv/pulsar/bin/pulsar',
  prefix: '/srv/pulsar',
  nodeDirectory: '/opt/node/bin',
}

const exercise: ClassicOptions = {
  ...bare,
  wsgiServer: 'uwsgi',
  supervisor: true,
  libdrmaaPath: '/usr/lib/slurm-drmaa/lib/libdrmaa.so.1',
  privateToken: 'foo',
  install: true,
}

function filesFor(options: Partial<ClassicOptions>, where: ClassicPlace = place): Map<string, string> {
  return new Map(renderClassicFiles({ ...bare, ...options }, where).map(({ name, text }) => [name, text]))
}

describe('the files for a combination of flags', () => {
  it.each<[string, Partial<ClassicOptions>, string[]]>([
    ['none', {}, ['app.yml', 'server.ini', 'local_env.sh']],
    ['--mq', { mq: true }, ['app.yml', 'local_env.sh']],
    ['--mq --supervisor', { mq: true, supervisor: true }, ['app.yml', 'local_env.sh', 'supervisor.conf']],
    ['--mq --wsgi_server uwsgi', { mq: true, wsgiServer: 'uwsgi' }, ['app.yml', 'local_env.sh']],
    ["the exercise's", exercise, ['app.yml', 'server.ini', 'local_env.sh', 'supervisor.conf']],
    ['MOCK_WINDOWS', { unix: false }, ['app.yml', 'server.ini']],
    ['--no_logging', { logging: false }, ['app.yml', 'server.ini', 'local_env.sh']],
  ])('%s', (_flags, options, names) => {
    expect([...filesFor(options).keys()]).toEqual(names)
  })

  it('marks app.yml as a secret only with a token', () => {
    const secrets = (options: ClassicOptions): string[] =>
      renderClassicFiles(options, place)
        .filter(({ secret }) => secret)
        .map(({ name }) => name)
    expect(secrets(exercise)).toEqual(['app.yml'])
    expect(secrets(bare)).toEqual([])
  })

  it('puts a message queue into app.yml, and a relay only together with it', () => {
    expect(filesFor({ mq: true }).get('app.yml')).toContain('message_queue_url: "amqp://')
    const relay = filesFor({ mq: true, relayUrl: 'https://relay', directory: 'x' }).get('app.yml')
    expect(relay).toContain('message_queue_url: "https://relay"\n')
    expect(relay).toContain('"/srv/pulsar/etc/x/relay_credentials.json"\n')
    expect(filesFor({ relayUrl: 'https://relay' }).get('app.yml')).not.toContain('relay')
  })

  it.each<[string, Partial<ClassicOptions>]>([
    ['webless', { mq: true }],
    ['uwsgi', { mq: true, wsgiServer: 'uwsgi' }],
    ['uwsgi', { wsgiServer: 'uwsgi' }],
    ['gunicorn', { wsgiServer: 'gunicorn' }],
    ['gunicorn', {}],
  ])("starts with --mode '%s' for %j", (mode, options) => {
    const text = filesFor({ ...options, supervisor: true }).get('supervisor.conf')
    expect(text).toContain(`= /srv/pulsar/bin/pulsar --mode '${mode}' --config '/srv/pulsar/etc'\n`)
  })

  it('makes the directory absolute in supervisor.conf', () => {
    const text = filesFor({ supervisor: true, directory: '../other/' }).get('supervisor.conf')
    expect(text).toContain(`directory       = /srv/pulsar/other\n`)
    expect(text).toContain(`--config '/srv/pulsar/other'\n`)
  })

  it('lets the launcher of a checkout find its Node, without the environment of a prefix', () => {
    const checkout = { ...place, prefix: undefined, launcher: '/opt/magnetar/bin/pulsar.js' }
    const text = filesFor({ supervisor: true }, checkout).get('supervisor.conf')
    expect(text).toContain('environment     = PATH="/opt/node/bin:%(ENV_PATH)s"\n')
  })
})

describe('the messages', () => {
  it('are those of the exercise, in their order', () => {
    expect([describeStart(exercise), ...describeResult(exercise)]).toEqual([
      'Bootstrapping pulsar configuration into directory .',
      expect.stringMatching(/^Nothing to install: .* apt-get install supervisor$/),
      ' - app.yml created, update to configure Pulsar application.',
      ' - server.ini created, update to configure web server.',
      '   * Target web server uwsgi',
      '   * Binding to host localhost, remote clients will not be able to connect.',
      '   * Target web server uwsgi',
      ' - local_env.sh created, update to configure environment.',
      '',
      '',
      'Start pulsar by running the command from directory [.]:',
      '    pulsar --mode uwsgi',
      'Any extra commands passed to pulsar will be forwarded along to uwsgi.',
    ])
  })

  it('name the directory as it was given', () => {
    const options = { ...bare, directory: './a/../b' }
    expect(describeStart(options)).toBe('Bootstrapping pulsar configuration into directory ./a/../b')
    expect(describeResult(options)).toContain(
      'Start pulsar by running the command from directory [./a/../b]:',
    )
  })

  it('end with the plain command for gunicorn and where there is no Unix', () => {
    expect(describeResult(bare).at(-1)).toBe('    pulsar')
    expect(describeResult({ ...bare, unix: false }).slice(-4)).toEqual([
      '',
      '',
      expect.any(String),
      '    pulsar',
    ])
  })

  it('warn about an address that others can reach, and say which', () => {
    const binding = (options: ClassicOptions): string | undefined => describeResult(options)[3]
    expect(binding({ ...bare, host: '0.0.0.0' })).toBe(
      '   * Binding to host [0.0.0.0], configure a private token and SSL if network is not firewalled off.',
    )
    expect(binding({ ...bare, host: '0.0.0.0', privateToken: 'x' })).toBe(
      '   * Binding to host [0.0.0.0] with a private token, please configure SSL if network is not firewalled off.',
    )
  })

  it('tell how to check a node of a message queue, without its token', () => {
    const lines = describeResult({ ...bare, mq: true, privateToken: 'geheim' })
    expect(lines[0]).toMatch(/app\.yml/)
    expect(lines.slice(1, 2)).toEqual([' - local_env.sh created, update to configure environment.'])
    expect(lines.slice(-4)).toEqual([
      '    pulsar --mode webless',
      'Run a test job against your Pulsar server using the command:',
      "  pulsar-check --url http://localhost:8913 --private_token '<private_token of app.yml>'",
      'If it reports no problems, your pulsar server is running properly.',
    ])
    expect(lines.join('\n')).not.toContain('geheim')
  })
})
