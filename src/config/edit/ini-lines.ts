import { afterLineBreak, endOfLine } from '../../lib/edit/text-lines.js'

/** One line of an ini file, as ../ini.ts takes it. */
export interface IniLine {
  readonly kind: 'blank' | 'comment' | 'section' | 'option' | 'continuation'
  readonly start: number
  /** Before the line break. */
  readonly end: number
  /** The section that the line is in or opens; undefined above the first. */
  readonly section: string | undefined
  /** In lower case: the option that the line sets or goes on with. */
  readonly key: string | undefined
}

/** The parts of a line that sets an option; together they are the line, but for blanks at its end. */
export interface OptionParts {
  readonly indent: string
  readonly name: string
  /** Blanks on both sides of `=` or `:`. */
  readonly before: string
  readonly delimiter: string
  readonly after: string
  readonly value: string
}

/** The lines of a text that ../ini.ts reads without problems. */
export function listIniLines(text: string): IniLine[] {
  const lines: IniLine[] = []
  let section: string | undefined
  let key: string | undefined
  let indent = 0
  for (let start = 0; start < text.length; ) {
    const end = endOfLine(text, start)
    const raw = text.slice(start, end)
    const line = raw.trim()
    const lineIndent = raw.search(/\S/)
    let kind: IniLine['kind'] = 'option'
    if (line === '') kind = 'blank'
    else if (line.startsWith('#') || line.startsWith(';')) kind = 'comment'
    else if (section !== undefined && key !== undefined && lineIndent > indent) kind = 'continuation'
    else {
      indent = lineIndent
      const header = /^\[(.+)\]/.exec(line)?.[1]
      if (header !== undefined) kind = 'section'
      section = header ?? section
      key = header === undefined ? splitOption(raw).name.toLowerCase() : undefined
    }
    lines.push({ kind, start, end, section, key })
    start = afterLineBreak(text, end)
  }
  return lines
}

export function splitOption(raw: string): OptionParts {
  const at = raw.search(/[=:]/)
  const left = raw.slice(0, at)
  const right = raw.slice(at + 1)
  const indent = /^\s*/.exec(left)?.[0] ?? ''
  const name = left.trim()
  const value = right.trim()
  return {
    indent,
    name,
    before: left.slice(indent.length + name.length),
    delimiter: raw.slice(at, at + 1),
    after: value === '' ? right : (/^\s*/.exec(right)?.[0] ?? ''),
    value,
  }
}

/** How a new option is written so that it looks like these: indentation, `=` or `:`, blanks, and the column of the delimiter. */
export function styleLike(options: readonly OptionParts[]): (name: string, value: string) => string {
  const model = options.findLast(({ value }) => value !== '') ?? options.at(-1)
  const { indent, delimiter, after } = model ?? { indent: '', delimiter: '=', after: ' ' }
  const column = alignedColumn(options)
  const before = model?.before === '' ? '' : ' '
  return (name, value) => {
    const padded = column === undefined ? name + before : `${name} `.padEnd(column)
    return `${indent}${padded}${delimiter}${after || before}${value}`.trimEnd()
  }
}

/** Where the delimiters stand one below the other, counted from the beginning of the names. */
function alignedColumn(options: readonly OptionParts[]): number | undefined {
  const columns = new Map<number, OptionParts[]>()
  for (const option of options) {
    const column = option.name.length + option.before.length
    columns.set(column, [...(columns.get(column) ?? []), option])
  }
  const [column, inColumn] = [...columns].sort(([, a], [, b]) => b.length - a.length)[0] ?? []
  if (column === undefined || inColumn === undefined || inColumn.length * 2 < options.length) return undefined
  return inColumn.some(({ before }) => before.length > 1) ? column : undefined
}
