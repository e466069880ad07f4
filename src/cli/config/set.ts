import { planSet, planUnset } from '../../config/change/plan-change.js'
import { valueFromText } from '../../config/change/value-from-text.js'
import { writeChecked } from '../../config/change/write-checked.js'
import {
  findKnownOption,
  type KnownOption,
  parseOptionName,
  suggestOption,
} from '../../config/known-options.js'
import type { LoadOptions } from '../../config/load.js'
import { MagnetarError } from '../../lib/errors.js'
import { EXIT } from '../exit-codes.js'
import { printChange } from './print-change.js'
import { readValue } from './read-value.js'
import { say, type Terminal } from './terminal.js'

/** `magnetar config set KEY VALUE`; resolves with the exit code. */
export async function setOption(
  options: LoadOptions,
  name: string,
  given: string,
  terminal: Terminal,
): Promise<number> {
  const address = knownOption(name)
  const { option, key } = address
  if (option.secret && given !== '-')
    throw new MagnetarError(
      'ANSWER_INVALID',
      `${name} is a secret, and every user of this machine can see the words of a command`,
      { fix: `Give it on standard input: magnetar config set ${name} - (type it, or add < FILE)` },
    )
  const text = given === '-' ? await readValue(name, terminal) : given
  if (text === undefined) return EXIT.interrupted
  const value = valueFromText(option, text)
  if (value === undefined || (option.secret && text === '')) {
    const found = option.secret ? '' : `, found ${JSON.stringify(text)}`
    throw new MagnetarError('ANSWER_INVALID', `${name}: expected ${option.type.expected}${found}`, {
      fix: `"magnetar config docs ${key}" tells more. Nothing was changed.`,
    })
  }
  const edit = await planSet(options, address, value)
  if (edit.before === edit.after) {
    say(terminal.stdout, `${name} is so already in ${edit.path}; nothing was changed`)
    return EXIT.ok
  }
  const written = await writeChecked(options, edit)
  await printChange(options, { address, option, edit, written, isUnset: false }, terminal)
  return EXIT.ok
}

/** `magnetar config unset KEY`; resolves with the exit code. */
export async function unsetOption(options: LoadOptions, name: string, terminal: Terminal): Promise<number> {
  // A name that nobody knows can stand in a file all the same, and is to go.
  const address = parseOptionName(name)
  const edit = address && (await planUnset(options, address))
  const option = address && findKnownOption(address)?.option
  if (!address || !edit) {
    if (!option) throw unknownOption(name)
    say(terminal.stdout, `${name} is not set in ${options.configDirectory}; nothing was changed`)
    return EXIT.ok
  }
  const written = await writeChecked(options, edit)
  await printChange(options, { address, option, edit, written, isUnset: true }, terminal)
  return EXIT.ok
}

function knownOption(name: string): KnownOption {
  const address = parseOptionName(name)
  const known = address && findKnownOption(address)
  if (!known) throw unknownOption(name)
  return known
}

function unknownOption(name: string): MagnetarError {
  const nearest = suggestOption(name)
  return new MagnetarError(
    'ANSWER_INVALID',
    `there is no option ${name}${nearest === undefined ? '' : `. Is ${nearest} meant?`}`,
    { fix: '"magnetar config docs" lists them all. Nothing was changed.' },
  )
}
