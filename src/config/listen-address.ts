/** What `[uwsgi] http` says: `host:port`, `:port` and `*:port` (all addresses), `[::1]:port`. Undefined when it is none of these. */
export function parseListenAddress(text: string): { host: string; port: number } | undefined {
  const match = /^(?:\[([0-9A-Fa-f:.%\w]+)\]|([^\s:,/[\]]*)):(\d{1,5})$/.exec(text.trim())
  if (!match) return undefined
  const [, ipv6, name, digits] = match
  const port = Number(digits)
  if (port > 65535) return undefined
  const host = ipv6 ?? name ?? ''
  return { host: host === '' || host === '*' ? '0.0.0.0' : host, port }
}
