import type { ParsedNode } from 'yaml'
import { parseLayout } from '../../lib/edit/yaml-layout.js'

let last: { readonly text: string; readonly root: ParsedNode | null } | undefined

/** The contents of a text that is known to be YAML. An edit asks many times about the same text, which is read once. */
export function parseOnce(text: string): ParsedNode | null {
  if (last?.text !== text) last = { text, root: parseLayout(text) }
  return last.root
}
