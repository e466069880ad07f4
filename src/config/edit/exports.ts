import { refuseEdit } from '../../lib/edit/refuse.js'
import {
  appendLines,
  insertBelow,
  lineNumber,
  removeLines,
  type Splice,
  spliceText,
} from '../../lib/edit/text-lines.js'
import { quoteForShell } from '../../lib/shell.js'
import { listShellLines, readShellWord, type ShellLine, type ShellWord } from './shell-lines.js'

export interface ExportEdit {
  /** Of the variable. */
  readonly name: string
  /** undefined: take the line away. */
  readonly value: string | undefined
}

/**
 * Changes the lines `export NAME=value` of a shell script such as local_env.sh; everything else stays byte for byte. A new one goes
 * below a commented example of it (`#export NAME=…`), else to the end.
 * @param file for messages only.
 * @throws MagnetarError EDIT_REFUSED when the variable is set in another way as well: twice, within an `if`, without export.
 */
export function editExports(text: string, edits: readonly ExportEdit[], file?: string): string {
  return edits.reduce((current, edit) => applyEdit(current, edit, file), text)
}

/**
 * The value that `export NAME=value` gives; as written when it depends on others (`$HOME/x`); undefined when there is no such line.
 * @throws MagnetarError EDIT_REFUSED when the variable is set in another way.
 */
export function readExport(text: string, name: string, file?: string): string | undefined {
  return findExport(text, name, file)?.word.value
}

interface Export {
  readonly line: ShellLine
  readonly wordStart: number
  readonly word: ShellWord
}

const NAME = /^[A-Za-z_][A-Za-z0-9_]*$/

function applyEdit(text: string, { name, value }: ExportEdit, file: string | undefined): string {
  if (!NAME.test(name)) throw refuseEdit({ file }, `${JSON.stringify(name)} is no name of a variable`)
  if (value !== undefined && /[\0\r\n]/.test(value))
    throw refuseEdit({ file }, `a value of several lines cannot be written for ${name}`)
  const found = findExport(text, name, file)
  if (value === undefined)
    return found ? spliceText(text, [removeLines(text, found.line.start, found.line.end)]) : text
  if (found?.word.isLiteral && found.word.value === value) return text
  const quoted = quoteForShell(value)
  const splice = found
    ? { start: found.wordStart, end: found.wordStart + found.word.length, text: quoted }
    : addition(text, name, `export ${name}=${quoted}`)
  const after = spliceText(text, [splice])
  const written = findExport(after, name, file)?.word
  if (written?.isLiteral && written.value === value) return after
  throw refuseEdit({ file }, `${name} cannot be written so that it is read as meant`)
}

function addition(text: string, name: string, written: string): Splice {
  const example = new RegExp(`^\\s*#+\\s*(?:export\\s+)?${name}=`)
  const line = listShellLines(text).findLast((each) => example.test(each.text))
  return line ? insertBelow(text, line.end, [written]) : appendLines(text, [written])
}

function findExport(text: string, name: string, file: string | undefined): Export | undefined {
  const found: Export[] = []
  const mention = new RegExp(`(?<![\\w$])${name}\\+?=|\\b(?:unset|read|declare|typeset)\\b.*\\b${name}\\b`)
  for (const line of listShellLines(text)) {
    if (/^\s*#/.test(line.text) && !line.isContinued) continue
    if (!mention.test(line.text)) continue
    const one = readLine(line, name)
    const place = { file, line: lineNumber(text, line.start) }
    if (!one)
      throw refuseEdit(
        place,
        `${name} is set in another way than by a line of its own, "export ${name}=value"`,
      )
    if (found.length > 0) throw refuseEdit(place, `${name} is set twice`, 'remove one of the two lines')
    found.push(one)
  }
  return found[0]
}

/** Only a line that is nothing else, at the margin: an indented one is likely to be part of an `if` or a function. */
function readLine(line: ShellLine, name: string): Export | undefined {
  const beginning = new RegExp(`^export[ \\t]+${name}=`).exec(line.text)?.[0]
  if (beginning === undefined || line.isContinued) return undefined
  const word = readShellWord(line.text.slice(beginning.length))
  if (!word || !/^\s*(?:\s#.*)?$/.test(line.text.slice(beginning.length + word.length))) return undefined
  return { line, wordStart: line.start + beginning.length, word }
}
