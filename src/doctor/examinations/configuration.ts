import { lstat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { ConfigError, formatPlace } from '../../config/problems.js'
import { quoteForShell } from '../../lib/shell.js'
import { nodePaths } from '../../setup/paths.js'
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
    return [...ofConfig(facts), ...(await ofRecord(facts))]
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

async function ofRecord({ manifestError, account, configDirectory }: DoctorFacts): Promise<Finding<Id>[]> {
  if (manifestError === undefined || manifestError.code === 'NOT_PERMITTED') return []
  const { message, fix } = manifestError
  if (account.isRoot && (await isOfOneUser(configDirectory)))
    return [
      {
        id: 'setup-record',
        state: 'left-out',
        message: `the node was set up without root; what its user noted of it (${manifestOf(configDirectory)}) root does not go by`,
      },
    ]
  return [{ id: 'setup-record', state: 'warn', message, fix: { text: fix ?? 'Restore it from a backup.' } }]
}

/** Where configuration and record have one owner, not root, nobody replaced what root wrote. */
async function isOfOneUser(configDirectory: string): Promise<boolean> {
  const [config, record] = await Promise.all(
    [join(configDirectory, 'app.yml'), manifestOf(configDirectory)].map((path) =>
      lstat(path).catch(() => undefined),
    ),
  )
  return record?.isFile() === true && record.uid !== 0 && config?.uid === record.uid
}

function manifestOf(configDirectory: string): string {
  return nodePaths(dirname(configDirectory), undefined).manifest
}

function capitalize(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}`
}
