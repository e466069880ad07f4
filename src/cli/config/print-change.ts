import { stat } from 'node:fs/promises'
import { structuredPatch } from 'diff'
import type { FileEdit, WrittenEdit } from '../../config/change/write-checked.js'
import { readEffective } from '../../config/effective/effective-config.js'
import type { OptionAddress } from '../../config/known-options.js'
import type { LoadOptions } from '../../config/load.js'
import type { Option } from '../../config/option.js'
import { formatPlace } from '../../config/problems.js'
import { quoteForShell } from '../../lib/shell.js'
import { hideSecrets } from '../../setup/files/hide-secrets.js'
import { createPalette } from '../palette.js'
import { restartHint } from './restart-hint.js'
import { describeAddress } from './show.js'
import { say, type Terminal } from './terminal.js'

export interface Change {
  readonly address: OptionAddress
  /** undefined: one that nobody knows, so its value may be a secret. */
  readonly option: Option | undefined
  readonly edit: FileEdit
  readonly written: WrittenEdit
  readonly isUnset: boolean
}

/** Tells what was changed, line by line, what it means, and what is left to do. */
export async function printChange(options: LoadOptions, change: Change, terminal: Terminal): Promise<void> {
  const { stdout, stderr, env } = terminal
  const { written } = change
  stdout.write(`${showDiff(change, createPalette(stdout, env))}\n`)
  const otherwise = change.isUnset ? defaultOf(change.option) : undefined
  if (otherwise !== undefined) say(stdout, `${change.address.name} is as by default now: ${otherwise}`)
  const notes = [
    ...notesOf(change, env),
    ...(await modeNotes(change)),
    ...(await addressNotes(options, change)),
  ]
  for (const note of [...notes, ...written.warnings]) say(stderr, `warning: ${note}`)
  for (const issue of written.remaining)
    say(
      stderr,
      `still wrong: ${formatPlace(issue)}: ${issue.key === '' ? '' : `${issue.key}: `}${issue.message}`,
    )
  say(stdout, await restartHint(options.configDirectory))
}

function defaultOf(option: Option | undefined): string | undefined {
  if (!option || option.secret || option.notYet || option.ignored) return undefined
  return (
    option.defaultText?.replaceAll('`', '') ??
    (option.default === undefined ? undefined : String(option.default))
  )
}

function showDiff({ address, option, edit }: Change, palette: ReturnType<typeof createPalette>): string {
  const keys = option && !option.secret ? [] : [address.key]
  const shown = hideSecrets(edit.before ?? '', edit.after, keys)
  const { hunks } = structuredPatch('', '', shown.before, shown.after, '', '', { context: 0 })
  const lines = hunks.flatMap((hunk) => hunk.lines.filter((line) => !line.startsWith('\\')))
  const [first] = hunks
  const line = first && (first.newLines > 0 ? first.newStart : first.oldStart)
  return [
    palette.bold(formatPlace({ file: edit.path, line })),
    ...lines.map((each) => {
      const text = `${each[0]} ${each.slice(1).replace(/\r$/, '')}`
      return each.startsWith('-') ? palette.red(text) : palette.green(text)
    }),
  ].join('\n')
}

function notesOf({ address, option, edit, isUnset }: Change, env: Terminal['env']): string[] {
  const { key, name } = address
  const notes: string[] = []
  if (isUnset && key === 'private_token')
    notes.push('there is no private token now: whoever can reach the server can run commands as its user')
  if (option?.ignored) notes.push(`${name} has no effect: ${option.ignored}`)
  else if (option?.notYet) notes.push(`${name} is not used by this release`)
  const override = `PULSAR_CONFIG_OVERRIDE_${key.toUpperCase()}`
  if (address.in === 'app.yml' && address.manager === undefined && env[override] !== undefined)
    notes.push(`the environment variable ${override} goes before the file`)
  if (
    address.in === 'server.ini' &&
    address.section.startsWith('logger_') &&
    !/^\[loggers\]/m.test(edit.after)
  )
    notes.push(`${name} has no effect as long as server.ini has no section [loggers]`)
  return notes
}

/** A secret in a file that everybody may read is none; the mode is the admin's to choose. */
async function modeNotes({ option, edit, isUnset }: Change): Promise<string[]> {
  if (!option?.secret || isUnset || ((await stat(edit.path)).mode & 0o004) === 0) return []
  return [`every user of this machine can read ${edit.path}: chmod o-r ${quoteForShell(edit.path)}`]
}

/** The two ways of starting can have two addresses, and the one that was changed need not be the one in use. */
async function addressNotes(options: LoadOptions, { address, written }: Change): Promise<string[]> {
  const isAddress = address.in === 'server.ini' && ['server:main', 'uwsgi'].includes(address.section)
  if (!isAddress || written.remaining.length > 0) return []
  const { config, uwsgiServer } = await readEffective(options)
  const text = describeAddress(config.server, uwsgiServer)
  return text.includes('--mode uwsgi')
    ? [`the server ${text} ([uwsgi] http goes before [server:main] there)`]
    : []
}
