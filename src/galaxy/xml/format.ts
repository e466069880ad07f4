import { refuseEdit } from '../../lib/edit/refuse.js'
import { lineBreakFor, type Splice, spliceText } from '../../lib/edit/text-lines.js'
import type { JobConfFormat, Params } from '../job-conf.js'
import { isSameMarker, type Marker } from '../marker.js'
import { listComments, markerOf, renderComment } from './comment.js'
import { indentBefore, insertLast, removeWithLine, stepOf } from './place.js'
import { parseJobConf, readXml, SECTIONS, type SectionName, sectionOf } from './read.js'
import { elementsOf, escapeXml, lineOf, listAttributes, type XmlElement } from './tree.js'

/** job_conf.xml. `file` is for messages. */
export function createXmlFormat(file?: string): JobConfFormat {
  const parse = (text: string): XmlElement => parseJobConf(text, file)

  /** Lines for the end of a section, which is made or opened if need be. */
  function addTo(text: string, name: SectionName, lines: (step: string) => readonly string[]): string {
    const root = parse(text)
    const step = stepOf(text, root)
    const section = sectionOf(root, name)
    const marker = { what: 'section', id: name } as const
    const opened = (tag: string): string[] => [tag, ...lines(step).map((line) => step + line), `</${name}>`]
    if (!section)
      return spliceText(text, [insertLast(text, root, [renderComment(marker), ...opened(`<${name}>`)])])
    const inside = text.slice(section.openEnd, section.closeStart)
    if (inside.trim() !== '' || inside.includes('\n'))
      return spliceText(text, [insertLast(text, section, lines(step))])
    const written = text.slice(section.start, section.end)
    const tag = text.slice(section.start, section.openEnd).replace(/\s*\/?>$/, '>')
    const separator = lineBreakFor(text, text.length) + indentBefore(text, section.start)
    const replacement = [renderComment(marker, written), ...opened(tag)].join(separator)
    return spliceText(text, [{ start: section.start, end: section.end, text: replacement }])
  }

  function destinationElement(text: string, id: string): XmlElement | undefined {
    const section = sectionOf(parse(text), 'destinations')
    return section && elementsOf(section, 'destination').find(({ attributes }) => attributes.id === id)
  }

  return {
    read: (text) => readXml(text, file),
    addRunner: (text, id, load) =>
      addTo(text, 'plugins', () => [
        renderComment({ what: 'runner', id }),
        `<plugin id="${id}" type="runner" load="${load}"/>`,
      ]),
    addDestination: (text, id, runner, params) =>
      addTo(text, 'destinations', (step) => [
        renderComment({ what: 'destination', id }),
        `<destination id="${escapeXml(id)}" runner="${escapeXml(runner)}">`,
        ...params.map((param) => step + renderParam(param)),
        '</destination>',
      ]),
    setParams(text, id, params) {
      const element = destinationElement(text, id)
      if (!element) return text
      return params.reduce((current, param) => setParam(current, id, param), text)
    },
    addDefault(text, id) {
      const marked = addTo(text, 'destinations', () => [renderComment({ what: 'default', id })])
      const section = sectionOf(parse(marked), 'destinations')
      if (!section) return text
      const at = section.start + '<destinations'.length
      return spliceText(marked, [{ start: at, end: at, text: defaultAttribute(id) }])
    },
    addTool: (text, id, destination) =>
      addTo(text, 'tools', () => [
        renderComment({ what: 'tool', id, destination }),
        `<tool id="${escapeXml(id)}" destination="${escapeXml(destination)}"/>`,
      ]),
    replaceTool(text, index, destination) {
      const section = sectionOf(parse(text), 'tools')
      const tool = section && elementsOf(section, 'tool')[index]
      if (!tool) return text
      const written = text.slice(tool.start, tool.end)
      const id = tool.attributes.id ?? ''
      if (/\s/.test(id))
        throw refuseEdit({ file, line: lineOf(text, tool) }, 'the id of the tool has a blank in it')
      const separator = lineBreakFor(text, text.length) + indentBefore(text, tool.start)
      const comment = renderComment({ what: 'tool', id, destination }, written)
      const mapping = spliceText(written, [withDestination(text, tool, destination)])
      return spliceText(text, [{ start: tool.start, end: tool.end, text: comment + separator + mapping }])
    },
    takeAway(text, marker) {
      if (marker.what === 'default') return takeDefaultAway(text, marker)
      const root = parse(text)
      for (const { parent, element, id } of elementsThatCanBeOurs(root, marker.what)) {
        const found = markerOf(parent, element, marker.what, id)
        if (!found || !isSameMarker(found.marker, marker)) continue
        const { start, end } = found.comment
        const back: Splice =
          found.instead === undefined
            ? removeWithLine(text, found.comment)
            : { start, end, text: found.instead }
        return spliceText(text, [back, removeWithLine(text, element)])
      }
      return undefined
    },
    giveUp(text, marker) {
      const found = listComments(parse(text)).find((each) => isSameMarker(each.marker, marker))
      return found ? spliceText(text, [removeWithLine(text, found.comment)]) : text
    },
    markers: (text) =>
      listComments(parse(text)).map(({ marker, comment }) => ({ marker, line: lineOf(text, comment) })),
  }

  function setParam(text: string, id: string, param: Params[number]): string {
    const element = destinationElement(text, id)
    if (!element) return text
    const [name, value] = param
    const found = elementsOf(element, 'param').findLast(({ attributes }) => attributes.id === name)
    if (!found) {
      if (element.isSelfClosing)
        throw refuseEdit({ file, line: lineOf(text, element) }, `the destination ${id} has nothing in it`)
      return spliceText(text, [insertLast(text, element, [renderParam(param)])])
    }
    const attribute = listAttributes(text, found).find((each) => each.name === 'value')
    if (attribute) return spliceText(text, [{ ...attribute, text: escapeXml(value) }])
    if (found.isSelfClosing)
      return spliceText(text, [{ start: found.start, end: found.end, text: renderParam(param) }])
    return spliceText(text, [{ start: found.openEnd, end: found.closeStart, text: escapeXml(value) }])
  }

  function takeDefaultAway(text: string, marker: Marker): string | undefined {
    const root = parse(text)
    const section = sectionOf(root, 'destinations')
    const comment = listComments(root).find((each) => isSameMarker(each.marker, marker))?.comment
    if (!section || !comment) return undefined
    const at = section.start + '<destinations'.length
    const written = defaultAttribute(marker.id)
    if (!text.startsWith(written, at)) return undefined
    return spliceText(text, [
      { start: at, end: at + written.length, text: '' },
      removeWithLine(text, comment),
    ])
  }
}

