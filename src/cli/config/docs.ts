import { findKnownOption, INI_SECTIONS, parseOptionName, suggestOption } from '../../config/known-options.js'
import { findOption, type Option } from '../../config/option.js'
import { OPTION_GROUPS } from '../../config/options/index.js'
import { MagnetarError } from '../../lib/errors.js'
import { createPalette } from '../palette.js'
import { terminalWidth, wrap } from '../wrap.js'
import type { Terminal } from './terminal.js'

/** `magnetar config docs [KEY]`: all options with a line each, or all about one. */
export function printDocs(name: string | undefined, terminal: Terminal): void {
  const { stdout } = terminal
  const width = stdout.isTTY ? terminalWidth(stdout) : Number.POSITIVE_INFINITY
  const text = name === undefined ? describeAll(terminal, width) : describeOne(name, terminal, width)
  stdout.write(`${text}\n`)
}

const COLUMN = 4

function describeAll({ stdout, env }: Terminal, width: number): string {
  const palette = createPalette(stdout, env)
  const groups = OPTION_GROUPS.map(({ title, where, options }) => {
    const rows = Object.entries(options).map(([name, option]) =>
      wrap(
        `  ${name}  ${palette.dim(plain(option.description))}${hintOf(option)}`,
        width,
        ' '.repeat(COLUMN + 2),
      ),
    )
    return `${palette.bold(title)}\n${wrap(plain(where), width)}\n${rows.join('\n')}`
  })
  return `${groups.join('\n\n')}\n\n${wrap('"magnetar config docs KEY" tells all about one of them.', width)}`
}

function hintOf(option: Option): string {
  if (option.ignored) return ' (no effect)'
  return option.notYet ? ' (not used by this release)' : ''
}

function describeOne(name: string, { stdout, env }: Terminal, width: number): string {
  const palette = createPalette(stdout, env)
  const found = findDocumented(name)
  if (found.length === 0) {
    const nearest = suggestOption(name)
    throw new MagnetarError(
      'ANSWER_INVALID',
      `there is no option ${name}${nearest === undefined ? '' : `. Is ${nearest} meant?`}`,
      { fix: '"magnetar config docs" lists them all.' },
    )
  }
  const parts = found.map(({ key, option, title, where, setName }) => {
    const rows: [string, string][] = [
      ['Value', option.notYet ? '' : option.type.expected],
      ['Default', defaultOf(option)],
      ['Where', plain(where)],
      [
        'Set it',
        setName === undefined ? '' : `magnetar config set ${setName} ${option.secret ? '-' : 'VALUE'}`,
      ],
    ]
    const notes = [
      plain(option.description),
      ...(option.secret ? ['Never shown; set it from standard input.'] : []),
      ...(option.ignored ? [`No effect: ${option.ignored}.`] : []),
      ...(option.notYet ? ['Not used by this release.'] : []),
    ]
    return [
      `${palette.bold(key)}  ${palette.dim(title)}`,
      ...notes.map((note) => wrap(`  ${note}`, width, '  ')),
      '',
      ...rows
        .filter(([, text]) => text !== '')
        .map(([label, text]) => wrap(`  ${label.padEnd(8)} ${text}`, width, ' '.repeat(11))),
    ].join('\n')
  })
  return parts.join('\n\n')
}

/** Their keys are set one by one. */
const MAPPINGS = new Set(['managers', 'manager', 'logging'])

interface Documented {
  readonly key: string
  readonly option: Option
  readonly title: string
  readonly where: string
  readonly setName: string | undefined
}

/** The chapters that know the option: a name as `set` takes it, or the last part of one. */
function findDocumented(name: string): Documented[] {
  const address = parseOptionName(name)
  if (!address) return []
  const known = findKnownOption(address)
  const isBare = address.in === 'app.yml' && address.manager === undefined
  if (!known && !isBare) return []
  return OPTION_GROUPS.flatMap(({ title, where, options }) => {
    const option = findOption(options, address.key)
    if (!option || (!isBare && option !== known?.option)) return []
    const section = Object.entries(INI_SECTIONS).find(([, table]) => table === options)?.[0]
    const ofManager = title === 'Managers'
    const bareName = section === undefined ? (ofManager ? `manager.${name}` : name) : `${section}.${name}`
    const setName = isBare ? bareName : name
    return [
      {
        key: address.key,
        option,
        title,
        where,
        setName: setName.includes('*') || MAPPINGS.has(setName) ? undefined : setName,
      },
    ]
  })
}

function defaultOf(option: Option): string {
  if (option.defaultText !== undefined) return plain(option.defaultText)
  return option.default === undefined ? '' : String(option.default)
}

/** The tables have Markdown in them. */
function plain(text: string): string {
  return text.replaceAll('`', '')
}
