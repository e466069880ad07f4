import type { SubmitRequest } from '../jobs/types.js'
import { MagnetarError } from '../lib/errors.js'
import type { Query } from './query.js'

type JsonObject = Record<string, unknown>

/**
 * Decodes the parameters of a submit. `submit_extras` goes over all of them, last, and may bring keys that are no parameters
 * (touch_outputs, token_endpoint, setup), as in pulsar/web/routes.py: submit. A `null` means the default.
 * @throws MagnetarError BAD_REQUEST naming the parameter
 */
export function readSubmit(query: Query): SubmitRequest {
  const config: JsonObject = {
    command_line: query.get('command_line'),
    submit_params: readJson(query, 'params'),
    dependencies_description: readJson(query, 'dependencies_description'),
    setup_params: readJson(query, 'setup_params'),
    remote_staging: readJson(query, 'remote_staging'),
    env: readJson(query, 'env'),
    dynamic_file_sources: readJson(query, 'dynamic_file_sources'),
    cvmfsexec: readJson(query, 'cvmfsexec'),
    ...asObject(readJson(query, 'submit_extras'), 'submit_extras'),
  }
  const setup = Boolean(config.setup)
  return {
    command_line: asCommandLine(config.command_line),
    submit_params: asObject(config.submit_params, 'params'),
    dependencies_description: config.dependencies_description ?? null,
    setup_params: withCvmfsexec(asObject(config.setup_params, 'setup_params'), setup, config.cvmfsexec),
    remote_staging: asObject(config.remote_staging, 'remote_staging'),
    env: asList(config.env, 'env', isObject, 'objects'),
    dynamic_file_sources: isMissing(config.dynamic_file_sources)
      ? null
      : asList(config.dynamic_file_sources, 'dynamic_file_sources', isObject, 'objects'),
    // The route has no parameter of that name: the HTTP client's is ignored by the real server, only extras count.
    token_endpoint: asText(config.token_endpoint, 'token_endpoint'),
    setup,
    touch_outputs: asList(config.touch_outputs, 'touch_outputs', isString, 'strings'),
  }
}

/** Non-empty setup_params ask for a setup, so the value alone must not make them so. */
function withCvmfsexec(params: JsonObject, setup: boolean, cvmfsexec: unknown): JsonObject {
  if (isMissing(cvmfsexec) || (!setup && Object.keys(params).length === 0)) return params
  return { ...params, cvmfsexec }
}

function readJson(query: Query, name: string): unknown {
  const text = query.get(name)
  if (text === undefined) return undefined
  try {
    const value: unknown = JSON.parse(text)
    return value
  } catch (error) {
    // V8's message quotes the text, in which there may be secrets.
    throw new MagnetarError('BAD_REQUEST', `parameter ${name} is not valid JSON`, { cause: error })
  }
}

function asCommandLine(value: unknown): string {
  if (isMissing(value)) throw new MagnetarError('BAD_REQUEST', 'parameter command_line is missing')
  if (!isString(value)) throw wrongType('command_line', 'a string')
  return value
}

function asText(value: unknown, name: string): string | null {
  if (isMissing(value)) return null
  if (!isString(value)) throw wrongType(name, 'a string')
  return value
}

function asObject(value: unknown, name: string): JsonObject {
  if (isMissing(value)) return {}
  if (!isObject(value)) throw wrongType(name, 'a JSON object')
  return value
}

function asList<T>(
  value: unknown,
  name: string,
  is: (item: unknown) => item is T,
  items: string,
): readonly T[] {
  if (isMissing(value)) return []
  if (!Array.isArray(value) || !value.every(is)) throw wrongType(name, `a JSON list of ${items}`)
  return value
}

function wrongType(name: string, wanted: string): MagnetarError {
  return new MagnetarError('BAD_REQUEST', `parameter ${name} must be ${wanted}`)
}

function isMissing(value: unknown): boolean {
  return value === undefined || value === null
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function isString(value: unknown): value is string {
  return typeof value === 'string'
}
