import { dirname } from 'node:path'
import { describe, expect, it } from 'vitest'
import { loadConfig } from '../../src/config/load.js'
import { issuesOf, load, makeConfigDirectory } from './helpers.js'

const MAIN = '[server:main]\nhost = 10.0.0.1\nport = 8000\n'
const EXERCISE =
  '[uwsgi]\nmaster = True\nhttp = localhost:8913\nbuffer-size = 16384\nlogto = /srv/pulsar/var/uwsgi.log\n'

function loadIni(ini: string, options: Parameters<typeof load>[1] = {}) {
  return load({ 'server.ini': ini, 'app.yml': '' }, options)
}

describe('where the server listens', () => {
  it.each([
    ['[server:main] in mode gunicorn', MAIN + EXERCISE, { mode: 'gunicorn' }, '10.0.0.1', 8000],
    ['[server:main] in mode webless', MAIN + EXERCISE, { mode: 'webless' }, '10.0.0.1', 8000],
    ['[uwsgi] http in mode uwsgi', MAIN + EXERCISE, { mode: 'uwsgi' }, 'localhost', 8913],
    ['[uwsgi] http-socket', '[uwsgi]\nhttp-socket = :7000\n', { mode: 'uwsgi' }, '0.0.0.0', 7000],
    ['http before http-socket', '[uwsgi]\nhttp-socket = :1\nhttp = :2\n', { mode: 'uwsgi' }, '0.0.0.0', 2],
    ['all addresses', '[uwsgi]\nhttp = *:7000\n', { mode: 'uwsgi' }, '0.0.0.0', 7000],
    ['IPv6', '[uwsgi]\nhttp = [::1]:7000\n', { mode: 'uwsgi' }, '::1', 7000],
    ['[server:main] without a mode', MAIN + EXERCISE, {}, '10.0.0.1', 8000],
    [
      '[uwsgi] without a mode, if [server:main] has no address',
      '[server:main]\n[uwsgi]\nhttp = :7000\n',
      {},
      '0.0.0.0',
      7000,
    ],
    ['the defaults in mode uwsgi', '', { mode: 'uwsgi' }, 'localhost', 8913],
    ['the command line', MAIN + EXERCISE, { mode: 'uwsgi', host: '::', port: 0 }, '::', 0],
    ['the command line for the port alone', MAIN, { port: 1 }, '10.0.0.1', 1],
    ['keys in any case', '[server:main]\nHOST = h\nPort: 99\n', {}, 'h', 99],
    ['an empty host', '[server:main]\nhost =\n', {}, 'localhost', 8913],
  ])('%s', async (_what, ini, options, host, port) => {
    const config = await loadIni(ini, options)
    expect(config.server).toEqual({ host, port, sslPem: undefined })
    expect(config.warnings).toEqual([])
  })

  it('[uwsgi] socket alone is not HTTP: [server:main] is used, with a warning', async () => {
    const config = await loadIni(`${MAIN}[uwsgi]\nsocket = 0.0.0.0:3031\n`, { mode: 'uwsgi' })
    expect(config.server).toMatchObject({ host: '10.0.0.1', port: 8000 })
    expect(config.warnings).toEqual([
      expect.stringMatching(/server\.ini:5: \[uwsgi\] socket is for the uwsgi protocol/),
    ])
  })

  it.each([
    ['[server:main]\nport = 70000\n', '[server:main] port'],
    ['[server:main]\nport = 8913 ; comment\n', '[server:main] port'],
    ['[server:main]\nport = http\n', '[server:main] port'],
    ['[uwsgi]\nhttp = /run/x.sock\n', '[uwsgi] http'],
    ['[uwsgi]\nhttp = 8913\n', '[uwsgi] http'],
    ['[uwsgi]\nhttp = h:70000\n', '[uwsgi] http'],
  ])('%j is refused', async (ini, key) => {
    expect((await issuesOf(loadIni(ini, { mode: 'uwsgi' }))).issues).toMatchObject([{ key, line: 2 }])
  })

  it('a port on the command line must be one', async () => {
    expect((await issuesOf(loadIni('', { port: 70_000 }))).message).toMatch(/^--port: expected a port number/)
  })

  it('a misspelled key gets a hint, those of other servers do not', async () => {
    const { warnings } = await loadIni(
      '[server:main]\nprot = 1\nuse = egg:Paste#http\nthreadpool_workers = 10\n',
    )
    expect(warnings).toEqual([
      expect.stringContaining('unknown option [server:main] prot: it has no effect. Is port meant?'),
    ])
  })

  it('an ini that was asked for by name and is not there is told', async () => {
    const config = await load({ 'app.yml': '' }, { iniPath: 'typo.ini' })
    expect(config.warnings).toEqual([expect.stringMatching(/typo\.ini does not exist/)])
  })
})

