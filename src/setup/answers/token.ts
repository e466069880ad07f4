import { randomBytes } from 'node:crypto'
import { createProblems } from '../../config/problems.js'
import { readYaml } from '../../config/read-yaml.js'
import { readFileState } from '../files/file-state.js'
import type { NodePaths } from '../types.js'

const TOKEN_BYTES = 32

export interface DecidedToken {
  readonly token: string
  readonly source: 'given' | 'found in app.yml' | 'generated'
}

/**
 * The private token of a node: the one given, else the one in its app.yml, else 256 new random bits in characters that no URL, shell
 * or YAML takes for anything else.
 * @throws MagnetarError NOT_PERMITTED when app.yml is there and this user may not read it
 */
export async function decideToken(
  given: string | undefined,
  paths: Pick<NodePaths, 'appYml'>,
  signal: AbortSignal,
): Promise<DecidedToken> {
  if (given) return { token: given, source: 'given' }
  const state = await readFileState(paths.appYml, signal)
  const found = state.kind === 'file' ? await readToken(state.text) : undefined
  if (found) return { token: found, source: 'found in app.yml' }
  return { token: randomBytes(TOKEN_BYTES).toString('base64url'), source: 'generated' }
}

/**
 * The token that an app.yml has, as the server takes it: the characters in the file, also where YAML makes a number of them. "" for a
 * key without value; undefined for none, and for a file that is no YAML.
 */
export async function readToken(appYml: string): Promise<string | undefined> {
  const root = await readYaml(appYml, '', createProblems())
  const node = root?.kind === 'mapping' ? root.entries.get('private_token') : undefined
  if (node?.kind !== 'scalar') return undefined
  if (node.type === 'null') return ''
  return node.type === 'text' ? node.value : node.text
}
