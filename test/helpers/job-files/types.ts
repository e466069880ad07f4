import type { Content } from './content.js'

/** By which a client can tell that a file has not changed. `young date`: Last-Modified not older than the answer, which vouches for nothing. */
export type Validators = 'strong' | 'weak' | 'date' | 'young date' | 'none'

/** How the client learns where a body ends. */
export type Framing = 'length' | 'chunked' | 'close'

export interface ServedFile {
  readonly content: Content
  readonly validators: Validators
  readonly framing: Framing
  /** Part of the ETag and, as seconds, of the date. */
  readonly version: number
}

/** What arrived. */
export interface StoredFile {
  readonly bytes: number
  readonly sha256: string
  readonly fileName: string | undefined
  readonly contentType: string | undefined
  /** Unless it is too large to be kept. */
  readonly content: Buffer | undefined
  readonly fileType: string | undefined
  readonly times: number
}

/** What goes wrong with one request. Of a request with a body, counts are of what was received; else of what was sent. */
export type Fault =
  /** Without `late`, a request's body is not read. */
  | {
      readonly kind: 'status'
      readonly status: number
      readonly body?: string
      readonly headers?: Readonly<Record<string, string>>
      readonly late?: boolean
    }
  | { readonly kind: 'cut'; readonly after: number }
  | { readonly kind: 'reset'; readonly after: number }
  /** `after` -1: not even headers. */
  | { readonly kind: 'hang'; readonly after: number }
  | { readonly kind: 'slow'; readonly bytesPerSecond: number }
  | { readonly kind: 'redirect'; readonly to: string; readonly status: number }
  | { readonly kind: 'garbage' }
  /** Content-Length says `delta` more or less than is sent. */
  | { readonly kind: 'length'; readonly delta: number }
  | { readonly kind: 'ignore range' }
  /** A range is answered although the file is another one now, as if it were the same. */
  | { readonly kind: 'ignore if-range' }
  | { readonly kind: 'shift range'; readonly by: number }
  /** A range is announced as it was asked for, and the beginning of the file is sent. */
  | { readonly kind: 'wrong range' }
  | { readonly kind: 'give less'; readonly bytes: number }
  | { readonly kind: 'encode' }
  /** An upload is confirmed and thrown away, before it is read. */
  | { readonly kind: 'lie' }
  /** The request is served, and then the connection is cut instead of answering. */
  | { readonly kind: 'swallow answer' }

/** One request, as it came in and as it was answered. */
export interface RequestRecord {
  readonly serial: number
  readonly method: string
  readonly target: string
  /** Of the file at Galaxy. */
  readonly path: string | undefined
  readonly headers: Readonly<Record<string, string | undefined>>
  readonly range: string | undefined
  readonly connection: number
  /** The client's end of it. */
  readonly clientPort: number
  status: number
  /** Of bodies. */
  sentBytes: number
  receivedBytes: number
  fault: Fault | undefined
  /** The answer is sent, or the connection is gone. */
  isOver: boolean
}
