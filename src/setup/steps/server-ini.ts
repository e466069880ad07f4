import { resolve } from 'node:path'
import { readIniValue } from '../../config/edit/ini.js'
import { defineStep } from '../define-step.js'
import { currentText, type InspectedFile, inspectConfigFile, planConfigFile } from '../files/config-file.js'
import { isEditRefused, mergeText } from '../files/config-text.js'
import { type IniKey, iniDialect, iniKey } from '../files/ini-keys.js'
import { renderServerIni } from '../files/render/server-ini.js'
import { type AnswerKey, isExplicit, type NodePaths, type SetupContext } from '../types.js'

const STEP = 'server-ini'

/** etc/server.ini: where the server listens, with what certificate, and its log. */
export const serverIniStep = defineStep<InspectedFile>({
  id: STEP,
  title: 'configuration of the web server',
  inspect: (context) => inspectConfigFile(context.paths.serverIni, context),
  plan(context, file) {
    const { manifest, paths, force } = context
    const current = currentText(file)
    const merged = mergeText<IniKey>({
      path: paths.serverIni,
      current,
      fresh: renderServerIni({ ...context.answers, logging: true }),
      wanted: [...wantedServerKeys(context), ...wantedAppConfig(current, paths)],
      dialect: iniDialect,
      written: manifest?.files[paths.serverIni],
      force,
    })
    return planConfigFile(context, file, {
      step: STEP,
      path: paths.serverIni,
      what: 'the configuration of the web server',
      secret: false,
      ...merged,
    })
  },
})

/** What server.ini is to say. Values are spelled as the template spells them: uWSGI and Python's configparser read them as well. */
function wantedServerKeys({ answers, sources, paths }: SetupContext): IniKey[] {
  const template = renderServerIni({ ...answers, logging: true })
  const explicit = (...keys: AnswerKey[]): boolean => keys.some((key) => isExplicit(sources[key]))
  const asTemplate = (section: string, option: string, byHand = false): IniKey =>
    iniKey(section, option, readIniValue(template, section, option), byHand)
  // Half of an address would have the server listen elsewhere than the file says.
  const address = (...args: Parameters<typeof asTemplate>): IniKey => ({
    ...asTemplate(...args),
    group: 'address',
  })
  return [
    address('server:main', 'port', explicit('port')),
    address('server:main', 'host', explicit('host')),
    iniKey(
      'server:main',
      'ssl_pem',
      answers.tlsCert === undefined ? undefined : paths.tlsPem.replaceAll('%', '%%'),
      explicit('tlsCert'),
    ),
    asTemplate('uwsgi', 'master'),
    asTemplate('uwsgi', 'paste-logger'),
    address('uwsgi', 'http', explicit('host', 'port')),
    asTemplate('uwsgi', 'processes'),
    asTemplate('uwsgi', 'enable-threads'),
    asTemplate('uwsgi', 'buffer-size'),
    iniKey('uwsgi', 'logto', paths.serverLog, false),
  ]
}

/** An app_config that leads elsewhere makes app.yml useless, so it is told like something that was asked for. */
function wantedAppConfig(current: string | undefined, { etc, appYml }: NodePaths): IniKey[] {
  const named = current === undefined ? undefined : readIniOrNothing(current, 'app:main', 'app_config')
  if (named === undefined || resolve(etc, named.replaceAll('%(here)s', etc)) === appYml) return []
  return [iniKey('app:main', 'app_config', '%(here)s/app.yml', true)]
}

function readIniOrNothing(text: string, section: string, option: string): string | undefined {
  try {
    return readIniValue(text, section, option)
  } catch (error) {
    // What is wrong with the file is told when it is edited.
    if (isEditRefused(error)) return undefined
    throw error
  }
}
