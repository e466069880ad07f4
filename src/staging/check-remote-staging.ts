import { MagnetarError } from '../lib/errors.js'
import { type ActionMapper, DEFAULT_PATH_TYPES, isKnownAction, needsEndpoint } from './action-mapper.js'
import { findAction } from './actions/index.js'
import { DEFAULT_DYNAMIC_OUTPUTS } from './collectors.js'
import { compilePythonRegex } from './python-regex.js'
import { PythonRegexError } from './regex/error.js'
import { type ClientOutputs, parseRemoteStaging, type RemoteStaging } from './remote-staging.js'
import type { SetupEntry } from './setup-action.js'
import { isMissing } from './wire-values.js'

const OUTPUT_TYPES = DEFAULT_PATH_TYPES.filter((type) => type.startsWith('output'))

/** Compiling one takes some 0.1 ms of the thread that answers everybody; what is behind these fails when it is used. */
const MAX_PATTERNS = 50

/**
 * Refuses a `remote_staging` that is no such thing: a list where an object must be would be passed over, and the job run without its inputs.
 * Missing and null are fine everywhere.
 * @throws MagnetarError BAD_REQUEST
 */
export function checkStagingShape(value: unknown): void {
  if (isMissing(value)) return
  if (!isObject(value)) throw refused('it must be a JSON object')
  const { setup, action_mapper: mapper, client_outputs: outputs } = value as Readonly<Record<string, unknown>>
  if (!isMissing(setup) && !Array.isArray(setup)) throw refused('setup must be a JSON list')
  if (!isMissing(mapper)) {
    if (!isObject(mapper)) throw refused('action_mapper must be a JSON object')
    const { paths } = mapper as { readonly paths?: unknown }
    if (!isMissing(paths) && !(Array.isArray(paths) && paths.every(isObject)))
      throw refused('action_mapper.paths must be a JSON list of objects')
  }
  if (!isMissing(outputs) && !isObject(outputs)) throw refused('client_outputs must be a JSON object')
}

/**
 * Refuses what is bound to fail once the job has run, perhaps for days. Nothing is matched here: a pattern can take for ever.
 * @param delivers this node delivers outputs of the job
 * @returns what is to be fetched, the names of which are for the caller to check
 * @throws MagnetarError BAD_REQUEST
 */
export function checkRemoteStaging(value: unknown, delivers: boolean): readonly SetupEntry[] {
  const staging = parseRemoteStaging(value)
  for (const { name, type, action } of staging.setup) {
    const what = `${type} ${JSON.stringify(name.slice(0, 200))} in setup`
    if (!findsWay(action.action_type))
      throw refused(
        `${what} has the action ${quoteShort(action.action_type)}, by which this node cannot fetch`,
      )
  }
  if (delivers && staging.mapper) checkDelivery(staging.mapper, staging)
  return staging.setup
}

function findsWay(type: string): boolean {
  try {
    return findAction(type).stageIn !== undefined
  } catch {
    return false
  }
}

function checkDelivery(mapper: ActionMapper, { clientOutputs }: RemoteStaging): void {
  const rules = mapper.paths.filter(({ pathTypes }) => OUTPUT_TYPES.some((type) => pathTypes.includes(type)))
  const actions = [...rules.map(({ action }) => action), mapper.defaultAction]
  const unknown = actions.find((action) => !isKnownAction(action))
  if (unknown !== undefined) throw refused(`action_mapper names an unknown action, ${quoteShort(unknown)}`)
  const { outputFiles, workDirOutputs, workingDirectory } = clientOutputs
  // Whichever rule an output comes under, it needs the address.
  if (actions.every(needsEndpoint) && outputFiles.length > 0 && !isHttp(mapper.filesEndpoint))
    throw refused(
      `${mapper.defaultAction} needs an http or https address in action_mapper.files_endpoint; set galaxy_url of the Pulsar plugin in Galaxy's job_conf`,
    )
  if (workDirOutputs.length > 0 && workingDirectory === undefined)
    throw refused('client_outputs has work_dir_outputs but no working_directory to find them in')
  const regexes = rules.flatMap(({ rule }) => (rule?.matchType === 'regex' ? [rule.path] : []))
  checkPatterns([...regexes, ...patternsOf(clientOutputs)])
}

function patternsOf({ dynamicOutputs, collectors }: ClientOutputs): string[] {
  return [...dynamicOutputs, ...collectors.map(({ pattern }) => pattern)]
}

function checkPatterns(patterns: readonly string[]): void {
  const own = patterns.filter((pattern) => !DEFAULT_DYNAMIC_OUTPUTS.includes(pattern))
  for (const pattern of own.slice(0, MAX_PATTERNS)) {
    try {
      compilePythonRegex(pattern)
    } catch (error) {
      if (!(error instanceof PythonRegexError)) throw error
      throw refused(`the pattern ${quoteShort(pattern)} cannot be used: ${error.message}`)
    }
  }
}

function isHttp(address: string | undefined): boolean {
  return address !== undefined && URL.canParse(address) && /^https?:$/.test(new URL(address).protocol)
}

function isObject(value: unknown): boolean {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function quoteShort(text: string): string {
  return JSON.stringify(text.length > 100 ? `${text.slice(0, 100)}…` : text)
}

function refused(why: string): MagnetarError {
  return new MagnetarError('BAD_REQUEST', `remote_staging cannot be used: ${why}`)
}
