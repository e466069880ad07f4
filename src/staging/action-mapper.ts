import { messageOf } from '../lib/errors.js'
import type { ActionSpec } from './action.js'
import { jobFileUrl } from './file-url.js'
import { compileFnmatch } from './fnmatch.js'
import { absolutePath } from './posix-path.js'
import { compilePythonRegex, type PythonRegex } from './python-regex.js'
import { TransferError } from './transfer-error.js'

/** Path types that `*defaults*` stands for, and that the default action is for (pulsar/client/action_mapper.py). */
export const DEFAULT_PATH_TYPES: readonly string[] = [
  'input',
  'config',
  'tool',
  'workdir',
  'jobdir',
  'metadata',
  'output',
  'output_workdir',
  'output_metadata',
  'output_jobdir',
]
export const ALL_PATH_TYPES: readonly string[] = [...DEFAULT_PATH_TYPES, 'unstructured', 'container']

/** Directories that are not where Galaxy has them: their files travel even when a path is said to be shared. */
const MOVED_PATH_TYPES: ReadonlySet<string> = new Set([
  'workdir',
  'jobdir',
  'metadata',
  'output_workdir',
  'output_metadata',
  'output_jobdir',
])

const UNMOVED_ACTIONS: readonly string[] = ['none', 'rewrite', 'transfer', 'copy']
const URL_ACTIONS: readonly string[] = ['remote_transfer', 'remote_transfer_tus']
const SSH_ACTIONS: readonly string[] = ['remote_rsync_transfer', 'remote_scp_transfer']
const KNOWN_ACTIONS: ReadonlySet<string> = new Set([
  ...UNMOVED_ACTIONS,
  ...URL_ACTIONS,
  ...SSH_ACTIONS,
  'remote_copy',
  'remote_object_store_copy',
])

/** Stands for "as in the action mapper". */
const UNSET = '__UNSET__'

export interface SshProperties {
  readonly ssh_key?: string
  readonly ssh_user?: string
  readonly ssh_host?: string
  readonly ssh_port?: string | number
}

/** One entry of the action mapper's `paths`. */
export interface PathMapper {
  readonly action: string
  readonly pathTypes: readonly string[]
  /** undefined: every path of these types. */
  readonly rule: PathRule | undefined
  /** Its own values for rsync and scp, null included; what it does not have is as in the action mapper. */
  readonly ssh: Readonly<Record<string, string | number | null>>
}

export interface PathRule {
  readonly matchType: 'prefix' | 'glob' | 'regex'
  readonly path: string
}

/** Which action a path gets: `remote_staging.action_mapper`. */
export interface ActionMapper {
  readonly defaultAction: string
  readonly filesEndpoint: string | undefined
  readonly ssh: SshProperties
  readonly paths: readonly PathMapper[]
}

/** Whether files with this action are this node's to move, as far as is known of it; not the client's, nor nobody's. */
export function movesByNode(actionType: string): boolean {
  return !UNMOVED_ACTIONS.includes(actionType)
}

/** Whether an action mapper may name it. */
export function isKnownAction(actionType: string): boolean {
  return KNOWN_ACTIONS.has(actionType)
}

/** Whether outputs travel by it to the action mapper's files_endpoint. */
export function needsEndpoint(actionType: string): boolean {
  return URL_ACTIONS.includes(actionType)
}

/**
 * The action for a Galaxy-side path, complete with its address or key (pulsar/client/action_mapper.py: FileActionMapper.action).
 * @throws TransferError when the action is unknown or lacks something, or a pattern cannot be used
 */
export function chooseAction(mapper: ActionMapper, path: string, type: string): ActionSpec {
  const absolute = absolutePath(path)
  const chosen = mapper.paths.find(
    (each) => each.pathTypes.includes(type) && matchesRule(each.rule, absolute),
  )
  const wanted = chosen?.action ?? (DEFAULT_PATH_TYPES.includes(type) ? mapper.defaultAction : 'none')
  const action = wanted === 'none' && MOVED_PATH_TYPES.has(type) ? 'copy' : wanted
  if (!KNOWN_ACTIONS.has(action)) throw permanent(`the action mapper names an unknown action, "${action}"`)
  if (URL_ACTIONS.includes(action))
    return { action_type: action, path, url: fileUrl(mapper, path, type, action) }
  if (SSH_ACTIONS.includes(action))
    return { action_type: action, path, ...sshProperties(mapper, chosen, action) }
  return { action_type: action, path }
}

const matchers = new WeakMap<PathRule, (path: string) => boolean>()

function matchesRule(rule: PathRule | undefined, path: string): boolean {
  if (!rule) return true
  let matches = matchers.get(rule)
  if (!matches) {
    matches = makeMatcher(rule)
    matchers.set(rule, matches)
  }
  return matches(path)
}

function makeMatcher(rule: PathRule): (path: string) => boolean {
  if (rule.matchType === 'glob') return compileFnmatch(rule.path)
  if (rule.matchType === 'regex') {
    const regex = compileRule(rule.path)
    return (path) => regex.match(path)
  }
  // A prefix of the text: "/data" is also one of "/database".
  const prefix = absolutePath(rule.path)
  return (path) => path.startsWith(prefix)
}

function compileRule(pattern: string): PythonRegex {
  try {
    return compilePythonRegex(pattern)
  } catch (error) {
    throw permanent(
      `the action mapper's pattern ${JSON.stringify(pattern)} cannot be used: ${messageOf(error)}`,
    )
  }
}

function fileUrl(mapper: ActionMapper, path: string, type: string, action: string): string {
  if (mapper.filesEndpoint) return jobFileUrl(mapper.filesEndpoint, path, type)
  throw permanent(
    `${action} needs a files_endpoint, and the action mapper has none; set galaxy_url of the Pulsar plugin in Galaxy's job_conf`,
  )
}

function sshProperties(mapper: ActionMapper, chosen: PathMapper | undefined, action: string): SshProperties {
  const own = chosen?.ssh ?? {}
  const pick = (name: keyof SshProperties): string | number | null | undefined => {
    const value = own[name] === undefined ? UNSET : own[name]
    return value === UNSET ? mapper.ssh[name] : value
  }
  const require = (name: keyof SshProperties): string => {
    const value = pick(name)
    if (value === undefined || value === null || value === '') {
      throw permanent(`${action} needs ${name}, which neither the action mapper nor the path has`)
    }
    return String(value)
  }
  const port = pick('ssh_port')
  return {
    ssh_key: require('ssh_key'),
    ssh_user: require('ssh_user'),
    ssh_host: require('ssh_host'),
    ...(port === undefined || port === null ? {} : { ssh_port: port }),
  }
}

function permanent(message: string): TransferError {
  return new TransferError(message, { transient: false })
}
