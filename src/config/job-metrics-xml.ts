import { createRequire } from 'node:module'
import type * as Saxes from 'saxes'
import type { WrittenPlugin } from './job-metrics.js'
import type { Problems } from './problems.js'

/** The children of the root element: the name is the plugin, the attributes its options. The root's name is not checked. */
export function readMetricsXml(content: string, file: string, problems: Problems): WrittenPlugin[] {
  const saxes: typeof Saxes = createRequire(import.meta.url)('saxes')
  const parser = new saxes.SaxesParser()
  const plugins: WrittenPlugin[] = []
  let depth = 0
  let line = 1
  parser.on('opentagstart', () => {
    line = parser.line
  })
  parser.on('opentag', (tag) => {
    depth += 1
    if (depth === 2) plugins.push({ type: tag.name, options: { ...tag.attributes }, place: { file, line } })
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
  return failed ? [] : plugins
}

/** saxes puts "4:12: " in front. */
function withoutPosition(message: string): string {
  return message.replace(/^\d+:\d+: /, '')
}
