import { isMap } from 'yaml'
import type { YamlValue } from '../../lib/edit/quote-yaml.js'
import { refuseEdit } from '../../lib/edit/refuse.js'
import { lineNumber, removeLines, spliceText } from '../../lib/edit/text-lines.js'
import type { JobConfFormat, Params } from '../job-conf.js'
import { isSameMarker, type Marker } from '../marker.js'
import { addEntry } from './add.js'
import { listMarkedLines, type MarkedLine, markerAbove } from './comment.js'
import { isMapping } from './dialect.js'
import { removeFromFlow } from './flow.js'
import { type Collection, type Item, isFlow } from './items.js'
import { locate } from './locate.js'
import { type Entry, entriesAt, readRoot, readYamlConf, valueAt } from './read.js'
import { removeFromBlock } from './remove.js'
import { setParam } from './set-param.js'
import { replaceMapping } from './tool-mapping.js'

/** An entry of ours, what it is in, and its comment. */
interface Ours {
  readonly item: Item
  readonly node: Collection
  readonly marked: MarkedLine
}

/** job_conf.yml, and the files that have one in them. `file` is for messages. */
export function createYamlFormat(file?: string): JobConfFormat {
  const entries = (text: string, part: 'runners' | 'destinations' | 'tools'): Entry[] => {
    const { root, dialect } = readRoot(text, file)
    const what = ({ runners: 'runner', destinations: 'destination', tools: 'tool' } as const)[part]
    return entriesAt(text, root, dialect[part], what, file)
  }

  /** A runner or destination: in a list with its id, else below it. */
  function addNamed(
    text: string,
    part: 'runners' | 'destinations',
    marker: Marker,
    fields: Readonly<Record<string, YamlValue>>,
  ): string {
    const { root, dialect } = readRoot(text, file)
    const path = dialect[part]
    const values = valueAt(root, path)
    const isList = Array.isArray(values) || (dialect.isAnsible && !isMapping(values))
    const entry = isList
      ? { marker, key: undefined, value: { id: marker.id, ...fields } }
      : { marker, key: marker.id, value: fields }
    return addEntry(text, path, entry, file)
  }

  return {
    read: (text) => readYamlConf(text, file),
    addRunner: (text, id, load) => addNamed(text, 'runners', { what: 'runner', id }, { load }),
    addDestination(text, id, runner, params) {
      const { dialect } = readRoot(text, file)
      const values = Object.fromEntries(params)
      const fields = { runner, ...(dialect.isAnsible ? { params: values } : values) }
      return addNamed(text, 'destinations', { what: 'destination', id }, fields)
    },
    setParams: (text, id, params: Params) =>
      params.reduce((current, param) => {
        const entry = entries(current, 'destinations').find((each) => each.id === id)
        return entry ? setParam(current, entry.item, param, file) : current
      }, text),
    addDefault(text, id) {
      const path = readRoot(text, file).dialect.default
      const entry = { marker: { what: 'default', id }, key: path.at(-1), value: id } as const
      return addEntry(text, path.slice(0, -1), entry, file)
    },
    addTool(text, id, destination) {
      const { dialect } = readRoot(text, file)
      const value = { id, [dialect.toolDestination]: destination }
      return addEntry(
        text,
        dialect.tools,
        { marker: { what: 'tool', id, destination }, key: undefined, value },
        file,
      )
    },
    replaceTool(text, index, destination) {
      const entry = entries(text, 'tools')[index]
      if (!entry) return text
      if (!isMap(entry.item.value) || /\s/.test(entry.id))
        throw refuseEdit(
          { file, line: lineNumber(text, entry.item.start) },
          'this mapping of a tool is not written out as keys',
          'write it as "id: …" and "environment: …"',
        )
      const { dialect } = readRoot(text, file)
      const marker = { what: 'tool', id: entry.id, destination } as const
      return replaceMapping(text, dialect, { ...entry, node: entry.item.value }, marker, file)
    },
    takeAway(text, marker) {
      const found = findOurs(text, marker)
      return found && remove(text, found)
    },
    giveUp(text, marker) {
      const found = listMarkedLines(text).find((each) => isSameMarker(each.marker, marker))
      return found ? spliceText(text, [removeLines(text, found.start, found.end)]) : text
    },
    markers: (text) =>
      listMarkedLines(text).map(({ marker, start }) => ({ marker, line: lineNumber(text, start) })),
  }

  function findOurs(text: string, marker: Marker): Ours | undefined {
    const { what, id } = marker
    if (what === 'section' || what === 'default') {
      const path = what === 'section' ? id.split('.') : readRoot(text, file).dialect.default
      const { item, parent: node } = locate(text, path, file)
      const marked = item && markerAbove(text, item.start)
      return item && node && marked && isSameMarker(marked.marker, marker)
        ? { item, node, marked }
        : undefined
    }
    const part = ({ runner: 'runners', destination: 'destinations', tool: 'tools' } as const)[what]
    const found = entries(text, part).findLast(
      ({ marked }) => marked !== undefined && isSameMarker(marked.marker, marker),
    )
    return found?.marked && { item: found.item, node: found.node, marked: found.marked }
  }

  function remove(text: string, { item, node, marked }: Ours): string {
    return isFlow(node) ? removeFromFlow(text, node, item, marked, file) : removeFromBlock(text, item, marked)
  }
}
