import { stat } from 'node:fs/promises'
import { resolve } from 'node:path'
import { type IniFile, readIniSection } from './ini.js'
import { parseListenAddress } from './listen-address.js'
import type { LoadOptions } from './load.js'
import { findNearest } from './nearest.js'
import { describeNode, textNode } from './node.js'
import { serverMainOptions, uwsgiOptions } from './options/server.js'
import type { Problems } from './problems.js'
import { type Entries, openSection, type Section } from './section.js'
import type { ServerConfig } from './types.js'

type Uwsgi = Section<typeof uwsgiOptions>

/**
 * Where to listen: the command line, then `[uwsgi] http` in mode uwsgi, then `[server:main]`, then localhost:8913
 * (pulsar/scripts/serve.py _read_server_config). Without a mode, uwsgi's address counts when [server:main] has none.
 */
export async function readServer(
  ini: IniFile,
  options: LoadOptions,
  problems: Problems,
): Promise<ServerConfig> {
  const entries = sectionEntries(ini, 'server:main', problems)
  warnMisspelled(entries, problems)
  const main = openSection(serverMainOptions, entries, '[server:main] ', problems)
  const address = readMainAddress(main)
  const own = main.node('host') !== undefined || main.node('port') !== undefined
  const uwsgi =
    options.mode === 'uwsgi' || (options.mode === undefined && !own)
      ? readUwsgiAddress(openUwsgi(ini), problems)
      : undefined
  return {
    host: options.host ?? uwsgi?.host ?? address.host,
    port: checkPort(options.port, problems) ?? uwsgi?.port ?? address.port,
    sslPem: await readSslPem(main, options, problems),
  }
}

/** `[uwsgi] logto`, made absolute; only when the node is started the way that section is for, or in our own way. */
export function readLogFile(ini: IniFile, options: LoadOptions): string | undefined {
  if (options.mode !== undefined && options.mode !== 'uwsgi') return undefined
  const file = openUwsgi(ini).get('logto')
  return file === undefined ? undefined : resolve(options.cwd, file)
}

function readMainAddress(main: Section<typeof serverMainOptions>): { host: string; port: number } {
  return { host: main.get('host') || serverMainOptions.host.default, port: main.get('port') }
}

/** uWSGI reads its section itself, without Python's %(name)s. */
function openUwsgi(ini: IniFile): Uwsgi {
  const entries = new Map(
    [...(ini.sections.get('uwsgi') ?? [])].map(([key, { text, line }]) => [
      key,
      textNode(text, { file: ini.file, line }),
    ]),
  )
  // Every option of the section is a text: there is nothing to report.
  const silent: Problems = { issues: [], warnings: [], error() {}, warn() {}, throwIfAny() {} }
  return openSection(uwsgiOptions, entries, '[uwsgi] ', silent)
}

function readUwsgiAddress(uwsgi: Uwsgi, problems: Problems): { host: string; port: number } | undefined {
  for (const key of ['http', 'http-socket'] as const) {
    const node = uwsgi.node(key)
    if (node?.kind !== 'scalar') continue
    const address = parseListenAddress(node.text)
    if (address) return address
    problems.error(node.place, uwsgi.nameOf(key), `expected host:port or :port, found ${describeNode(node)}`)
    return undefined
  }
  const socket = uwsgi.node('socket')
  if (socket) {
    const message = `[uwsgi] socket is for the uwsgi protocol, so the address of [server:main] is used. Write http instead of socket to listen there`
    problems.warn(socket.place, message)
  }
  return undefined
}

async function readSslPem(
  main: Section<typeof serverMainOptions>,
  options: LoadOptions,
  problems: Problems,
): Promise<string | undefined> {
  const value = main.get('ssl_pem')
  const place = main.node('ssl_pem')?.place
  if (!value || !place) return undefined
  const key = main.nameOf('ssl_pem')
  if (value === '*') {
    problems.error(
      place,
      key,
      '"*" made Paste generate a certificate, which no Pulsar does any more',
      makeCertificate('host.pem'),
    )
    return undefined
  }
  const file = resolve(options.cwd, value)
  // The real server then speaks plain HTTP, and the token goes over the wire for all to read.
  const found = await stat(file).catch(() => undefined)
  if (!found?.isFile())
    problems.error(place, key, `${file} is not there or is no file`, makeCertificate(file))
  return file
}

function makeCertificate(file: string): string {
  return `make one with: openssl req -x509 -nodes -newkey rsa:2048 -days 365 -subj /CN=$(hostname -f) -keyout ${file} -out cert.pem && cat cert.pem >> ${file}`
}

function checkPort(port: number | undefined, problems: Problems): number | undefined {
  if (port === undefined || (Number.isInteger(port) && port >= 0 && port <= 65535)) return port
  problems.error({ file: '--port' }, '', `expected ${serverMainOptions.port.type.expected}, found ${port}`)
  return undefined
}

export function sectionEntries(ini: IniFile, name: string, problems: Problems): Entries {
  const here = { here: resolve(ini.file, '..'), __file__: ini.file }
  const values = readIniSection(ini, name, here, problems) ?? new Map()
  return new Map([...values].map(([key, { text, place }]) => [key, textNode(text, place)]))
}

/** The section has options of Paste's server too, so only what looks like one of ours is told. */
function warnMisspelled(entries: Entries, problems: Problems): void {
  const names = Object.keys(serverMainOptions)
  for (const [key, node] of entries) {
    const nearest = names.includes(key) ? undefined : findNearest(key, names)
    if (nearest)
      problems.warn(node.place, `unknown option [server:main] ${key}: it has no effect. Is ${nearest} meant?`)
  }
}
