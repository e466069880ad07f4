import { type EditPlace, refuseEdit } from '../../lib/edit/refuse.js'
import {
  afterLineBreak,
  appendLines,
  insertBelow,
  lineBreakFor,
  lineNumber,
  removeLines,
  type Splice,
  spliceText,
} from '../../lib/edit/text-lines.js'
import { type IniFile, type IniValue, parseIni } from '../ini.js'
import { createProblems } from '../problems.js'
import { type IniLine, listIniLines, splitOption, styleLike } from './ini-lines.js'

export interface IniEdit {
  readonly section: string
  /** In any case. */
  readonly key: string
  /** As it is to stand in the file: `%%` is a percent sign where Python interpolates. undefined: take the option away. */
  readonly value: string | undefined
}

/**
 * Changes options of an ini file of Python's configparser; everything else stays byte for byte. New options go to the end of their
 * section and look like their neighbours, new sections to the end of the file. The result is read again and compared with what
 * was wanted.
 * @param file for messages only.
 * @throws MagnetarError EDIT_REFUSED when the file cannot be read, or a value cannot be written in such a file.
 */
export function editIni(text: string, edits: readonly IniEdit[], file?: string): string {
  return edits.reduce((current, edit) => applyEdit(current, edit, file), text)
}

/**
 * What an option says in its own section, before interpolation and without what `[DEFAULT]` gives; undefined: not set.
 * @throws MagnetarError EDIT_REFUSED when the file cannot be read.
 */
export function readIniValue(text: string, section: string, key: string, file?: string): string | undefined {
  return sectionOf(readFile(text, file), section)?.get(key.toLowerCase())?.text
}

function applyEdit(text: string, edit: IniEdit, file: string | undefined): string {
  const { section, key, value } = edit
  const before = readFile(text, file)
  if (sectionOf(before, section)?.get(key.toLowerCase())?.text === value) return text
  const lines = listIniLines(text)
  const at = lines.findIndex(
    (line) => line.kind === 'option' && line.section === section && line.key === key.toLowerCase(),
  )
  const option = lines[at]
  const place = { file, line: option && lineNumber(text, option.start) }
  const more = option ? continuationLines(lines, at) : []
  let splices: Splice[]
  if (!option) splices = addition(text, lines, edit)
  else if (value === undefined) splices = removeAll(text, [option, ...more])
  else splices = [replacement(text, option, value), ...removeAll(text, more)]
  const after = spliceText(text, splices)
  checkResult(before, after, edit, place)
  return after
}

/** The lines that go on with the value of the option at `at`; comments between them stay. */
function continuationLines(lines: readonly IniLine[], at: number): IniLine[] {
  const found: IniLine[] = []
  for (const line of lines.slice(at + 1)) {
    if (line.kind === 'option' || line.kind === 'section') break
    if (line.kind === 'continuation') found.push(line)
  }
  return found
}

/** Lines that stand one below the other are removed as one: at the end of a file without a last line break that differs. */
function removeAll(text: string, lines: readonly IniLine[]): Splice[] {
  const runs: { start: number; end: number }[] = []
  for (const { start, end } of lines) {
    const last = runs.at(-1)
    if (last && afterLineBreak(text, last.end) === start) last.end = end
    else runs.push({ start, end })
  }
  return runs.map(({ start, end }) => removeLines(text, start, end))
}

function replacement(text: string, option: IniLine, value: string): Splice {
  const parts = splitOption(text.slice(option.start, option.end))
  const { indent, name, before, delimiter, after } = parts
  const delimiterEnd = option.start + `${indent}${name}${before}${delimiter}`.length
  if (value === '') return { start: delimiterEnd, end: option.end, text: '' }
  const blank = after === '' && parts.value === '' && (before !== '' || delimiter === ':') ? ' ' : ''
  const start = delimiterEnd + after.length
  return { start, end: start + parts.value.length, text: blank + indentMore(text, option.end, indent, value) }
}

/** A value of several lines, its later ones further in than the option. */
function indentMore(text: string, lineEnd: number, indent: string, value: string): string {
  return value.split('\n').join(`${lineBreakFor(text, lineEnd)}${indent}    `)
}

function addition(text: string, lines: readonly IniLine[], { section, key, value = '' }: IniEdit): Splice[] {
  const own = lines.filter((line) => line.section === section)
  const options = (own.length === 0 ? lines : own)
    .filter(({ kind }) => kind === 'option')
    .map(({ start, end }) => splitOption(text.slice(start, end)))
  const end = endOfSection(lines, section)
  const style = styleLike(end === undefined ? options.slice(0, 1) : options)
  const indent = (end === undefined ? undefined : options.at(-1)?.indent) ?? ''
  const written = style(key, indentMore(text, end ?? text.length, indent, value))
  if (end !== undefined) return [insertBelow(text, end, [written])]
  const blank = lines.length > 0 && lines.at(-1)?.kind !== 'blank' ? [''] : []
  return [appendLines(text, [...blank, `[${section}]`, written])]
}

/**
 * Where a new option goes: below the last line of the section that means something and the comments that stand directly
 * below it. Comments that stand directly above the next section are its own.
 */
function endOfSection(lines: readonly IniLine[], section: string): number | undefined {
  const last = lines.findLastIndex(
    (line) => line.section === section && line.kind !== 'blank' && line.kind !== 'comment',
  )
  if (last === -1) return undefined
  let after = last + 1
  while (lines[after]?.kind === 'comment') after += 1
  return lines[lines[after]?.kind === 'section' ? last : after - 1]?.end
}

function sectionOf(ini: IniFile, section: string): ReadonlyMap<string, IniValue> | undefined {
  return section === 'DEFAULT' ? ini.defaults : ini.sections.get(section)
}

function readFile(text: string, file: string | undefined): IniFile {
  const at = text.search(/\r(?!\n)/)
  if (at !== -1)
    throw refuseEdit({ file, line: lineNumber(text, at) }, 'the line has an unusual line break in it')
  const problems = createProblems()
  const ini = parseIni(text, '', problems)
  const [issue] = problems.issues
  if (!issue) return ini
  const subject = issue.key === '' ? '' : `${issue.key}: `
  throw refuseEdit({ file, line: issue.line }, subject + issue.message, issue.fix)
}

function checkResult(
  before: IniFile,
  after: string,
  { section, key, value }: IniEdit,
  place: EditPlace,
): void {
  const wanted = new Map([...valuesOf(before)])
  const name = JSON.stringify([section, key.toLowerCase()])
  if (value === undefined) wanted.delete(name)
  else wanted.set(name, value)
  const problems = createProblems()
  const found = valuesOf(parseIni(after, '', problems))
  const isSame = found.size === wanted.size && [...wanted].every(([each, text]) => found.get(each) === text)
  if (problems.issues.length > 0 || !isSame)
    throw refuseEdit(
      place,
      `[${section}] ${key} cannot be written so that it is read as meant`,
      'a value must not begin or end with blanks, and none of its lines with # or ;',
    )
}

function valuesOf(ini: IniFile): ReadonlyMap<string, string> {
  const all = [['DEFAULT', ini.defaults] as const, ...ini.sections]
  return new Map(
    all.flatMap(([section, values]) =>
      [...values].map(([key, { text }]) => [JSON.stringify([section, key]), text] as const),
    ),
  )
}
