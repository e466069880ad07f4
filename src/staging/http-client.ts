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
  /** For a request with `takesDirect`: the body. Then `body` has nothing of it, and serves only to destroy it. */
  readonly direct?: DirectBody
}

/** A body of a known length, not read yet, which goes from the connection straight to where it is wanted. */
export interface DirectBody {
  readonly bytes: number
  /** At its end: whether more followed on it. */
  readonly hadSurplus: boolean
  /** Once. */
  take(taker: BodyTaker): BodyControl
}

/** Whoever wants a body. */
export interface BodyTaker {
  /** Memory for what comes next, at least one byte; undefined: not now, until the body is resumed. */
  room(): Uint8Array | undefined
  /** Whether to wait with the next read until the body is resumed. It goes to memory that is given already, so there is still room. */
  isFull?(): boolean
  /** So many bytes are in the memory that was given last, from its beginning. */
  filled(bytes: number): void
  /** It is whole, or this has cut it. Nothing is called after. */
  end(error?: Error): void
}

export interface BodyControl {
  /** There is room again. */
  resume(): void
  /** No more of it is wanted; its taker hears no more. */
  stop(): void
}

/** What is there already in one or more pieces, or a stream. */
export type RequestBody = Readable | Buffer | readonly Buffer[]

export interface HttpRequest {
  readonly method: 'GET' | 'HEAD' | 'POST' | 'PATCH' | 'DELETE'
  readonly url: string
  readonly headers?: Readonly<Record<string, string>>
  /** Called anew for every redirect that repeats the body. */
  readonly body?: () => RequestBody
  readonly bodyBytes?: number
  /** Told when the system has taken all of a body: its memory may be used again. */
  readonly onSent?: () => void
  /** Once more does no harm: it is sent again at once when an idle connection turns out to be gone. GET and HEAD always are. */
  readonly isRepeatable?: boolean
  /** Whoever asks can take the body of an answer with one of these statuses directly. */
  readonly takesDirect?: readonly number[]
  readonly signal: AbortSignal
}

/** HTTP towards Galaxy: connections are reused, redirects followed (never from https to http), hosts limited, time bounded. */
export interface HttpClient {
  /** @throws TransferError when there is no answer, the host is not allowed, or a redirect leads nowhere */
  request(request: HttpRequest): Promise<HttpAnswer>
  close(): Promise<void>
}
