import { relative } from 'node:path'
import { type EffectiveConfig, readEffective } from '../../config/effective/effective-config.js'
import type { EffectiveValue } from '../../config/effective/effective-option.js'
import type { LoadOptions } from '../../config/load.js'
import { formatPlace } from '../../config/problems.js'
import type { ServerConfig } from '../../config/types.js'
import { createPalette } from '../palette.js'
import { widthOf } from '../wrap.js'
import { say, type Terminal } from './terminal.js'

export interface ShowOptions {
  readonly origin: boolean
  readonly json: boolean
}

/** `magnetar config show`: what a server would use that is started now. */
export async function showConfig(options: LoadOptions, show: ShowOptions, terminal: Terminal): Promise<void> {
  const effective = await readEffective(options)
  if (show.json) terminal.stdout.write(`${JSON.stringify(toJson(effective), undefined, 2)}\n`)
  else printGroups(effective, options.configDirectory, show.origin, terminal)
  const count = effective.config.warnings.length
  if (count > 0)
    terminal.stderr.write(
      `${count === 1 ? '1 warning' : `${count} warnings`}: "magnetar config validate" shows ${count === 1 ? 'it' : 'them'}\n`,
    )
}

function printGroups(
  { config, uwsgiServer, groups }: EffectiveConfig,
  directory: string,
  origin: boolean,
  { stdout, env }: Terminal,
): void {
  const palette = createPalette(stdout, env)
  const all = groups.flatMap(({ values }) => values)
  const nameWidth = Math.max(...all.map(({ name }) => name.length))
  const valueWidth = Math.min(48, Math.max(...all.map((each) => widthOf(showValue(each)))))
  const lines = [`${directory} · ${describeAddress(config.server, uwsgiServer)}`]
  for (const { title, values } of groups) {
    if (values.length === 0) continue
    lines.push('', palette.bold(title))
    for (const each of values) {
      const value = showValue(each)
      const note = each.note === undefined ? '' : palette.dim(`  (${each.note})`)
      const place = origin ? `  ${palette.dim(describeOrigin(each, directory))}` : ''
      const padded = origin ? value.padEnd(valueWidth) : value
      lines.push(
        `  ${each.name.padEnd(nameWidth)}  ${each.place ? padded : palette.dim(padded)}${place}${note}`,
      )
    }
  }
  say(stdout, lines.join('\n'), '      ')
}

/** "listens on http://localhost:8913"; two of them where the way of starting makes a difference. */
export function describeAddress(server: ServerConfig, uwsgi: ServerConfig): string {
  const url = ({ host, port, sslPem }: ServerConfig): string =>
    `${sslPem === undefined ? 'http' : 'https'}://${host.includes(':') ? `[${host}]` : host}:${port}`
  if (url(server) === url(uwsgi)) return `listens on ${url(server)}`
  return `listens on ${url(server)}, with --mode uwsgi on ${url(uwsgi)}`
}

function showValue({ value, secret }: EffectiveValue): string {
  if (secret) return value === undefined ? '(not set)' : '(set, hidden)'
  return String(value)
}

function describeOrigin({ place }: EffectiveValue, directory: string): string {
  if (place === undefined) return 'default'
  const inside = place.file.startsWith(`${directory}/`)
  return formatPlace({ ...place, file: inside ? relative(directory, place.file) : place.file })
}

function toJson({ config, uwsgiServer, groups }: EffectiveConfig): unknown {
  return {
    directory: config.configDirectory,
    listens: { host: config.server.host, port: config.server.port, tls: config.server.sslPem !== undefined },
    listensWithModeUwsgi: { host: uwsgiServer.host, port: uwsgiServer.port },
    values: groups.flatMap(({ title, values }) =>
      values.map(({ name, value, secret, place, note }) => ({
        name,
        group: title,
        ...(secret ? { secret: true, set: value !== undefined } : { value }),
        origin: originJson(place),
        note,
      })),
    ),
  }
}

const VARIABLE = 'environment variable '

function originJson(place: EffectiveValue['place']): unknown {
  if (place === undefined) return { default: true }
  const variable = place.file.startsWith(VARIABLE) ? place.file.slice(VARIABLE.length) : undefined
  return variable === undefined ? { file: place.file, line: place.line } : { variable }
}
