import { MagnetarError } from '../lib/errors.js'

/** Where the node is. */
export interface Target {
  /** With a slash at the end; with `managers/NAME/` when a manager was named. */
  readonly url: URL
  /** The same without the manager. */
  readonly root: URL
  readonly manager: string | undefined
  /** Without the brackets of IPv6. */
  readonly host: string
  readonly port: number
  readonly tls: boolean
}

const MANAGER = /\/managers\/([^/]+)\/$/

/**
 * Reads the URL of a node as Galaxy's job_conf has it, perhaps with `/managers/NAME`.
 * @throws MagnetarError ANSWER_INVALID
 */
export function readTarget(text: string, manager?: string): Target {
  const refuse = (message: string, fix: string): MagnetarError =>
    new MagnetarError('ANSWER_INVALID', message, { fix })
  if (!/^https?:\/\//i.test(text))
    throw refuse(
      `${withoutSecret(text)} is no URL of a node: it does not say how it is reached`,
      'Write http:// or https:// before it, and the port behind it: http://node.example.org:8913',
    )
  if (!URL.canParse(text))
    throw refuse(`${withoutSecret(text)} is no URL`, 'Write it like http://node.example.org:8913')
  const root = new URL(text)
  if (root.username !== '' || root.password !== '' || root.searchParams.has('private_token'))
    throw refuse(
      'the URL has a token in it, where every user of this machine can read it',
      'Put the token into a file and name that with --token-file, or pipe it to --token-stdin.',
    )
  root.search = ''
  root.hash = ''
  if (!root.pathname.endsWith('/')) root.pathname += '/'
  const [ending, inUrl] = MANAGER.exec(root.pathname) ?? []
  if (ending !== undefined) root.pathname = root.pathname.slice(0, -ending.length + 1)
  const name = manager ?? (inUrl === undefined ? undefined : decodeURIComponent(inUrl))
  const isTls = root.protocol === 'https:'
  return {
    root,
    manager: name,
    url: name === undefined ? root : new URL(`managers/${encodeURIComponent(name)}/`, root),
    host: root.hostname.replace(/^\[|\]$/g, ''),
    port: root.port === '' ? (isTls ? 443 : 80) : Number(root.port),
    tls: isTls,
  }
}

/** Host and port as a person writes them. */
export function describePlace({ host, port }: Pick<Target, 'host' | 'port'>): string {
  return `${host.includes(':') ? `[${host}]` : host}:${port}`
}

function withoutSecret(text: string): string {
  return JSON.stringify(text.replace(/[^/@]*@/, '').replace(/\?.*/s, ''))
}
