import { join } from 'node:path'
import { readIniValue } from '../../config/edit/ini.js'
import { defineStep } from '../define-step.js'
import { currentText, type InspectedFile, inspectConfigFile, planConfigFile } from '../files/config-file.js'
import { type MergedText, mergeText } from '../files/config-text.js'
import { type IniKey, iniDialect, iniKey } from '../files/ini-keys.js'
import { prefixEnvironment, pulsarCommand, renderSupervisorConf } from '../files/render/supervisor-conf.js'
import type { SetupContext } from '../types.js'

const STEP = 'supervisor-conf'

/** etc/supervisor.conf: the program section that Supervisor gets a copy of. */
export const supervisorConfStep = defineStep<InspectedFile>({
  id: STEP,
  title: 'program section for Supervisor',
  inspect: (context) => inspectConfigFile(context.paths.supervisorConf, context),
  plan(context, file) {
    // One that was written for Supervisor before harms nobody.
    if (context.answers.service !== 'supervisor') return {}
    return planConfigFile(context, file, {
      step: STEP,
      path: context.paths.supervisorConf,
      what: 'the program section for Supervisor',
      secret: false,
      ...wantedSupervisorConf(context, currentText(file)),
    })
  },
})

type SupervisorContext = Pick<SetupContext, 'answers' | 'paths' | 'manifest' | 'force'>

/**
 * The text that etc/supervisor.conf is to have, given the one it has; what an admin changed or added in it stays. Pure.
 * @throws MagnetarError ANSWER_INVALID for a prefix that no program section can hold
 */
export function wantedSupervisorConf(
  { answers, paths, manifest, force }: SupervisorContext,
  currentText: string | undefined,
): MergedText {
  const program = paths.serviceName
  const fresh = renderSupervisorConf({
    program,
    user: answers.user,
    directory: paths.etc,
    command: pulsarCommand({ launcher: join(paths.bin, 'pulsar'), mode: 'uwsgi', directory: paths.etc }),
    environment: prefixEnvironment(paths.prefix),
    // Without it a stop by TERM; the exercise's admin writes it.
    stopsignal: 'INT',
  })
  const section = `program:${program}`
  const options = [
    'user',
    'directory',
    'command',
    'redirect_stderr',
    'autorestart',
    'environment',
    'stopsignal',
  ]
  return mergeText<IniKey>({
    path: paths.supervisorConf,
    current: currentText,
    fresh,
    wanted: options.map((option) => iniKey(section, option, readIniValue(fresh, section, option), false)),
    dialect: iniDialect,
    written: manifest?.files[paths.supervisorConf],
    force,
  })
}