describe('HTTPS', () => {
  it('ssl_pem is relative to the working directory and must be there', async () => {
    const configDirectory = await makeConfigDirectory({
      'server.ini': '[server:main]\nssl_pem = host.pem\n',
      'app.yml': '',
      'host.pem': 'x',
    })
    const config = await loadConfig({ configDirectory, env: {}, cwd: configDirectory })
    expect(config.server.sslPem).toBe(`${configDirectory}/host.pem`)
    const error = await issuesOf(loadConfig({ configDirectory, env: {}, cwd: dirname(configDirectory) }))
    expect(error.issues).toMatchObject([
      { line: 2, key: '[server:main] ssl_pem', fix: expect.stringContaining('openssl req') },
    ])
  })

  it('"*" is refused, with the way to make a certificate', async () => {
    const error = await issuesOf(loadIni('[server:main]\nssl_pem = *\n'))
    expect(error.issues).toMatchObject([
      { key: '[server:main] ssl_pem', fix: expect.stringContaining('openssl req') },
    ])
  })
})

describe('logging', () => {
  it('takes the line format of the handler of [logger_pulsar]', async () => {
    const { logging } = await loadIni(
      '[loggers]\nkeys = root,pulsar\n[logger_pulsar]\nlevel = INFO\nhandlers = console\n[handler_console]\nformatter = generic\n[formatter_generic]\nformat = %(asctime)s %(message)s\n',
    )
    expect(logging.format).toBe('%(asctime)s %(message)s')
    expect((await loadIni('[loggers]\nkeys = root\n')).logging.format).toBeUndefined()
  })

  const loggers = (pulsar: string, root: string) =>
    `[loggers]\nkeys = root,pulsar\n[logger_root]\nlevel = ${root}\n[logger_pulsar]\nlevel = ${pulsar}\n[formatter_generic]\nformat = %(asctime)s %(message)s\n`

  it.each([
    ['DEBUG', 'INFO', 'debug'],
    ['NOTSET', 'WARNING', 'warn'],
    ['WARN', 'INFO', 'warn'],
    ['ERROR', 'INFO', 'error'],
    ['CRITICAL', 'INFO', 'error'],
    ['info', 'ERROR', 'info'],
  ])('pulsar %s, root %s: %s', async (pulsar, root, level) => {
    expect((await loadIni(loggers(pulsar, root))).logging.level).toBe(level)
  })

  it('a level that is none is refused', async () => {
    const error = await issuesOf(loadIni(loggers('LOUD', 'INFO')))
    expect(error.issues).toMatchObject([{ line: 6, key: '[logger_pulsar] level' }])
  })

  it('sections without [loggers] are not read, as in Python', async () => {
    expect((await loadIni('[logger_pulsar]\nlevel = DEBUG\n')).logging.level).toBe('info')
  })

  it.each([
    ['uwsgi', '/srv/pulsar/var/uwsgi.log'],
    [undefined, '/srv/pulsar/var/uwsgi.log'],
    ['gunicorn', undefined],
  ])('[uwsgi] logto in mode %s', async (mode, file) => {
    expect((await loadIni(EXERCISE, mode === undefined ? {} : { mode })).logging.file).toBe(file)
  })

  it('a relative logto starts at the working directory', async () => {
    expect((await loadIni('[uwsgi]\nlogto = var/log\n')).logging.file).toBe('/work-dir/var/log')
  })
})
