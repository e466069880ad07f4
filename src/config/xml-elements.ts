import { createRequire } from 'node:module'
import type * as Saxes from 'saxes'
import type { Place, Problems } from './problems.js'

export interface XmlElement {
  readonly name: string
  readonly attributes: Readonly<Record<string, string>>
  readonly place: Place
}

/**
 * The children of the root element: Pulsar's plugin files have one for each plugin, its name the type, its attributes the options.
 * The root's name is not checked (galaxy/util/plugin_config.py). A file that is not well-formed is a problem, and has no children.
 */
export function readXmlElements(content: string, file: string, problems: Problems): XmlElement[] {
  const saxes: typeof Saxes = createRequire(import.meta.url)('saxes')
  const parser = new saxes.SaxesParser()
  const elements: XmlElement[] = []
  let depth = 0
  let line = 1
  parser.on('opentagstart', () => {
    line = parser.line
  })
  parser.on('opentag', (tag) => {
    depth += 1
    if (depth === 2)
      elements.push({ name: tag.name, attributes: { ...tag.attributes }, place: { file, line } })
  })
  parser.on('closetag', () => {
    depth -= 1
  })
  let failed = false
  parser.on('error', (error) => {
    // What follows the first mistake is mostly its consequences.
    if (!failed)
      problems.error(
        { file, line: parser.line },
        '',
        `is not well-formed XML: ${withoutPosition(error.message)}`,
      )
    failed = true
  })
  parser.write(content).close()
  return failed ? [] : elements
}

/** saxes puts "4:12: " in front. */
function withoutPosition(message: string): string {
  return message.replace(/^\d+:\d+: /, '')
}
