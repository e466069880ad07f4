import { MagnetarError } from '../../lib/errors.js'

/** What of an environment says whether https goes through a proxy; names as curl reads them. */
export type ProxyEnvironment = Readonly<Record<string, string | undefined>>

interface Proxy {
  readonly url: URL
  /** Whether requests to this host go directly. */
  isExempt(target: URL): boolean
}

/**
 * The proxy for https (https_proxy, HTTPS_PROXY; exceptions in no_proxy, NO_PROXY), through which connections are tunnelled whole:
 * it sees host names and no key. Plain http and this machine itself are never proxied.
 * @throws MagnetarError CONFIG_INVALID when it is no http or https address
 */
export function readProxy(environment: ProxyEnvironment): Proxy | undefined {
  const text = environment.https_proxy || environment.HTTPS_PROXY
  if (!text) return undefined
  const exempt = (environment.no_proxy ?? environment.NO_PROXY ?? '')
    .toLowerCase()
    .split(/[\s,]+/)
    .filter((entry) => entry !== '')
    .map((entry) => entry.replace(/^\*?\./, ''))
  return { url: parseProxy(text), isExempt: (target) => isLocal(target) || matches(target, exempt) }
}

function parseProxy(text: string): URL {
  const full = /^[a-z0-9+.-]+:\/\//i.test(text) ? text : `http://${text}`
  // Without what was written: it may have a password in it.
  const url = URL.canParse(full) ? new URL(full) : undefined
  if (url?.protocol !== 'http:' && url?.protocol !== 'https:') {
    throw new MagnetarError('CONFIG_INVALID', 'https_proxy in the environment is no http:// address', {
      fix: 'Correct or unset https_proxy in local_env.sh or where the server is started.',
    })
  }
  return url
}

function isLocal({ hostname }: URL): boolean {
  return hostname === 'localhost' || hostname === '[::1]' || /^127\.\d+\.\d+\.\d+$/.test(hostname)
}

function matches(target: URL, exempt: readonly string[]): boolean {
  const withPort = `${target.hostname}:${target.port || '443'}`
  return exempt.some(
    (entry) =>
      entry === '*' ||
      [target.hostname, withPort].some((host) => host === entry || host.endsWith(`.${entry}`)),
  )
}
