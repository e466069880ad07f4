import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { parseIni, readIniSection } from '../../src/config/ini.js'
import { createProblems } from '../../src/config/problems.js'
import { renderAppYml } from '../../src/setup/files/render/app-yml.js'
import { renderLocalEnv } from '../../src/setup/files/render/local-env.js'
import { renderServerIni } from '../../src/setup/files/render/server-ini.js'
import {
  escapeForSupervisor,
  prefixEnvironment,
  pulsarCommand,
  renderSupervisorConf,
} from '../../src/setup/files/render/supervisor-conf.js'
import { runCommand } from '../helpers/run-command.js'
import { tempDirectory } from '../helpers/temp-directory.js'
import { oddTokens } from './odd-tokens.js'

describe('app.yml', () => {
  it('has the keys of the exercise in their order', () => {
    expect(renderAppYml({ privateToken: 'foo', autoConda: false, drmaa: true })).toBe(
      '---\nprivate_token: foo\nconda_auto_init: false\nconda_auto_install: false\nmanager:\n  type: queued_drmaa\n',
    )
  })

  it('leaves out what is not asked for, also an empty token', () => {
    const bare = '---\nconda_auto_init: true\nconda_auto_install: true\n'
    expect(renderAppYml({ autoConda: true, drmaa: false })).toBe(bare)
    expect(renderAppYml({ privateToken: '', autoConda: true, drmaa: false })).toBe(bare)
  })

  it('names a message queue, and for a relay the credentials file, always in double quotes', () => {
    const queue = renderAppYml({ autoConda: false, drmaa: false, messageQueue: { url: 'amqp://queue//' } })
    expect(queue.split('\n')[1]).toBe('message_queue_url: "amqp://queue//"')
    const messageQueue = { url: 'https://relay', credentialsFile: '/srv/a "b"/relay_credentials.json' }
    const relay = renderAppYml({ autoConda: false, drmaa: false, messageQueue })
    expect(relay.split('\n').slice(1, 3)).toEqual([
      'message_queue_url: "https://relay"',
      'message_queue_credentials_file: "/srv/a \\"b\\"/relay_credentials.json"',
    ])
    expect(parse(relay)).toMatchObject({ message_queue_credentials_file: messageQueue.credentialsFile })
  })

  it.each(oddTokens)('gives the token %j back as the text it was, to YAML 1.1 and 1.2', (token) => {
    const text = renderAppYml({ privateToken: token, autoConda: false, drmaa: false })
    const expected = { private_token: token, conda_auto_init: false, conda_auto_install: false }
    expect(parse(text, { version: '1.1' })).toEqual(expected)
    expect(parse(text, { version: '1.2' })).toEqual(expected)
  })

  it.each(['foo', 'Foo_bar-2.0', 'correct-horse'])('leaves the token %j plain', (token) => {
    expect(renderAppYml({ privateToken: token, autoConda: false, drmaa: false })).toContain(`: ${token}\n`)
  })
})

describe('server.ini', () => {
  it('has the sections and keys of pulsar-config 0.16.0 in its order, and HTTP in [uwsgi]', () => {
    const { sections } = read(renderServerIni({ host: 'localhost', port: '8913', logging: true }))
    expect([...sections].map(([name, keys]) => [name, [...keys.keys()].join(' ')])).toEqual([
      ['server:main', 'port host'],
      ['app:main', 'app_config'],
      ['uwsgi', 'master paste-logger http processes enable-threads buffer-size'],
      ['circus', 'endpoint pubsub_endpoint'],
      ['watcher:web', 'cmd use_sockets numprocesses'],
      ['socket:web', 'host port'],
      ['loggers', 'keys'],
      ['handlers', 'keys'],
      ['formatters', 'keys'],
      ['logger_root', 'level handlers'],
      ['logger_pulsar', 'level handlers qualname propagate'],
      ['handler_console', 'class args level formatter'],
      ['formatter_generic', 'format'],
    ])
    const uwsgi = Object.fromEntries([...(sections.get('uwsgi') ?? [])].map(([key, { text }]) => [key, text]))
    expect(uwsgi).toEqual({
      master: 'True',
      'paste-logger': 'true',
      http: 'localhost:8913',
      processes: '1',
      'enable-threads': 'True',
      'buffer-size': '16384',
    })
  })

  it('without logging has none of its sections, and tells uWSGI so', () => {
    const { sections } = read(renderServerIni({ host: 'localhost', port: 8913, logging: false }))
    expect([...sections.keys()].at(-1)).toBe('socket:web')
    expect(sections.get('uwsgi')?.get('paste-logger')?.text).toBe('false')
  })

  it('writes the uwsgi address of pulsar-config 0.16.0 when HTTP is not wanted', () => {
    const { sections } = read(renderServerIni({ host: '0.0.0.0', port: 1, logging: false, http: false }))
    const keys = [...(sections.get('uwsgi')?.keys() ?? [])]
    expect(keys).toEqual(['master', 'paste-logger', 'socket', 'processes', 'enable-threads'])
    expect(sections.get('uwsgi')?.get('socket')?.text).toBe('0.0.0.0:3031')
  })

  it.each([
    ['::1', '[::1]'],
    ['[::1]', '[::1]'],
    ['fe80::1%eth0', '[fe80::1%eth0]'],
  ])('writes the IPv6 address %s so that Python and uWSGI find the port', (host, address) => {
    const text = renderServerIni({ host, port: 8913, logging: false })
    const problems = createProblems()
    const main = readIniSection(parseIni(text, 'server.ini', problems), 'server:main', {}, problems)
    problems.throwIfAny()
    expect(main?.get('host')?.text).toBe(address)
    expect(read(text).sections.get('uwsgi')?.get('http')?.text).toBe(`${address}:8913`)
  })
})

