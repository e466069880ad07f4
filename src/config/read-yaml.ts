import type { ConfigNode } from './node.js'
import type { Problems } from './problems.js'
import { parseSimpleYaml } from './yaml-simple.js'

/**
 * Reads a YAML file as Python's yaml.safe_load does. Problems are added to `problems`; then undefined is returned. An empty
 * file is null.
 */
export async function readYaml(
  text: string,
  file: string,
  problems: Problems,
): Promise<ConfigNode | undefined> {
  const simple = parseSimpleYaml(text, file)
  if (simple) return simple
  const { parseYaml } = await import('./yaml.js')
  return parseYaml(text, file, problems)
}
