import type { IncomingMessage, ServerResponse } from 'node:http'
import type { JobManager } from '../jobs/types.js'
import type { Logger } from '../lib/log.js'
import type { FileCache } from './cache-store.js'
import type { Query } from './query.js'

/** What the server serves. */
export interface HttpNode {
  readonly managers: ReadonlyMap<string, JobManager>
  /** Required of every request when neither undefined nor empty; as a function: one of those that count now, always the same array. */
  readonly privateToken: string | undefined | (() => readonly string[])
  /** What GET /healthz says: the Pulsar version whose protocol this is, "0.16.0". */
  readonly version: string
  /** Existing directory; undefined: the cache routes answer CACHE_DISABLED. */
  readonly cacheDirectory: string | undefined
  /** Of one upload; undefined: no limit. */
  readonly maxUploadBytes?: number
  readonly log: Logger
}

/** One request that has a route and the right token, while it is being answered. */
export interface Exchange {
  readonly node: HttpNode
  readonly request: IncomingMessage
  readonly response: ServerResponse
  readonly query: Query
  /** The manager of the path, or `_default_`; throws MANAGER_UNKNOWN when it is not configured. */
  readonly manager: JobManager
  /** Throws CACHE_DISABLED when there is none. */
  readonly cache: FileCache
  /** `{job_id}` of the path, percent-decoded; "" where the route has none. */
  readonly jobId: string
  readonly log: Logger
  readonly tally: Tally
  /** Tells a client that waits for it (`Expect: 100-continue`) to send the body. Called once every check is passed. */
  continueBody(): void
}

/** Bytes of bodies, for the log line. */
export interface Tally {
  receivedBytes: number
  sentBytes: number
}

/** What a handler answers; `sent`: it has written the response itself. */
export type Reply = { readonly json: unknown } | 'ok' | 'sent'

export type Handler = (exchange: Exchange) => Promise<Reply>

export interface Route {
  /** `*`: every method. */
  readonly method: 'GET' | 'HEAD' | 'POST' | 'PUT' | 'DELETE' | '*'
  /** Path without the manager prefix; `{job_id}` matches one segment. */
  readonly path: string
  readonly handle: Handler
}
