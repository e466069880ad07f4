import { describe, expect, it } from 'vitest'
import { parseArguments } from '../../src/cli/pulsar-config/arguments.js'
import { FLAGS, type Flag } from '../../src/cli/pulsar-config/options.js'
import { renderHelp, renderUsage } from '../../src/cli/pulsar-config/usage.js'

function valuesOf(...argv: string[]): Record<string, string | true> {
  const parsed = parseArguments(argv, FLAGS)
  if (parsed.kind !== 'values') throw new Error(JSON.stringify(parsed))
  return Object.fromEntries(parsed.values)
}

function errorOf(...argv: string[]): string {
  const parsed = parseArguments(argv, FLAGS)
  if (parsed.kind !== 'error') throw new Error(JSON.stringify(parsed))
  return parsed.message
}

describe('the arguments of pulsar-config', () => {
  it.each<[string[], Record<string, string | true>]>([
    [[], {}],
    [['--mq', '--port', '1'], { '--mq': true, '--port': '1' }],
    [['--port=1'], { '--port': '1' }],
    [['--private_token=a=b'], { '--private_token': 'a=b' }],
    [['--private_token='], { '--private_token': '' }],
    [['--private_token', ''], { '--private_token': '' }],
    [['--private_token', '-5'], { '--private_token': '-5' }],
    [['--private_token', '-.5'], { '--private_token': '-.5' }],
    [['--private_token', '-a b'], { '--private_token': '-a b' }],
    [['--private_token=-x'], { '--private_token': '-x' }],
    [['--private_token', '-'], { '--private_token': '-' }],
    [['--port', '1', '--port', '2'], { '--port': '2' }],
    [['--wsgi', 'uwsgi'], { '--wsgi_server': 'uwsgi' }],
    [['--w=gunicorn'], { '--wsgi_server': 'gunicorn' }],
    [['--libdrmaa', '/x'], { '--libdrmaa_path': '/x' }],
    [['--no_log'], { '--no_logging': true }],
    [['--login'], { '--login': true }],
  ])('%j', (argv, values) => {
    expect(valuesOf(...argv)).toEqual(values)
  })

  it.each<[string[], string]>([
    [['--log'], 'ambiguous option: --log could match --login, --login-only'],
    [['--help', '--log'], 'ambiguous option: --log could match --login, --login-only'],
    [['--host', '--l=secret'], 'ambiguous option: --l could match --login, --login-only, --libdrmaa_path'],
    [['--host'], 'argument --host: expected one argument'],
    [['--host', '--mq'], 'argument --host: expected one argument'],
    [['--host', '-x', '--help'], 'argument --host: expected one argument'],
    [['--host', '--', 'x'], 'argument --host: expected one argument'],
    [['--mq=x'], "argument --mq: ignored explicit argument 'x'"],
    [['--mq='], "argument --mq: ignored explicit argument ''"],
    [['--help=x'], "argument -h/--help: ignored explicit argument 'x'"],
    [['-hx'], "argument -h/--help: ignored explicit argument 'x'"],
    [
      ['--wsgi', 'paste'],
      "argument --wsgi_server: invalid choice: 'paste' (choose from 'gunicorn', 'uwsgi')",
    ],
    [
      ['--wsgi_server', 'UWSGI'],
      "argument --wsgi_server: invalid choice: 'UWSGI' (choose from 'gunicorn', 'uwsgi')",
    ],
    [['x', '--frobnicate=1', '-z', '--mq'], 'unrecognized arguments: x --frobnicate=1 -z'],
    [['--directory', 'd', '--', 'x', '--mq'], 'unrecognized arguments: -- x --mq'],
    [['-d', 'x'], 'unrecognized arguments: -d x'],
  ])('%j: %s', (argv, message) => {
    expect(errorOf(...argv)).toBe(message)
  })

  it.each([
    [['-h']],
    [['--help']],
    [['--he']],
    [['-hh']],
    [['--bogus', '--help', '--host']],
  ])('%j asks for help', (argv) => {
    expect(parseArguments(argv, FLAGS)).toEqual({ kind: 'help' })
  })

  it.each(['0', '65536', 'abc', '', '-1', '8913 ', '1e3', '٣'])('refuses the port %j', (port) => {
    expect(errorOf(`--port=${port}`)).toBe(
      `argument --port: expected a port number from 1 to 65535, found ${JSON.stringify(port)}`,
    )
  })

  it.each(['', 'a b', 'a\nb = c', 'http://x'])('refuses the host %j', (host) => {
    expect(errorOf(`--host=${host}`)).toMatch(/^argument --host: expected the name or the address/)
  })

  it('suggests the flag that a mistyped one is nearest to, and does not repeat a token', () => {
    expect(errorOf('--private-token', 'geheim', '--mq')).toBe(
      'unrecognized arguments: --private-token ***\n  Fix: is --private_token meant?',
    )
    expect(errorOf('--privat_tokn=geheim')).toMatch(/^unrecognized arguments: --privat_tokn=\*\*\*\n/)
    expect(errorOf('--my-token', 'geheim')).toBe('unrecognized arguments: --my-token ***')
  })

  it('does not know the flags of Unix elsewhere', () => {
    const flags = FLAGS.filter((flag: Flag) => !flag.unixOnly)
    expect(parseArguments(['--supervisor'], flags)).toMatchObject({ kind: 'error' })
    expect(parseArguments(['--mq'], flags)).toMatchObject({ kind: 'values' })
  })
})

describe('the help of pulsar-config', () => {
  it.each([40, 60, 80, 200])('fits %i columns', (columns) => {
    const lines = renderHelp(FLAGS, columns).split('\n')
    // One word, or a flag with its argument, is never cut.
    const tooLong = lines.filter(
      (line) => line.length > columns && /\S \S/.test(line.trim().replace(/^\[?--[a-z_-]+ /, '')),
    )
    expect(tooLong).toEqual([])
    for (const { name } of FLAGS) expect(lines.some((line) => line.startsWith(`  ${name}`))).toBe(true)
  })

  it('begins with the usage as argparse writes it', () => {
    expect(renderUsage(FLAGS, 80).split('\n').slice(0, 3)).toEqual([
      'usage: pulsar-config [-h] [--directory DIRECTORY] [--auto_conda] [--mq]',
      '                     [--login] [--login-only] [--relay-url RELAY_URL]',
      '                     [--no_logging] [--supervisor]',
    ])
  })
})
