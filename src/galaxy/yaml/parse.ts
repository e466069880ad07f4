import { parseLayout } from '../../lib/edit/yaml-layout.js'
import { createRecent } from '../../lib/recent.js'

const known = createRecent<{ readonly root: ReturnType<typeof parseLayout> }>(8)

/** The contents of a text that is known to be YAML. An edit asks many times about the same few texts, which are read once. */
export function parseOnce(text: string): ReturnType<typeof parseLayout> {
  const parsed = known.get(text) ?? { root: parseLayout(text) }
  known.set(text, parsed)
  return parsed.root
}
