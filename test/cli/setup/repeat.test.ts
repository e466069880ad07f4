import { describe, expect, it } from 'vitest'
import { programName, sameCommand } from '../../../src/cli/setup/repeat.js'
import { type Given, NOTHING_GIVEN } from '../../../src/setup/answers/given.js'
import type { OptionName } from '../../../src/setup/answers/option.js'

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

it.each([
  [['node', '/srv/x/bin/magnetar'], { MAGNETAR_PREFIX: '/srv/x' }, '/srv/x/bin/magnetar'],
  [['node', `${process.cwd()}/bin/magnetar.js`], {}, 'bin/magnetar.js'],
  [['node', '/usr/local/bin/magnetar'], {}, 'magnetar'],
])('the program is called as it was: %j %j', (argv, env, name) => {
  expect(programName(argv, env)).toBe(name)
})
