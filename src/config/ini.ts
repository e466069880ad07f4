import type { Place, Problems } from './problems.js'

export interface IniValue {
  /** As written, continuation lines joined by newlines, before interpolation. */
  readonly text: string
  readonly line: number
}

export interface IniFile {
  readonly file: string
  /** `[DEFAULT]`, which every section inherits. */
  readonly defaults: ReadonlyMap<string, IniValue>
  /** Keys are lower-case. */
  readonly sections: ReadonlyMap<string, ReadonlyMap<string, IniValue>>
}

export const EMPTY_INI: IniFile = { file: '', defaults: new Map(), sections: new Map() }

const SECTION = /^\[(.+)\]/
const DELIMITER = /[=:]/

/**
 * Reads an ini file as Python's configparser.ConfigParser does (RawConfigParser._read with its default settings): keys in
 * any case, `=` or `:`, whole-line comments only, indented continuation lines, a section or option twice is an error.
 * Problems are added to `problems`, without the text of the line: it can hold a token.
 */
export function parseIni(text: string, file: string, problems: Problems): IniFile {
  const defaults = new Map<string, IniValue>()
  const sections = new Map<string, Map<string, IniValue>>()
  let section: Map<string, IniValue> | undefined
  let key: string | undefined
  let indent = 0

  function append(line: string): void {
    const value = key === undefined ? undefined : section?.get(key)
    if (section && key !== undefined && value)
      section.set(key, { text: `${value.text}\n${line}`, line: value.line })
  }

  function openSection(name: string, place: Place): void {
    key = undefined
    if (name !== 'DEFAULT' && sections.has(name))
      problems.error(place, `[${name}]`, 'the section is there twice', 'merge the two')
    section = name === 'DEFAULT' ? defaults : (sections.get(name) ?? new Map<string, IniValue>())
    if (name !== 'DEFAULT') sections.set(name, section)
  }

  function openOption(line: string, place: Place): void {
    const at = line.search(DELIMITER)
    const name = line.slice(0, Math.max(at, 0)).trimEnd().toLowerCase()
    if (!section) {
      problems.error(place, '', 'there is no [section] line above this line')
      return
    }
    if (name === '') {
      problems.error(place, '', 'expected "key = value", "[section]" or a comment (# or ;)')
      return
    }
    if (section.has(name))
      problems.error(place, name, 'the option is there twice in its section', 'remove one of the two')
    section.set(name, { text: line.slice(at + 1).trimStart(), line: place.line ?? 0 })
    key = name
  }

  for (const [index, raw] of text.split(/\r\n|\r|\n/).entries()) {
    const line = raw.trim()
    if (line === '') {
      append('')
      continue
    }
    if (line.startsWith('#') || line.startsWith(';')) continue
    const lineIndent = raw.search(/\S/)
    if (section && key !== undefined && lineIndent > indent) {
      append(line)
      continue
    }
    indent = lineIndent
    const place = { file, line: index + 1 }
    const header = SECTION.exec(line)?.[1]
    if (header !== undefined) openSection(header, place)
    else openOption(line, place)
  }
  return {
    file,
    defaults: trimValues(defaults),
    sections: new Map([...sections].map(([name, each]) => [name, trimValues(each)])),
  }
}

function trimValues(section: ReadonlyMap<string, IniValue>): Map<string, IniValue> {
  return new Map([...section].map(([key, { text, line }]) => [key, { text: text.trimEnd(), line }]))
}

export interface IniText {
  readonly text: string
  readonly place: Place
}

/**
 * The values of a section with those of `[DEFAULT]`, `%(name)s` and `%%` replaced (configparser.BasicInterpolation).
 * `variables` (here, __file__) can be referred to but are not returned. Undefined when there is no such section.
 */
export function readIniSection(
  ini: IniFile,
  name: string,
  variables: Readonly<Record<string, string>>,
  problems: Problems,
): ReadonlyMap<string, IniText> | undefined {
  const own = ini.sections.get(name)
  if (!own) return undefined
  const raw = new Map([...ini.defaults, ...own])
  const values = new Map<string, IniText>()
  for (const [key, { text, line }] of raw) {
    const place = { file: ini.file, line }
    const result = interpolate(text, raw, variables, 1)
    if ('problem' in result) problems.error(place, key, result.problem, 'write %% for a percent sign')
    else values.set(key, { text: result.text, place })
  }
  return values
}

const MAX_DEPTH = 10
const TOKEN = /%(?:%|\(([^)]+)\)s|)/g

function interpolate(
  text: string,
  values: ReadonlyMap<string, IniValue>,
  variables: Readonly<Record<string, string>>,
  depth: number,
): { text: string } | { problem: string } {
  if (depth > MAX_DEPTH) return { problem: '%(name)s refers to itself' }
  let problem: string | undefined
  const replaced = text.replace(TOKEN, (token, name: string | undefined) => {
    if (token === '%%') return '%'
    if (name === undefined) {
      problem ??= 'there is a % that is followed neither by % nor by (name)s'
      return ''
    }
    const value = values.get(name.toLowerCase())?.text
    if (value === undefined) {
      const variable = variables[name.toLowerCase()]
      if (variable === undefined) problem ??= `%(${name})s refers to something that is not defined`
      return variable ?? ''
    }
    const inner = value.includes('%') ? interpolate(value, values, variables, depth + 1) : { text: value }
    if ('problem' in inner) problem ??= inner.problem
    return 'text' in inner ? inner.text : ''
  })
  return problem === undefined ? { text: replaced } : { problem }
}
