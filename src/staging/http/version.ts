import { createHash, randomUUID } from 'node:crypto'
import fs from 'node:fs'
import type { HttpAnswer } from '../http-client.js'

/** What a server says about the content it sends, by which a later attempt knows whether it is still the same. */
export interface Version {
  readonly etag: string | undefined
  readonly modified: string | undefined
  /** `modified` is so much older than the answer that a change after it would have another date. */
  readonly isDateStrong: boolean
  /** Of the whole file. */
  readonly bytes: number | undefined
}

export function versionOf({ headers }: Pick<HttpAnswer, 'headers'>, bytes: number | undefined): Version {
  const modified = headers['last-modified']
  // RFC 9110 §8.8.2.2: a date is a strong validator when the answer is at least a second younger.
  const ageMs = Date.parse(headers.date ?? '') - Date.parse(modified ?? '')
  return { etag: headers.etag, modified, isDateStrong: ageMs >= 1000, bytes }
}

/** The strong validator for If-Range; undefined: the bytes themselves must be compared. */
export function conditionOf(version: Version): string | undefined {
  if (hasStrongTag(version)) return version.etag
  return version.isDateStrong ? version.modified : undefined
}

function hasStrongTag(version: Version): boolean {
  return version.etag?.startsWith('"') ?? false
}

/**
 * Whether the answer to a range request is about another content than `version`. A 206 need not repeat Last-Modified, but must
 * repeat an ETag (RFC 9110 §15.3.7): a server that does not has not looked at If-Range either.
 */
export function isOtherVersion(
  version: Version,
  answer: Pick<HttpAnswer, 'headers'>,
  total: number,
): boolean {
  const { etag, 'last-modified': modified } = answer.headers
  if (etag !== version.etag && (etag !== undefined || hasStrongTag(version))) return true
  if (modified !== undefined && modified !== version.modified) return true
  return version.bytes !== undefined && version.bytes !== total
}

/**
 * Under which name the bytes of this version of the file `last` are collected. Not the same after a reboot: of what had been
 * written when a machine stopped, its page cache may have brought any part to disk.
 */
export function partName(last: string, version: Version): string {
  const { etag, modified, bytes } = version
  const text = JSON.stringify([last, etag ?? null, modified ?? null, bytes ?? null, bootId()])
  return createHash('sha256').update(text).digest('hex').slice(0, 32)
}

let knownBootId: string | undefined

function bootId(): string {
  knownBootId ??= readBootId()
  return knownBootId
}

function readBootId(): string {
  try {
    return fs.readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
  } catch {
    // Then nothing is continued by another process.
    return randomUUID()
  }
}

/** What Content-Range says (RFC 9110 §14.4): the first byte and the last, and the length of the whole; undefined when it is not that. */
export function parseContentRange(
  text: string | undefined,
): { readonly first: number; readonly last: number; readonly total: number } | undefined {
  const match = /^\s*bytes\s+(\d+)-(\d+)\/(\d+)\s*$/i.exec(text ?? '')
  if (!match) return undefined
  const [first = 0, last = 0, total = 0] = match.slice(1).map(Number)
  return first <= last && last < total && Number.isSafeInteger(total) ? { first, last, total } : undefined
}

/** Content-Length; undefined when there is none that can be meant. */
export function contentLengthOf({ headers }: Pick<HttpAnswer, 'headers'>): number | undefined {
  const text = headers['content-length']
  if (text === undefined || !/^\d+$/.test(text)) return undefined
  const bytes = Number(text)
  return Number.isSafeInteger(bytes) ? bytes : undefined
}