describe('local_env.sh', () => {
  it('shows the line for a DRMAA library as an example', async () => {
    expect(renderLocalEnv({})).toContain('\n#export DRMAA_LIBRARY_PATH=/path/to/libdrmaa.so\n')
    expect(await sourced(renderLocalEnv({}))).toBe('unset')
  })

  it('exports the library', () => {
    const library = '/usr/lib/slurm-drmaa/lib/libdrmaa.so.1'
    expect(renderLocalEnv({ drmaaLibrary: library })).toContain(`\nexport DRMAA_LIBRARY_PATH=${library}\n`)
  })

  it.each([
    '/opt/a b/x.so',
    "/opt/it's/x.so",
    '/opt/$HOME/`id`/x.so',
    '/opt/#a;b&c/x.so',
    '~/x.so',
  ])('gives bash the path %s as it is', async (library) => {
    expect(await sourced(renderLocalEnv({ drmaaLibrary: library }))).toBe(library)
  })
})

describe('supervisor.conf', () => {
  const exercise = {
    program: 'pulsar',
    user: 'pulsar',
    directory: '/srv/pulsar/etc',
    command: pulsarCommand({
      launcher: '/srv/pulsar/bin/pulsar',
      mode: 'uwsgi',
      directory: '/srv/pulsar/etc',
    }),
    environment: prefixEnvironment('/srv/pulsar'),
    stopsignal: 'INT',
  }

  it('is the section that the exercise ends up with', () => {
    expect(renderSupervisorConf(exercise)).toBe(
      `[program:pulsar]
user            = pulsar
directory       = /srv/pulsar/etc
command         = /srv/pulsar/bin/pulsar --mode 'uwsgi' --config '/srv/pulsar/etc'
redirect_stderr = true
autorestart     = true
environment     = VIRTUAL_ENV="/srv/pulsar",PATH="/srv/pulsar/bin:%(ENV_PATH)s"
stopsignal      = INT
`,
    )
  })

  it('leaves environment and stopsignal to Supervisor when they are not given', () => {
    const text = renderSupervisorConf({ program: 'x', user: 'u', directory: '/d', command: '/c' })
    expect(text).toMatch(/^\[program:x\]\n/)
    expect(text).not.toMatch(/environment|stopsignal/)
  })

  it('doubles percent signs wherever Supervisor expands them', () => {
    const directory = '/srv/50%/etc'
    const command = pulsarCommand({ launcher: '/srv/50%/bin/pulsar', mode: 'uwsgi', directory })
    const text = renderSupervisorConf({
      ...exercise,
      user: 'a%b',
      directory,
      command,
      environment: prefixEnvironment('/srv/50%'),
    })
    expect(text.replaceAll('%(ENV_PATH)s', '')).not.toMatch(/[^%]%[^%]/)
    expect(text).toContain('PATH="/srv/50%%/bin:%(ENV_PATH)s"')
  })

  it('quotes the directory for the command line, also one with a quote in it', () => {
    const command = pulsarCommand({ launcher: '/a b/pulsar', mode: 'webless', directory: "/it's here" })
    expect(command).toBe(`'/a b/pulsar' --mode 'webless' --config '/it'\\''s here'`)
  })

  it('takes the other quote for a value with one in it', () => {
    const environment = { A: `it's`, B: 'say "x"!' }
    expect(renderSupervisorConf({ ...exercise, environment })).toContain(`= A="it's",B='say "x"!'\n`)
  })

  it.each([
    ['a line break', { directory: '/a\n[program:x]' }],
    ['what Supervisor takes for a comment', { directory: '/a ;b' }],
    ['a blank at the end', { directory: '/a ' }],
    ['both quotes in a value', { environment: { A: `'"` } }],
    ['a quote at the end of a value', { environment: { A: `a'` } }],
    ['a word that Supervisor replaces', { directory: '/a/%(here)s' }],
  ])('refuses %s', (_what, wrong) => {
    expect(() => renderSupervisorConf({ ...exercise, ...wrong })).toThrow(
      expect.objectContaining({ code: 'ANSWER_INVALID' }),
    )
  })

  it('escapes text for values that are expanded', () => {
    expect(escapeForSupervisor('100%(x)s')).toBe('100%%(x)s')
  })
})

function read(text: string): ReturnType<typeof parseIni> {
  const problems = createProblems()
  const ini = parseIni(text, 'server.ini', problems)
  problems.throwIfAny()
  return ini
}

/** What DRMAA_LIBRARY_PATH is after bash has read the file. */
async function sourced(text: string): Promise<string> {
  const file = join(await tempDirectory(), 'local_env.sh')
  await writeFile(file, text)
  const script = 'unset DRMAA_LIBRARY_PATH; . "$1"; printf %s "${DRMAA_LIBRARY_PATH-unset}"'
  const { output } = await runCommand('bash', ['-c', script, 'bash', file])
  return output
}
