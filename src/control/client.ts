import http from 'node:http'
import { dirname } from 'node:path'
import type { Expired } from '../jobs/expire.js'
import { ERRORS, type ErrorCode } from '../lib/error-table.js'
import { errnoOf, MagnetarError, messageOf } from '../lib/errors.js'
import { notPermitted } from '../lib/not-permitted.js'
import { limitTime } from '../lib/time-limit.js'
import { hasShape, SHAPES, type Shape } from './answer-shape.js'
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

/** A server that lives says so at once; every client asks for that first. */
const TAKE_UP_MS = 5000
/** Asking Slurm may take some of it, and reading a hundred thousand jobs. */
const READ_MS = 30_000
/** Ending the processes of a job, removing many directories, judging a long journal: that the server lives is known. */
const WORK_MS = 600_000
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
 * The way to a running server; undefined when none listens. The server has 5 s to show that it lives, then 30 s for what is read and
 * 10 min for what is done (act, expire, audit).
 * @throws MagnetarError NOT_PERMITTED when there is one and this user may not talk to it, NODE_SILENT when it does not answer in time, or
 * something else does; so do all calls
 */
export async function connectControl(
  place: ControlPlace,
  signal: AbortSignal,
  takeUpMs = TAKE_UP_MS,
): Promise<ControlClient | undefined> {
  const read = <T>(shape: Shape, target: string, limitMs = READ_MS): Promise<T> =>
    request<T>(place, { method: 'GET', target, shape, limitMs }, signal)
  const work = <T>(shape: Shape, target: string, limitMs = WORK_MS): Promise<T> =>
    request<T>(place, { method: 'POST', target, shape, limitMs }, signal)
  let signs: ServerSigns
  try {
    signs = await read(SHAPES.ping, '/ping', takeUpMs)
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
    status: () => read(SHAPES.status, '/status'),
    jobs: ({ states, manager, ended }) =>
      read(SHAPES.jobs, `/jobs?${query({ states: states?.join(','), manager, ended })}`),
    job: (id, manager) => read(SHAPES.job, `/jobs/${encodeURIComponent(id)}?${query({ manager })}`),
    audit: ({ job, sinceMs }) => read(SHAPES.audit, `/audit?${query({ job, since_ms: sinceMs })}`, WORK_MS),
    act: (action, id, manager) =>
      work(SHAPES.act, `/jobs/${encodeURIComponent(id)}/${action}?${query({ manager })}`),
    expire: (olderThanMs, plan) =>
      work(SHAPES.expire, `/expire?${query({ older_than_ms: olderThanMs, plan: String(plan) })}`),
    reloadTokens: () => work(SHAPES.reloadTokens, '/reload-tokens', READ_MS),
  }
}

/** What the server of this pid says of itself; undefined: it says nothing, whyever. @throws the signal's reason */
export async function askSigns(
  place: ControlPlace,
  pid: number,
  signal: AbortSignal,
): Promise<ServerSigns | undefined> {
  const limit = limitTime(signal, SIGNS_MS)
  try {
    const client = await connectControl(place, limit.signal)
    return client?.signs.pid === pid ? client.signs : undefined
  } catch {
    signal.throwIfAborted()
    return undefined
  } finally {
    limit.release()
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

interface Question {
  readonly method: 'GET' | 'POST'
  readonly target: string
  readonly shape: Shape
  readonly limitMs: number
}

/** @throws MagnetarError, or the system error when nobody can be reached */
async function request<T>(place: ControlPlace, question: Question, signal: AbortSignal): Promise<T> {
  const { name, release } = await shortName(place)
  const limit = limitTime(signal, question.limitMs)
  try {
    const { status, text } = await exchange(name, question, limit.signal)
    const answer = parse(text)
    if (status !== 200) throw errorIn(answer) ?? silent(NOT_OURS, place)
    if (!hasShape(answer, question.shape)) throw silent(NOT_OURS, place)
    return answer as T
  } catch (error) {
    signal.throwIfAborted()
    if (limit.isUp()) throw silent(`the server does not answer (${question.limitMs / 1000} s)`, place)
    if (error instanceof MagnetarError || UNREACHABLE.has(errnoOf(error) ?? '')) throw error
    throw silent(`the server does not answer (${messageOf(error)})`, place, error)
  } finally {
    limit.release()
    await release()
  }
}

const UNREACHABLE = new Set(['ENOENT', 'ECONNREFUSED', 'ENOTDIR', 'EACCES', 'EPERM'])
const NOT_OURS = "what answers is not this node's server, or one of another version"

function silent(message: string, { socket }: ControlPlace, cause?: unknown): MagnetarError {
  return new MagnetarError('NODE_SILENT', `${message}, on ${socket}`, cause === undefined ? {} : { cause })
}

function exchange(
  socketPath: string,
  { method, target }: Question,
  signal: AbortSignal,
): Promise<{ status: number; text: string }> {
  return new Promise((resolve, reject) => {
    const sent = http.request({ socketPath, method, path: target, signal, agent: false }, (answer) => {
      const chunks: Buffer[] = []
      let bytes = 0
      answer.on('error', reject)
      answer.on('data', (chunk: Buffer) => {
        bytes += chunk.length
        if (bytes > MAX_ANSWER_BYTES) sent.destroy(new Error('the answer is too long'))
        else chunks.push(chunk)
      })
      answer.on('end', () =>
        resolve({ status: answer.statusCode ?? 0, text: Buffer.concat(chunks).toString('utf8') }),
      )
    })
    sent.on('error', reject)
    sent.end()
  })
}

/** undefined: it is no JSON. */
function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** undefined: this is no error of a server of ours. */
function errorIn(answer: unknown): MagnetarError | undefined {
  if (!hasShape(answer, { code: 'text', message: 'text' })) return undefined
  const { code, message, fix } = answer as { code: string; message: string; fix?: unknown }
  const known = code in ERRORS ? (code as ErrorCode) : 'INTERNAL'
  return new MagnetarError(known, message, typeof fix === 'string' ? { fix } : {})
}
