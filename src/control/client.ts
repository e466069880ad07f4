import http from 'node:http'
import { dirname } from 'node:path'
import type { Expired } from '../jobs/expire.js'
import { ERRORS, type ErrorCode } from '../lib/error-table.js'
import { errnoOf, MagnetarError, messageOf } from '../lib/errors.js'
import { notPermitted } from '../lib/not-permitted.js'
import { type ControlPlace, shortName } from './socket-path.js'
import type {
  AuditFilter,
  AuditReport,
  JobDetails,
  JobFilter,
  JobList,
  JobSummary,
  NodeStatus,
  ServerSigns,
} from './types.js'

/** Asking Slurm may take some of it. */
const TIMEOUT_MS = 30_000
const SIGNS_MS = 2000
const MAX_ANSWER_BYTES = 64 * 1024 * 1024

/** What the admins' commands ask of a running server. Failures are its MagnetarErrors. */
export interface ControlClient {
  readonly signs: ServerSigns
  status(): Promise<NodeStatus>
  jobs(filter: JobFilter): Promise<JobList>
  job(id: string, manager?: string): Promise<JobDetails>
  audit(filter: AuditFilter): Promise<AuditReport>
  act(action: JobAction, id: string, manager?: string): Promise<void>
  /** With `plan`: the jobs that expire. Without: removes them. */
  expire(olderThanMs: number, plan: boolean): Promise<ExpireAnswer>
  /** Has the server read its private tokens again; resolves with how many it takes now. */
  reloadTokens(): Promise<{ tokens: number }>
}

export interface ExpireAnswer {
  readonly jobs: readonly JobSummary[]
  readonly removed: number
  /** Not removed, and why. */
  readonly kept: Expired['kept']
}

export type JobAction = 'cancel' | 'clean' | 'retry-stage-out'

/**
 * The way to a running server; undefined when none listens.
 * @throws MagnetarError NOT_PERMITTED when there is one and this user may not talk to it
 */
export async function connectControl(
  place: ControlPlace,
  signal: AbortSignal,
): Promise<ControlClient | undefined> {
  const call = <T>(method: string, target: string): Promise<T> => request<T>(place, method, target, signal)
  let signs: ServerSigns
  try {
    signs = await call('GET', '/ping')
  } catch (error) {
    const errno = errnoOf(error)
    if (errno === 'ENOENT' || errno === 'ECONNREFUSED' || errno === 'ENOTDIR') return undefined
    if (errno === 'EACCES' || errno === 'EPERM')
      throw await notPermitted(
        `only the user of the node and root may use ${place.socket}`,
        dirname(place.directory),
        { cause: error },
      )
    throw error
  }
  const query = (values: Readonly<Record<string, string | number | undefined>>): string =>
    new URLSearchParams(
      Object.entries(values).flatMap(([name, value]): [string, string][] =>
        value === undefined ? [] : [[name, `${value}`]],
      ),
    ).toString()
  return {
    signs,
    status: () => call('GET', '/status'),
    jobs: ({ states, manager, ended }) =>
      call('GET', `/jobs?${query({ states: states?.join(','), manager, ended })}`),
    job: (id, manager) => call('GET', `/jobs/${encodeURIComponent(id)}?${query({ manager })}`),
    audit: ({ job, sinceMs }) => call('GET', `/audit?${query({ job, since_ms: sinceMs })}`),
    act: (action, id, manager) =>
      call('POST', `/jobs/${encodeURIComponent(id)}/${action}?${query({ manager })}`),
    expire: (olderThanMs, plan) =>
      call('POST', `/expire?${query({ older_than_ms: olderThanMs, plan: String(plan) })}`),
    reloadTokens: () => call('POST', '/reload-tokens'),
  }
}

/** What the server of this pid says of itself; undefined: it says nothing, whyever. @throws the signal's reason */
export async function askSigns(
  place: ControlPlace,
  pid: number,
  signal: AbortSignal,
): Promise<ServerSigns | undefined> {
  try {
    const client = await connectControl(place, AbortSignal.any([signal, AbortSignal.timeout(SIGNS_MS)]))
    return client?.signs.pid === pid ? client.signs : undefined
  } catch {
    signal.throwIfAborted()
    return undefined
  }
}

/** The error of a command that needs the server; `start` is what starts it. */
export function notRunning(start?: string): MagnetarError {
  return new MagnetarError(
    'NODE_NOT_RUNNING',
    'the server is not running, and only it can do this',
    start === undefined ? {} : { fix: `Start it: ${start}` },
  )
}

/** @throws MagnetarError, or the system error when nobody can be reached */
async function request<T>(
  place: ControlPlace,
  method: string,
  target: string,
  signal: AbortSignal,
): Promise<T> {
  const { name, release } = await shortName(place)
  try {
    const { status, text } = await exchange(name, method, target, signal)
    if (status === 200) return JSON.parse(text) as T
    throw errorIn(text)
  } finally {
    await release()
  }
}

function exchange(
  socketPath: string,
  method: string,
  target: string,
  signal: AbortSignal,
): Promise<{ status: number; text: string }> {
  const until = AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)])
  return new Promise((resolve, reject) => {
    const fail = (error: unknown): void => {
      if (signal.aborted) reject(signal.reason)
      else if (until.aborted)
        reject(
          new MagnetarError('NODE_NOT_RUNNING', `the server did not answer within ${TIMEOUT_MS / 1000} s`, {
            fix: 'Look at its log: magnetar logs',
          }),
        )
      else reject(error)
    }
    const sent = http.request({ socketPath, method, path: target, signal: until, agent: false }, (answer) => {
      const chunks: Buffer[] = []
      let bytes = 0
      answer.on('error', fail)
      answer.on('data', (chunk: Buffer) => {
        bytes += chunk.length
        if (bytes > MAX_ANSWER_BYTES) sent.destroy(new Error('the answer of the server is too long'))
        else chunks.push(chunk)
      })
      answer.on('end', () =>
        resolve({ status: answer.statusCode ?? 0, text: Buffer.concat(chunks).toString('utf8') }),
      )
    })
    sent.on('error', fail)
    sent.end()
  })
}

function errorIn(text: string): MagnetarError {
  try {
    const { code, message, fix } = JSON.parse(text) as Record<string, string | undefined>
    const known = code !== undefined && code in ERRORS ? (code as ErrorCode) : 'INTERNAL'
    return new MagnetarError(known, message ?? 'it failed', fix === undefined ? {} : { fix })
  } catch (error) {
    return new MagnetarError('INTERNAL', `the answer cannot be understood: ${messageOf(error)}`)
  }
}
