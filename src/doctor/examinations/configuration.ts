import { ConfigError, formatPlace } from '../../config/problems.js'
import { quoteForShell } from '../../lib/shell.js'
import { defineExamination } from '../define-examination.js'
import type { DoctorFacts, Finding } from '../types.js'

type Id = 'configuration' | 'config-invalid' | 'config-warning' | 'setup-record'

/** app.yml, server.ini and what they name. */
export const configuration = defineExamination({
  id: 'configuration',
  title: 'configuration',
  group: 'Node',
  findings: {
    'config-invalid': {
      state: 'fail',
      meaning: 'the server would not start with this configuration, or it cannot be read',
      fix: 'correct the line that is named; `magnetar config validate` says when it is right',
    },
    'config-warning': {
      state: 'warn',
      meaning: 'something in the configuration has no effect or another than meant',
      fix: 'correct or remove what is named',
    },
    'setup-record': {
      state: 'warn',
      meaning: 'what setup noted about the node (lib/setup.json) is damaged',
      fix: 'restore it, or move it away as the message says',
    },
  },
  async examine(facts) {
    return [...ofConfig(facts), ...ofRecord(facts)]
  },
})

function ofConfig({ config, configError, configDirectory }: DoctorFacts): Finding<Id>[] {
  const validate = `magnetar config validate --config ${quoteForShell(configDirectory)}`
  if (configError instanceof ConfigError)
    return configError.issues.map(({ key, message, fix, ...place }) => ({
      id: 'config-invalid',
      state: 'fail',
      message: `${formatPlace(place)}: ${key === '' ? '' : `${key}: `}${message}`,
      fix: { text: `${fix === undefined ? 'Correct it' : capitalize(fix)}; then:`, command: validate },
    }))
  if (configError)
    return [
      {
        id: 'config-invalid',
        state: 'fail',
        message: configError.message,
        fix: { text: configError.fix ?? 'Make it readable; then:', command: validate },
      },
    ]
  if (!config) return []
  if (config.warnings.length === 0)
    return [{ id: 'configuration', state: 'ok', message: `${configDirectory} is valid` }]
  return config.warnings.map((message) => ({
    id: 'config-warning',
    state: 'warn',
    message,
    fix: { text: 'Correct or remove it; then:', command: validate },
  }))
}

function ofRecord({ manifestError }: DoctorFacts): Finding<Id>[] {
  if (manifestError === undefined || manifestError.code === 'NOT_PERMITTED') return []
  const { message, fix } = manifestError
  return [{ id: 'setup-record', state: 'warn', message, fix: { text: fix ?? 'Restore it from a backup.' } }]
}

function capitalize(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}`
}
