import { realpath } from 'node:fs/promises'
import { basename, dirname } from 'node:path'
import { isCollection, isList, type YamlScalar, type YamlValue } from '../../lib/edit/quote-yaml.js'
import { MagnetarError } from '../../lib/errors.js'
import { editIni, readIniValue } from '../edit/ini.js'
import { editYaml, readYamlValue } from '../edit/yaml.js'
import type { KnownOption, OptionAddress } from '../known-options.js'
import type { LoadOptions } from '../load.js'
import { type ConfigFile, type ConfigFiles, locateConfigFiles } from './config-files.js'
import { expectManager } from './expect-manager.js'
import type { FileEdit } from './write-checked.js'

/**
 * The edit that gives an option its value: where it stands already, else in app.yml, or in its section of server.ini.
 * @throws MagnetarError EDIT_REFUSED, ConfigError when a file cannot be read
 */
export async function planSet(
  options: LoadOptions,
  address: KnownOption,
  value: YamlScalar,
): Promise<FileEdit> {
  const files = await locateConfigFiles(options)
  if (address.in === 'server.ini') {
    // uWSGI reads its section itself, and takes a percent sign as it is.
    const text = address.section === 'uwsgi' ? String(value) : String(value).replaceAll('%', '%%')
    return iniEdit(files, address.section, address.key, text)
  }
  if (address.manager !== undefined) await expectManager(options, address.manager, address.key)
  const current = readYamlValue(files.app.text ?? '', address.path, files.app.path)
  expectSingle(address.name, current, files.app.path)
  const section = appSection(options)
  if (current === undefined && isInIni(files, section, address))
    return iniEdit(files, section, address.key, String(value).replaceAll('%', '%%'))
  return appEdit(files, address.path, value)
}

/**
 * The edit that takes an option away, also one that nobody knows; undefined: it is not set.
 * @throws MagnetarError EDIT_REFUSED, ConfigError when a file cannot be read
 */
export async function planUnset(options: LoadOptions, address: OptionAddress): Promise<FileEdit | undefined> {
  const files = await locateConfigFiles(options)
  const section = address.in === 'server.ini' ? address.section : appSection(options)
  if (address.in === 'app.yml') {
    const current = readYamlValue(files.app.text ?? '', address.path, files.app.path)
    expectSingle(address.name, current, files.app.path)
    if (current !== undefined) return appEdit(files, address.path, undefined)
  }
  return isInIni(files, section, address) ? iniEdit(files, section, address.key, undefined) : undefined
}

function appSection(options: LoadOptions): string {
  return `app:${options.app ?? 'main'}`
}

function isInIni({ ini }: ConfigFiles, section: string, address: OptionAddress): boolean {
  if (address.in === 'app.yml' && address.manager !== undefined) return false
  return readIniValue(ini.text ?? '', section, address.key, ini.path) !== undefined
}

function expectSingle(name: string, value: YamlValue | undefined, file: string): void {
  if (value === undefined || !isCollection(value)) return
  throw new MagnetarError('EDIT_REFUSED', `${name} is a ${isList(value) ? 'list' : 'mapping'} in ${file}`, {
    fix: `Change it with an editor, then run "magnetar config validate".`,
  })
}

async function appEdit(
  { ini, app }: ConfigFiles,
  path: readonly string[],
  value: YamlScalar | undefined,
): Promise<FileEdit> {
  const real = await realFile(app)
  const after = editYaml(app.text ?? '', [{ path, value }], app.path)
  const iniPath = ini.text === undefined ? ini.sample : ini.path
  return { kind: 'app.yml', path: real, before: app.text, after, iniPath }
}

async function iniEdit(
  { ini }: ConfigFiles,
  section: string,
  key: string,
  value: string | undefined,
): Promise<FileEdit> {
  const real = await realFile(ini)
  // %(here)s is the directory of the file that is read; the check reads it under another name in its directory.
  if (dirname(real) !== (await realpath(dirname(ini.path))))
    throw new MagnetarError('EDIT_REFUSED', `${ini.path} is a symbolic link to ${real}`, {
      fix: 'Change that file with an editor, then run "magnetar config validate".',
    })
  const after = editIni(ini.text ?? '', [{ section, key, value }], ini.path)
  return { kind: 'server.ini', path: real, before: ini.text, after }
}

async function realFile({ path, text, sample }: ConfigFile): Promise<string> {
  if (sample !== undefined)
    throw new MagnetarError('EDIT_REFUSED', `there is no ${path}; the server reads ${basename(sample)}`, {
      fix: `Make it a file of your own first: cp ${sample} ${path}`,
    })
  return text === undefined ? path : realpath(path)
}
