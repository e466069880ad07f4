import type { IncomingHttpHeaders } from 'node:http'
import { abortAfter } from '../lib/time-limit.js'
import type { StatusDocument } from './follow-job.js'
import type { NodeAnswer, NodeClient, NodeRequest } from './node-client.js'

/** The answer to POST /jobs: where the files of the job are. */
export interface SetUpJob {
  readonly job_id: string
  readonly job_directory: string
  readonly inputs_directory: string
  readonly outputs_directory: string
  readonly configs_directory: string
  readonly tools_directory: string
  readonly unstructured_files_directory: string
}

/** An answer that says no. */
export class Refused extends Error {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  /** Of this server's errors (docs/errors.md); undefined: another server's. */
  readonly code: string | undefined
  /** In the words of the server. */
  readonly said: string
  constructor({ status, headers, text }: NodeAnswer) {
    const { said, code } = readError(text)
    super(`${said} (status ${status})`)
    this.name = 'Refused'
    this.status = status
    this.headers = headers
    this.code = code
    this.said = said
  }
}

/** Status 200, but not what a Pulsar answers. */
export class OddAnswer extends Error {
  constructor(route: string, text: string) {
    super(`${route} was answered with ${text === '' ? 'nothing' : JSON.stringify(text.slice(0, MAX_QUOTE))}`)
    this.name = 'OddAnswer'
  }
}

/**
 * Pulsar's REST protocol, as a client calls it.
 * @throws Refused, OddAnswer, NodeUnreachable; the signal's reason when aborted
 */
export interface PulsarCalls {
  /** The Pulsar version whose protocol the node speaks, as GET /healthz says it. */
  version(): Promise<string>
  setUp(jobId: string): Promise<SetUpJob>
  upload(
    jobId: string,
    file: { readonly type: string; readonly name: string },
    body: string | Buffer,
  ): Promise<void>
  submit(jobId: string, query: Readonly<Record<string, string>>): Promise<void>
  status(jobId: string): Promise<StatusDocument>
  download(jobId: string, file: { readonly type: string; readonly name: string }): Promise<Buffer>
  cancel(jobId: string): Promise<void>
  clean(jobId: string): Promise<void>
}

const MAX_PROBLEM = 500
const MAX_QUOTE = 120
const CLEAN_LIMIT_MS = 10_000

export function createPulsarCalls(client: NodeClient, signal: AbortSignal): PulsarCalls {
  const call = async (
    method: string,
    route: string,
    request: Omit<NodeRequest, 'signal'> = {},
  ): Promise<NodeAnswer> => {
    const answer = await client.call(method, route, { ...request, signal })
    if (answer.status === 200) return answer
    throw new Refused(answer)
  }
  const jobRoute = (jobId: string, more = ''): string => `jobs/${encodeURIComponent(jobId)}${more}`
  return {
    async version() {
      const { text } = await call('GET', 'healthz')
      const { version } = parse<{ version?: unknown }>('healthz', text)
      if (typeof version !== 'string') throw new OddAnswer('healthz', text)
      return version
    },
    async setUp(jobId) {
      const { text } = await call('POST', 'jobs', { query: { job_id: jobId } })
      const job = parse<SetUpJob>('the setup', text)
      if (typeof job.job_id !== 'string' || typeof job.inputs_directory !== 'string')
        throw new OddAnswer('the setup', text)
      return job
    },
    async upload(jobId, { name, type }, body) {
      await call('POST', jobRoute(jobId, '/files'), { query: { name, type }, body })
    },
    async submit(jobId, query) {
      await call('POST', jobRoute(jobId, '/submit'), { query })
    },
    async status(jobId) {
      const { text } = await call('GET', jobRoute(jobId, '/status'))
      const found = parse<StatusDocument>('the status', text)
      if (typeof found.status !== 'string' || typeof found.complete !== 'string')
        throw new OddAnswer('the status', text)
      return found
    },
    async download(jobId, { name, type }) {
      return (await call('GET', jobRoute(jobId, '/files'), { query: { name, type } })).body
    },
    async cancel(jobId) {
      await call('PUT', jobRoute(jobId, '/cancel'))
    },
    async clean(jobId) {
      await call('DELETE', jobRoute(jobId))
    },
  }
}

/**
 * Cancels and cleans a job, with a time of its own: also after Ctrl-C nothing of it is to stay. Resolves with whether the node took
 * both.
 */
export async function removeJob(client: NodeClient, jobId: string): Promise<boolean> {
  const calls = createPulsarCalls(client, abortAfter(CLEAN_LIMIT_MS))
  const did = (): true => true
  const failed = (): false => false
  const cancelled = await calls.cancel(jobId).then(did, failed)
  return (await calls.clean(jobId).then(did, failed)) && cancelled
}

function parse<T extends object>(route: string, text: string): Partial<T> & T {
  try {
    const value: unknown = JSON.parse(text)
    if (typeof value === 'object' && value !== null) return value as T
  } catch {
    // Not JSON, then.
  }
  throw new OddAnswer(route, text)
}

/** The sentence of an error answer: JSON of this server, or whatever another sends. */
function readError(text: string): { said: string; code: string | undefined } {
  try {
    const { error, code } = JSON.parse(text) as { error?: unknown; code?: unknown }
    if (typeof error === 'string') return { said: error, code: typeof code === 'string' ? code : undefined }
  } catch {
    // Text, then.
  }
  const title = /<title>([^<]*)<\/title>/i.exec(text)?.[1]
  return { said: (title ?? text).trim().slice(0, MAX_PROBLEM) || 'an empty answer', code: undefined }
}
