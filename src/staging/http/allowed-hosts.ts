import { MagnetarError } from '../../lib/errors.js'
import { HOSTS_OPTION } from './option-names.js'

/** A host name, an IPv4 address or an IPv6 address in brackets, perhaps `*.` before and `:port` behind. */
const PATTERN = /^(\*\.)?([a-z0-9_-]+(?:\.[a-z0-9_-]+)*\.?|\[[0-9a-f:.]+\])(?::(\d{1,5}))?$/

const DEFAULT_PORTS: Readonly<Record<string, string>> = { 'http:': '80', 'https:': '443' }

/**
 * Which hosts files may be exchanged with: `host` (any port), `host:port`, `*.example.org` (every name below it, not itself).
 * Without patterns: all.
 * @throws MagnetarError CONFIG_INVALID
 */
export function compileHosts(patterns: readonly string[] | undefined): (url: URL) => boolean {
  if (patterns === undefined) return () => true
  const rules = patterns.map((pattern) => {
    const match = PATTERN.exec(pattern.trim().toLowerCase())
    if (!match?.[2]) {
      throw new MagnetarError('CONFIG_INVALID', `${JSON.stringify(pattern)} in ${HOSTS_OPTION} is no host`, {
        fix: 'Write host, host:port or *.example.org, without a scheme or a path; several are separated by commas.',
      })
    }
    return { below: match[1] !== undefined, host: withoutDot(match[2]), port: match[3] }
  })
  return (url) => {
    const host = withoutDot(url.hostname)
    const port = url.port || DEFAULT_PORTS[url.protocol]
    return rules.some(
      (rule) =>
        (rule.port === undefined || rule.port === port) &&
        (rule.below ? host.endsWith(`.${rule.host}`) : host === rule.host),
    )
  }
}

/** `example.org.` is the same host. */
function withoutDot(host: string): string {
  return host.replace(/\.$/, '')
}
