import type { IniFile } from './ini.js'
import type { LoadOptions } from './load.js'
import type { ConfigNode } from './node.js'
import { loggerOptions } from './options/server.js'
import type { Problems } from './problems.js'
import { openSection } from './section.js'
import { readLogFile, sectionEntries } from './server.js'
import type { LoggingConfig } from './types.js'

const LEVELS: Readonly<Record<string, LoggingConfig['level']>> = {
  DEBUG: 'debug',
  INFO: 'info',
  WARN: 'warn',
  WARNING: 'warn',
  ERROR: 'error',
  CRITICAL: 'error',
  FATAL: 'error',
}

/**
 * The level of [logger_pulsar], else of [logger_root], when the ini has [loggers] (pulsar/main.py setup_file_logging); with
 * --app_conf_base64 that of its `logging`. Honoured in every mode. Default: info.
 */
export function readLogging(
  ini: IniFile,
  logging: ConfigNode | undefined,
  options: LoadOptions,
  problems: Problems,
): LoggingConfig {
  const level =
    options.appConfBase64 === undefined ? levelOfIni(ini, problems) : levelOfMapping(logging, problems)
  return { level: level ?? 'info', file: readLogFile(ini, options), format: formatOfIni(ini) }
}

/**
 * The line format of the first handler of [logger_pulsar], else of [logger_root] (Python's logging.config: logger -> handler ->
 * formatter). These sections are not interpolated, so the text is as written.
 */
function formatOfIni(ini: IniFile): string | undefined {
  const text = (section: string, key: string): string | undefined =>
    ini.sections.get(section)?.get(key)?.text.trim() || undefined
  for (const logger of ['logger_pulsar', 'logger_root']) {
    const handler = text(logger, 'handlers')?.split(',')[0]?.trim()
    const formatter = handler && text(`handler_${handler}`, 'formatter')
    const format = formatter && text(`formatter_${formatter}`, 'format')
    if (format) return format
  }
  return undefined
}

function levelOfIni(ini: IniFile, problems: Problems): LoggingConfig['level'] | undefined {
  if (!ini.sections.has('loggers')) return undefined
  for (const name of ['logger_pulsar', 'logger_root']) {
    const section = openSection(loggerOptions, sectionEntries(ini, name, problems), `[${name}] `, problems)
    const node = section.node('level')
    const level = node && levelOf(node, section.nameOf('level'), problems)
    if (level) return level
  }
  return undefined
}

function levelOfMapping(
  logging: ConfigNode | undefined,
  problems: Problems,
): LoggingConfig['level'] | undefined {
  for (const path of [
    ['loggers', 'pulsar', 'level'],
    ['root', 'level'],
  ]) {
    let node = logging
    for (const key of path) node = node?.kind === 'mapping' ? node.entries.get(key) : undefined
    const level = node && levelOf(node, ['logging', ...path].join('.'), problems)
    if (level) return level
  }
  return undefined
}

function levelOf(node: ConfigNode, name: string, problems: Problems): LoggingConfig['level'] | undefined {
  const word = node.kind === 'scalar' ? node.text.trim().toUpperCase() : ''
  // "Whatever the parent says".
  if (word === 'NOTSET') return undefined
  const level = LEVELS[word]
  if (!level) problems.error(node.place, name, `expected one of ${Object.keys(LEVELS).join(', ')}`)
  return level
}
