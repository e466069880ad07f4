import { refuseEdit } from '../../lib/edit/refuse.js'
import type { JobConf } from '../job-conf.js'
import { listComments, markerOf } from './comment.js'
import { elementsOf, lineOf, parseXml, type XmlElement } from './tree.js'

export const SECTIONS = { runners: 'plugins', destinations: 'destinations', tools: 'tools' } as const
export type SectionName = (typeof SECTIONS)[keyof typeof SECTIONS]

/** The root element of a job_conf.xml. @throws MagnetarError EDIT_REFUSED when it is something else */
export function parseJobConf(text: string, file: string | undefined): XmlElement {
  const root = parseXml(text, file)
  if (root.name === 'job_conf' && !root.isSelfClosing) return root
  const what =
    root.name === 'job_conf' ? 'job_conf is empty' : `the root element is ${root.name}, not job_conf`
  throw refuseEdit(
    { file, line: lineOf(text, root) },
    what,
    'name the job_conf.xml of Galaxy with --job-conf',
  )
}

/** Galaxy reads the first section of a name and no other (job_config_xml_to_dict in lib/galaxy/jobs/__init__.py). */
export function sectionOf(root: XmlElement, name: SectionName): XmlElement | undefined {
  return elementsOf(root, name)[0]
}

export function readXml(text: string, file: string | undefined): JobConf {
  const root = parseJobConf(text, file)
  const [plugins, destinations, tools] = [
    sectionOf(root, 'plugins'),
    sectionOf(root, 'destinations'),
    sectionOf(root, 'tools'),
  ]
  return {
    runners: list(text, plugins, 'plugin', 'runner', ({ attributes }) => ({ load: attributes.load ?? '' })),
    destinations: list(text, destinations, 'destination', 'destination', (element) => ({
      runner: element.attributes.runner ?? '',
      params: new Map(
        elementsOf(element, 'param').map((param) => [param.attributes.id ?? '', valueIn(param)] as const),
      ),
    })),
    tools: list(text, tools, 'tool', 'tool', (element) => ({
      destination: element.attributes.destination,
      isConditional: elementsOf(element, 'param').length > 0,
    })),
    default: defaultOf(destinations),
    sections: Object.values(SECTIONS).flatMap((name) => {
      const section = sectionOf(root, name)
      const found = section && markerOf(root, section, 'section', name)
      if (!section || !found) return []
      const isEmpty = text.slice(section.openEnd, section.closeStart).trim() === ''
      return [{ marker: found.marker, isEmpty, hasMarkers: listComments(section).length > 0 }]
    }),
  }
}

/** `value` goes before the text (JobConfiguration.get_params). */
function valueIn({ attributes, text }: XmlElement): string {
  return attributes.value ?? text
}

function defaultOf(destinations: XmlElement | undefined): JobConf['default'] {
  const { attributes = {} } = destinations ?? {}
  if ('default_from_environ' in attributes || 'default_from_config' in attributes) return 'by rule'
  return attributes.default
}

function list<T>(
  text: string,
  section: XmlElement | undefined,
  name: string,
  what: 'runner' | 'destination' | 'tool',
  read: (element: XmlElement) => T,
): (T & { id: string; line: number; marker: JobConf['tools'][number]['marker'] })[] {
  if (!section) return []
  return elementsOf(section, name).map((element) => {
    const id = element.attributes.id ?? ''
    const marker = markerOf(section, element, what, id)?.marker
    return { ...read(element), id, line: lineOf(text, element), marker }
  })
}
