import { readYamlValue } from '../../config/edit/yaml.js'
import type { ManagerChoice } from '../types.js'

/** What stands before `manager` in an app.yml (pulsar/manager_factory.py build_managers), written by somebody who needs more than that. */
export interface OtherManagers {
  readonly key: 'managers' | 'job_managers_config'
  /** One of them runs jobs as it was answered. */
  readonly fits: boolean
}

const TYPES: Readonly<Record<ManagerChoice, readonly string[]>> = {
  slurm: ['slurm', 'queued_cli'],
  local: ['queued_python', 'unqueued'],
  drmaa: ['queued_drmaa'],
}

/** @throws MagnetarError EDIT_REFUSED when the text is no YAML */
export function findOtherManagers(appYml: string, wanted: ManagerChoice): OtherManagers | undefined {
  const legacy = readYamlValue(appYml, ['job_managers_config'])
  if (legacy !== undefined && legacy !== null) return { key: 'job_managers_config', fits: false }
  const managers = readYamlValue(appYml, ['managers'])
  if (managers === undefined || managers === null) return undefined
  const names = typeof managers === 'object' ? Object.keys(managers) : []
  const types = names.map((name) => readYamlValue(appYml, ['managers', name, 'type']) ?? 'queued_python')
  return { key: 'managers', fits: types.some((type) => TYPES[wanted].includes(String(type))) }
}
