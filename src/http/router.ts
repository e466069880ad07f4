import { MagnetarError } from '../lib/errors.js'
import { decodeText } from './query.js'
import type { Route } from './types.js'

export interface Match {
  readonly route: Route
  /** From `/managers/{name}/…`; undefined for a path without that prefix. */
  readonly managerName: string | undefined
  readonly jobId: string
}

export interface Target {
  /** Percent-decoded; undefined when that is not UTF-8. */
  readonly path: string | undefined
  readonly rawQuery: string
}

/** Splits a request target; also the absolute form that proxies send. */
export function splitTarget(target: string): Target {
  const mark = target.indexOf('?')
  let path = mark < 0 ? target : target.slice(0, mark)
  if (!path.startsWith('/')) path = path.replace(/^https?:\/\/[^/]*/i, '')
  return { path: decodeText(path, false), rawQuery: mark < 0 ? '' : target.slice(mark + 1) }
}

/** Compiles routes into a function that finds the one for a method and decoded path, undefined when there is none. */
export function createRouter(routes: readonly Route[]): (method: string, path: string) => Match | undefined {
  const compiled = routes.map((route) => ({ route, segments: route.path.split('/').slice(1) }))
  return (method, path) => {
    const all = path.split('/')
    if (all.shift() !== '') return undefined
    // A `{var}` of the real server's routes is one or more characters other than "/": an empty segment (trailing or doubled
    // slash) matches nothing. pulsar/web/framework.py: __add_route
    const named = all[0] === 'managers' && all.length > 2 && all[1] !== ''
    const segments = named ? all.slice(2) : all
    for (const { route, segments: wanted } of compiled) {
      if (route.method !== method && route.method !== '*') continue
      if (wanted.length !== segments.length) continue
      const jobId = matchSegments(wanted, segments)
      if (jobId !== undefined) return { route, managerName: named ? all[1] : undefined, jobId }
    }
    return undefined
  }
}

/** The job id; "" when the route has none; undefined when the segments do not match. */
function matchSegments(wanted: readonly string[], segments: readonly string[]): string | undefined {
  let jobId = ''
  for (const [i, want] of wanted.entries()) {
    const segment = segments[i] ?? ''
    if (want === '{job_id}' && segment !== '') jobId = segment
    else if (want !== segment) return undefined
  }
  return jobId
}

/** The error for a request that has no route. */
export function routeUnknown(method: string, path: string): MagnetarError {
  const shown = path.length > 200 ? `${path.slice(0, 200)}…` : path
  return new MagnetarError('ROUTE_UNKNOWN', `there is no route ${method} ${shown}`)
}
