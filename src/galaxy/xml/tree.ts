import { createRequire } from 'node:module'
import type * as Saxes from 'saxes'
import { type EditPlace, refuseEdit } from '../../lib/edit/refuse.js'
import { lineNumber } from '../../lib/edit/text-lines.js'
import { createRecent } from '../../lib/recent.js'

/** An element and where it stands: offsets into the text. */
export interface XmlElement {
  readonly kind: 'element'
  readonly name: string
  readonly attributes: Readonly<Record<string, string>>
  readonly children: readonly XmlNode[]
  /** Of the character data in it, CDATA too, with entities resolved; not that of its children. */
  readonly text: string
  readonly start: number
  /** Behind the start tag. */
  readonly openEnd: number
  /** Before the end tag; of an element without one (`<a/>`) its end. */
  readonly closeStart: number
  readonly end: number
  readonly isSelfClosing: boolean
}

export interface XmlComment {
  readonly kind: 'comment'
  /** Between `<!--` and `-->`. */
  readonly text: string
  readonly start: number
  readonly end: number
}

export type XmlNode = XmlElement | XmlComment

type Open = { -readonly [Key in keyof XmlElement]: XmlElement[Key] } & { children: XmlNode[] }

const known = createRecent<XmlElement>(8)

/**
 * The root element of an XML text. An edit asks many times about the same few texts, which are read once.
 * @throws MagnetarError EDIT_REFUSED, with the line, when it is not well-formed
 */
export function parseXml(text: string, file?: string): XmlElement {
  const root = known.get(text) ?? parse(text, file)
  known.set(text, root)
  return root
}

function parse(text: string, file: string | undefined): XmlElement {
  const saxes: typeof Saxes = createRequire(import.meta.url)('saxes')
  const parser = new saxes.SaxesParser()
  const open: Open[] = []
  let root: XmlElement | undefined
  let start = 0
  let problem: { readonly place: EditPlace; readonly message: string } | undefined
  parser.on('error', (error) => {
    // What follows the first mistake is mostly its consequences. saxes puts "4:12: " in front.
    problem ??= { place: { file, line: parser.line }, message: error.message.replace(/^\d+:\d+: /, '') }
  })
  parser.on('opentagstart', () => {
    start = text.lastIndexOf('<', parser.position - 1)
  })
  parser.on('opentag', ({ name, attributes, isSelfClosing }) => {
    const openEnd = parser.position
    const attributesOf = { ...attributes }
    open.push({
      kind: 'element',
      name,
      attributes: attributesOf,
      children: [],
      text: '',
      start,
      openEnd,
      closeStart: openEnd,
      end: openEnd,
      isSelfClosing,
    })
  })
  parser.on('closetag', () => {
    const element = open.pop()
    if (!element) return
    if (!element.isSelfClosing) {
      element.end = parser.position
      element.closeStart = text.lastIndexOf('<', parser.position - 1)
    }
    const parent = open.at(-1)
    if (parent) parent.children.push(element)
    else root ??= element
  })
  parser.on('comment', () => {
    const end = text.indexOf('>', parser.position - 1) + 1
    const begin = text.lastIndexOf('<!--', end - 7)
    // As it is written: the parser makes other line breaks of it.
    const content = text.slice(begin + 4, end - 3)
    open.at(-1)?.children.push({ kind: 'comment', text: content, start: begin, end })
  })
  const addText = (content: string): void => {
    const element = open.at(-1)
    if (element) element.text += content
  }
  parser.on('text', addText)
  parser.on('cdata', addText)
  parser.write(text).close()
  if (problem) throw refuseEdit(problem.place, `this is not well-formed XML: ${quiet(problem.message)}`)
  if (!root) throw refuseEdit({ file }, 'there is no element in the file')
  return root
}

/** Messages of the parser can quote the file, and so a token in it. */
function quiet(message: string): string {
  return message.replace(/["'].*["']|: .*$/s, '').trim()
}

export function elementsOf(element: XmlElement, name: string): XmlElement[] {
  return element.children.filter(
    (child): child is XmlElement => child.kind === 'element' && child.name === name,
  )
}

export interface XmlAttribute {
  readonly name: string
  /** Of the value, without its quotes. */
  readonly start: number
  readonly end: number
}

/** Where the attributes of an element stand. */
export function listAttributes(text: string, { start, name, openEnd }: XmlElement): XmlAttribute[] {
  const pattern = /\s+([^\s=]+)\s*=\s*(?:"([^"]*)"|'([^']*)')/gy
  pattern.lastIndex = start + 1 + name.length
  const found: XmlAttribute[] = []
  for (let match = pattern.exec(text); match && match.index < openEnd; match = pattern.exec(text)) {
    const value = match[2] ?? match[3] ?? ''
    found.push({
      name: match[1] ?? '',
      start: pattern.lastIndex - 1 - value.length,
      end: pattern.lastIndex - 1,
    })
  }
  return found
}

export function escapeXml(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
}

export function lineOf(text: string, { start }: { readonly start: number }): number {
  return lineNumber(text, start)
}
