import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import type { Output } from '../../../src/cli/setup/output.js'
import { programName, sameCommand } from '../../../src/cli/setup/repeat.js'
import { showWaysOut } from '../../../src/cli/setup/results.js'
import { type Given, NOTHING_GIVEN } from '../../../src/setup/answers/given.js'
import type { OptionName } from '../../../src/setup/answers/option.js'
import { tempDirectory } from '../../helpers/temp-directory.js'

const told = (values: Partial<Record<OptionName, string>>) => ({
  ...NOTHING_GIVEN,
  wizard: new Map<OptionName, Given>(
    Object.entries(values).map(([name, text]) => [
      name as OptionName,
      { text, spelled: 'your answer', directory: '/' },
    ]),
  ),
})

describe('the command that does the same again', () => {
  it('is the one that was typed, quoted for a shell', () => {
    const words = ['setup', '--yes', '--native-specification', "--comment='a b'"]
    expect(sameCommand(NOTHING_GIVEN, words)).toMatch(
      / setup --yes --native-specification '--comment='\\''a b'\\'''$/,
    )
  })

  it('has a flag for each answer of the wizard, and asks nothing any more', () => {
    const given = told({
      prefix: '/srv/x',
      dependencies: 'none',
      service: 'systemd',
      noTls: 'yes',
      partition: '',
    })
    expect(sameCommand(given, ['setup', '--port', '9'])).toMatch(
      / setup --port 9 --prefix \/srv\/x --no-conda --systemd --no-tls --partition '' --yes$/,
    )
  })
})

describe('how the program is called', () => {
  it.each([
    [['node', '/srv/x/bin/magnetar.js'], { MAGNETAR_PREFIX: '/srv/y' }, '/srv/y/bin/magnetar'],
    [['node', '/srv/a b/bin/magnetar.js'], {}, "'/srv/a b/bin/magnetar.js'"],
    [['node', 'bin/magnetar.js'], { PATH: '' }, `${process.cwd()}/bin/magnetar.js`],
    [['node', '/srv/x/test-runner.js'], {}, 'magnetar'],
  ])('is its whole path, for a shell: %j %j', (argv, env, name) => {
    expect(programName(argv, env)).toBe(name)
  })

  it('is its name where the PATH leads to it, and not where that is another one', async () => {
    const directory = await tempDirectory()
    for (const name of ['own', 'other', 'path']) mkdirSync(join(directory, name))
    const [own, other] = ['own', 'other'].map((name) => join(directory, name, 'magnetar.js'))
    if (!own || !other) throw new Error('no names')
    for (const file of [own, other]) writeFileSync(file, '', { mode: 0o755 })
    symlinkSync(own, join(directory, 'path', 'magnetar'))
    const env = { PATH: `/nowhere:${join(directory, 'path')}` }
    expect(programName(['node', own], env)).toBe('magnetar')
    expect(programName(['node', other], env)).toBe(other)
  })
})

it('the ways out of a setup are each on one line, in a terminal of any width', () => {
  const lines: string[] = []
  const output = { warn: (text: string) => lines.push(text) } as Partial<Output> as Output
  const prefix = `/srv/${'long/'.repeat(30)}node`
  showWaysOut(prefix, NOTHING_GIVEN, ['setup', '--prefix', prefix], output)
  expect(lines.map((line) => line.trim())).toEqual([
    expect.stringMatching(new RegExp(`^Go on with .* setup --prefix ${prefix}$`)),
    expect.stringMatching(new RegExp(`^Undo with .* uninstall --prefix ${prefix}$`)),
  ])
})
