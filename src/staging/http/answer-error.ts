import { STATUS_CODES } from 'node:http'
import type { HttpAnswer, HttpRequest } from '../http-client.js'
import { isTransientStatus, publicUrl, TransferError } from '../transfer-error.js'

/** How much of an error's body is read, how much of it is shown, and how long it may take. */
const MAX_BODY_BYTES = 2048
const MAX_SHOWN = 400
const MAX_BODY_MS = 5000
/** A server that says to come back tomorrow is asked sooner. */
const MAX_RETRY_AFTER_MS = 3600_000

/** The TransferError for an answer that is not what was asked for: URL without key, status, and what the server says about it. */
export async function answerError(
  answer: HttpAnswer,
  request: Pick<HttpRequest, 'method' | 'url' | 'signal'>,
): Promise<TransferError> {
  const body = await readSome(answer.body)
  request.signal.throwIfAborted()
  const phrase = STATUS_CODES[answer.status]
  const status = phrase === undefined ? `${answer.status}` : `${answer.status} ${phrase}`
  const words = withoutStart(redact(plainWords(body), [request.url, answer.url]), status)
  const message = `${request.method} ${publicUrl(answer.url)} was answered with ${status}`
  const retryAfterMs = readRetryAfter(answer.headers['retry-after'])
  return new TransferError(words ? `${message}: ${words}` : message, {
    transient: isTransientStatus(answer.status),
    status: answer.status,
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
  })
}

/** The beginning of a body, as far as it comes soon. The body is ended. */
function readSome(body: HttpAnswer['body']): Promise<string> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = []
    let bytes = 0
    const timer = setTimeout(() => body.destroy(), MAX_BODY_MS)
    const done = (): void => {
      clearTimeout(timer)
      resolve(Buffer.concat(chunks).subarray(0, MAX_BODY_BYTES).toString('utf8'))
    }
    body.on('error', () => {})
    if (body.closed) return done()
    body.once('close', done)
    body.on('data', (chunk: Buffer) => {
      chunks.push(chunk)
      bytes += chunk.length
      if (bytes >= MAX_BODY_BYTES) body.destroy()
    })
  })
}

/** Galaxy's own message when there is one, else the text without markup, on one line. */
function plainWords(body: string): string {
  const text =
    galaxyMessage(body) ??
    body.replace(/<(head|style|script)\b[\s\S]*?<\/\1>/gi, ' ').replace(/<[^>]*>/g, ' ')
  const line = text.replace(/[\s\x00-\x1f\x7f-\x9f]+/g, ' ').trim()
  return line.length > MAX_SHOWN ? `${line.slice(0, MAX_SHOWN)}…` : line
}

/** Pages of web servers begin with what the status has said already. */
function withoutStart(text: string, start: string): string {
  return text.startsWith(start) ? text.slice(start.length).trim() : text
}

function galaxyMessage(body: string): string | undefined {
  try {
    const { err_msg: message } = JSON.parse(body) as { err_msg?: unknown }
    return typeof message === 'string' ? message : undefined
  } catch {
    return undefined
  }
}

/** Servers like to repeat the address they were asked for, and in Galaxy's there is the key of the job. */
function redact(text: string, urls: readonly string[]): string {
  let clean = text.replace(/((?:job_key|key|token|session_id|password)=)[^&\s"'<>]+/gi, '$1…')
  for (const url of urls) {
    for (const [name, value] of new URL(url).searchParams) {
      if (name === 'path' || name === 'file_type' || value.length < 3) continue
      for (const form of new Set([value, encodeURIComponent(value)])) clean = clean.replaceAll(form, '…')
    }
  }
  return clean
}

/** Retry-After (RFC 9110 §10.2.3) in milliseconds: seconds or a date. */
function readRetryAfter(text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  const ms = /^\s*\d+\s*$/.test(text) ? Number(text) * 1000 : Date.parse(text) - Date.now()
  return Number.isFinite(ms) && ms > 0 ? Math.min(ms, MAX_RETRY_AFTER_MS) : undefined
}
