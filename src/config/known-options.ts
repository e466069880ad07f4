import { findNearest } from './nearest.js'
import { findOption, type Option, type OptionTable } from './option.js'
import { appOptions, managerOptions } from './options/index.js'
import { loggerOptions, serverMainOptions, uwsgiOptions } from './options/server.js'

/** The sections of server.ini whose options are known. */
export const INI_SECTIONS: Readonly<Record<string, OptionTable>> = {
  'server:main': serverMainOptions,
  uwsgi: uwsgiOptions,
  logger_pulsar: loggerOptions,
  logger_root: loggerOptions,
}

/** Where a name such as `managers.cluster.type` or `server:main.port` leads. */
export type OptionAddress = {
  readonly name: string
  /** The last part of the name. */
  readonly key: string
} & (
  | { readonly in: 'app.yml'; readonly path: readonly string[]; readonly manager: string | undefined }
  | { readonly in: 'server.ini'; readonly section: string }
)

export type KnownOption = OptionAddress & { readonly option: Option }

/**
 * Takes a name apart: `KEY`, `manager.KEY` and `managers.NAME.KEY` are in app.yml, `SECTION.KEY` in server.ini. undefined: of none of
 * these forms.
 */
export function parseOptionName(name: string): OptionAddress | undefined {
  const [, manager, managerKey = ''] = /^(?:manager|managers\.(.+))\.([^.]+)$/.exec(name) ?? []
  if (managerKey !== '') {
    const parent = manager === undefined ? ['manager'] : ['managers', manager]
    return { name, key: managerKey, in: 'app.yml', path: [...parent, managerKey], manager: parent.join('.') }
  }
  const [, section, key = ''] = /^([^.]+)\.(.+)$/.exec(name) ?? []
  if (section !== undefined)
    return section === 'managers' ? undefined : { name, key: key.toLowerCase(), in: 'server.ini', section }
  return name === '' ? undefined : { name, key: name, in: 'app.yml', path: [name], manager: undefined }
}

/** The option that an address leads to, if there is one that can be set. */
export function findKnownOption(address: OptionAddress): KnownOption | undefined {
  const { key } = address
  const option = key.includes('*') ? undefined : findOption(tableOf(address), key)
  return option && { ...address, option }
}

function tableOf(address: OptionAddress): OptionTable {
  if (address.in === 'server.ini')
    return Object.hasOwn(INI_SECTIONS, address.section) ? (INI_SECTIONS[address.section] ?? {}) : {}
  return address.manager === undefined ? appOptions : managerOptions
}

/** The name that was probably meant. */
export function suggestOption(name: string): string | undefined {
  const address = parseOptionName(name)
  if (address?.in === 'app.yml' && address.manager !== undefined) {
    const key = findNearest(address.key, plainNames(managerOptions))
    if (key !== undefined) return `${address.manager}.${key}`
    return Object.hasOwn(appOptions, address.key) ? address.key : undefined
  }
  const sections = Object.entries(INI_SECTIONS).flatMap(([section, table]) =>
    plainNames(table).map((key) => ({ name: `${section}.${key}`, key })),
  )
  const last = address?.key ?? name
  const elsewhere = sections.find(({ key }) => key === last)
  if (elsewhere) return elsewhere.name
  if (findOption(managerOptions, last) && !findOption(appOptions, last)) return `manager.${last}`
  const all = [...plainNames(appOptions), ...sections.map((each) => each.name)]
  const nearest = findNearest(name, all)
  if (nearest !== undefined) return nearest
  const ofManager = findNearest(last, plainNames(managerOptions))
  return ofManager === undefined ? undefined : `manager.${ofManager}`
}

function plainNames(table: OptionTable): string[] {
  return Object.keys(table).filter((name) => !name.endsWith('*'))
}