function elementsThatCanBeOurs(
  root: XmlElement,
  what: Exclude<Marker['what'], 'default'>,
): { parent: XmlElement; element: XmlElement; id: string }[] {
  if (what === 'section')
    return Object.values(SECTIONS).flatMap((name) => {
      const element = sectionOf(root, name)
      return element ? [{ parent: root, element, id: name }] : []
    })
  const [section, name] = {
    runner: [SECTIONS.runners, 'plugin'],
    destination: [SECTIONS.destinations, 'destination'],
    tool: [SECTIONS.tools, 'tool'],
  }[what] as [SectionName, string]
  const parent = sectionOf(root, section)
  if (!parent) return []
  return elementsOf(parent, name)
    .toReversed()
    .map((element) => ({ parent, element, id: element.attributes.id ?? '' }))
}

/** The start tag of a tool with another destination, relative to the tool. */
function withDestination(text: string, tool: XmlElement, destination: string): Splice {
  const found = listAttributes(text, tool).find(({ name }) => name === 'destination')
  if (found)
    return { start: found.start - tool.start, end: found.end - tool.start, text: escapeXml(destination) }
  const tag = text.slice(tool.start, tool.openEnd)
  const at = tag.length - (/\s*\/?>$/.exec(tag)?.[0].length ?? 1)
  return { start: at, end: at, text: ` destination="${escapeXml(destination)}"` }
}

function defaultAttribute(id: string): string {
  return ` default="${escapeXml(id)}"`
}

function renderParam([name, value]: Params[number]): string {
  return `<param id="${name}">${escapeXml(value)}</param>`
}
