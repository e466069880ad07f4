import { refuseEdit } from '../../lib/edit/refuse.js'

/** Where in a file the job configuration stands, and what its parts are called there. */
export interface Dialect {
  readonly runners: readonly string[]
  readonly destinations: readonly string[]
  readonly tools: readonly string[]
  readonly default: readonly string[]
  /** The key of a tool that names its destination. */
  readonly toolDestination: 'environment' | 'destination'
  /** Runners and destinations are lists with ids, and parameters stand below `params`. */
  readonly isAnsible: boolean
}

type Mapping = Readonly<Record<string, unknown>>

export function isMapping(value: unknown): value is Mapping {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** Of all keys of a job_conf.yml (lib/galaxy/config/sample/job_conf.sample.yml). */
const KEYS = ['runners', 'handling', 'execution', 'tools', 'limits', 'resources', 'dynamic']
const HINT = 'name the job_conf.yml, or the galaxy.yml with job_config in it, with --job-conf'

/**
 * What kind of file this is: a job_conf.yml, the same in the `job_config` of a galaxy.yml or the `galaxy_job_config` of a playbook, or the
 * `galaxy_jobconf` from which playbooks make one.
 * @throws MagnetarError EDIT_REFUSED when it is none of these
 */
export function dialectOf(root: unknown, file: string | undefined): Dialect {
  if (root === null || root === undefined) return standard([])
  if (!isMapping(root)) throw refuseEdit({ file }, 'the file does not consist of lines "key: value"', HINT)
  if (isMapping(root.galaxy_jobconf)) return ANSIBLE
  if (isMapping(root.galaxy_job_config)) return standard(['galaxy_job_config'])
  if (KEYS.some((key) => key in root) || Object.keys(root).length === 0) return standard([])
  if (isMapping(root.galaxy)) return inGalaxyYml(root.galaxy, file)
  throw refuseEdit({ file }, 'this is no job configuration: neither runners nor execution is in it', HINT)
}

function inGalaxyYml(
  { job_config: inline, job_config_file: named }: Mapping,
  file: string | undefined,
): Dialect {
  if (isMapping(inline)) return standard(['galaxy', 'job_config'])
  const other = [inline, named].find((each) => typeof each === 'string')
  if (other !== undefined)
    throw refuseEdit(
      { file },
      'the job configuration is in another file, which job_config_file names',
      `give that one: --job-conf ${String(other)}`,
    )
  throw refuseEdit(
    { file },
    'this galaxy.yml has no job_config in it, so Galaxy reads a file of its own',
    'give that one, config/job_conf.yml or config/job_conf.xml, with --job-conf',
  )
}

function standard(root: readonly string[]): Dialect {
  return {
    runners: [...root, 'runners'],
    destinations: [...root, 'execution', 'environments'],
    tools: [...root, 'tools'],
    default: [...root, 'execution', 'default'],
    toolDestination: 'environment',
    isAnsible: false,
  }
}

const ANSIBLE: Dialect = {
  runners: ['galaxy_jobconf', 'plugins'],
  destinations: ['galaxy_jobconf', 'destinations'],
  tools: ['galaxy_jobconf', 'tools'],
  default: ['galaxy_jobconf', 'default_destination'],
  toolDestination: 'destination',
  isAnsible: true,
}
