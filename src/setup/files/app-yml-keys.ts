import { editYaml, readYamlValue } from '../../config/edit/yaml.js'
import type { YamlValue } from '../../lib/edit/quote-yaml.js'
import { type AnswerKey, isExplicit, type SetupContext } from '../types.js'
import type { Dialect } from './config-text.js'
import type { FoundValue, KeyValue, WantedKey } from './managed-file.js'

/** A key of app.yml, with where it stands. */
export interface AppKey extends WantedKey {
  readonly path: readonly string[]
}

type AppContext = Pick<SetupContext, 'answers' | 'sources' | 'paths' | 'token'>

/** What app.yml is to say of everything but how jobs run; in two parts, since the manager stands between them. */
export function wantedNodeKeys(context: AppContext): { first: AppKey[]; last: AppKey[] } {
  const { answers, sources, paths, token } = context
  const resolves = answers.dependencies !== 'none'
  const aboutDependencies = isExplicit(sources.dependencies)
  const first: AppKey[] = [
    { ...key(['private_token'], token, isExplicit(sources.token)), secret: true },
    // Of resolvers that do not say it themselves (pulsar/core.py __setup_dependency_manager).
    key(['conda_auto_init'], false, false),
    key(['conda_auto_install'], false, false),
  ]
  const last = [
    key(['staging_directory'], paths.jobs, false),
    key(['persistence_directory'], paths.active, false),
    // `none` switches resolution off (galaxy.tool_util.deps build_dependency_manager).
    key(['tool_dependency_dir'], resolves ? paths.deps : 'none', aboutDependencies),
    key(['dependency_resolvers_config_file'], resolves ? paths.resolvers : undefined, aboutDependencies),
  ]
  return { first, last }
}

/** The manager, in words that the Python Pulsar has too. */
export function wantedManagerKeys({ answers, sources }: Pick<AppContext, 'answers' | 'sources'>): AppKey[] {
  const { manager, partition, nativeSpecification, concurrentJobs } = answers
  const isSlurm = manager === 'slurm'
  const type = { slurm: 'queued_cli', local: 'queued_python', drmaa: 'queued_drmaa' }[manager]
  const row = (name: string, value: KeyValue | undefined, answer: AnswerKey): AppKey =>
    key(['manager', name], value, isExplicit(sources[answer]))
  return [
    row('type', type, 'manager'),
    row('job_plugin', isSlurm ? 'Slurm' : undefined, 'manager'),
    row('job_partition', isSlurm ? partition : undefined, 'partition'),
    row('native_specification', manager === 'local' ? undefined : nativeSpecification, 'nativeSpecification'),
    row('num_concurrent_jobs', manager === 'local' ? concurrentJobs : undefined, 'concurrentJobs'),
  ]
}

/** The same, of a file that calls it `type: slurm`: our own short word for queued_cli with job_plugin: Slurm. */
export function inShortWords(rows: readonly AppKey[]): AppKey[] {
  return rows
    .filter(({ path }) => path[1] !== 'job_plugin')
    .map((row) => (row.path[1] === 'type' && row.value === 'queued_cli' ? { ...row, value: 'slurm' } : row))
}

function key(path: readonly string[], value: KeyValue | undefined, explicit: boolean): AppKey {
  return { key: path.join('.'), path, value, explicit }
}

/** @param token what the file has for one, as the server reads it: YAML makes numbers of some */
export function appYmlDialect(token: string | undefined): Dialect<AppKey> {
  return {
    read: (text, { path }) => (path[0] === 'private_token' ? found(token) : found(readYamlValue(text, path))),
    edit: (text, edits) => editYaml(text, edits),
  }
}

function found(value: YamlValue | undefined): FoundValue {
  if (value === undefined) return undefined
  return typeof value === 'object' && value !== null ? 'other' : { value }
}
