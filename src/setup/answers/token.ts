import { randomBytes } from 'node:crypto'
import { createProblems } from '../../config/problems.js'
import { readYaml } from '../../config/read-yaml.js'
import { MagnetarError } from '../../lib/errors.js'
import { readFileState } from '../files/file-state.js'
import type { NodePaths } from '../types.js'

const TOKEN_BYTES = 32

export interface DecidedToken {
  readonly token: string
  readonly source: 'given' | 'found in app.yml' | 'generated'
}

/**
 * The token in a text that somebody gave; the line break at its end is not a part of it. `where` is how messages call the text.
 * @throws MagnetarError ANSWER_INVALID, without the token, when it is not one word of printable ASCII: URLs, headers and configurations
 * each make something else of other characters, and every request would be refused
 */
export function tokenIn(text: string, where: string): string {
  const token = text.replace(/[\r\n]+$/, '')
  if (/^[!-~]+$/.test(token)) return token
  throw new MagnetarError('ANSWER_INVALID', whyNoToken(token, where), {
    fix: 'Put the token alone into it: openssl rand -base64 32 > FILE',
  })
}

function whyNoToken(text: string, where: string): string {
  if (text.trim() === '') return `there is no token in ${where}`
  if (/\P{ASCII}/u.test(text))
    return `the token in ${where} has characters other than ASCII letters, digits and signs`
  if (text !== text.trim()) return `the token in ${where} begins or ends with a blank`
  return `expected one word in ${where}, found several, or a line break`
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
