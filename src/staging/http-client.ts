import type { Readable } from 'node:stream'

/** One answer; its body must be read or dumped. */
export interface HttpAnswer {
  readonly status: number
  /** Lower-case names. */
  readonly headers: Readonly<Record<string, string | undefined>>
  readonly body: Readable
  /** Where it came from at last, after redirects. */
  readonly url: string
  /**
   * At the end of the body: whether more followed on it. Then the server sends more than it announces, and what looks like the end
   * may not be it.
   */
  readonly hadSurplus?: () => boolean
}

export interface HttpRequest {
  readonly method: 'GET' | 'HEAD' | 'POST' | 'PATCH' | 'DELETE'
  readonly url: string
  readonly headers?: Readonly<Record<string, string>>
  /** Called anew for every redirect that repeats the body. */
  readonly body?: () => Readable | Buffer
  readonly bodyBytes?: number
  /** Told when the system has taken all of a body: its memory may be used again. */
  readonly onSent?: () => void
  /** Once more does no harm: it is sent again at once when an idle connection turns out to be gone. GET and HEAD always are. */
  readonly isRepeatable?: boolean
  readonly signal: AbortSignal
}

/** HTTP towards Galaxy: connections are reused, redirects followed (never from https to http), hosts limited, time bounded. */
export interface HttpClient {
  /** @throws TransferError when there is no answer, the host is not allowed, or a redirect leads nowhere */
  request(request: HttpRequest): Promise<HttpAnswer>
  close(): Promise<void>
}
