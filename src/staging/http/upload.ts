import { giveBackBuffer } from '../../lib/shared-buffer.js'
import type { LocalFile, Transferred, TransferTools } from '../action.js'
import type { HttpAnswer, HttpRequest } from '../http-client.js'
import { publicUrl, TransferError } from '../transfer-error.js'
import { answerError } from './answer-error.js'
import { dump } from './dump.js'
import { createForm, type Form } from './multipart.js'
import { nameOf, readSource, type SourceFile } from './source-file.js'

/**
 * Posts `from` as a form with one file, as the Python Pulsar does with curl.
 * @throws TransferError
 */
export async function upload(url: string, from: LocalFile, tools: TransferTools): Promise<Transferred> {
  tools.signal.throwIfAborted()
  const file = await readSource(from)
  const form = createForm(nameOf(from))
  return 'content' in file ? sendContent(url, file.content, form, tools) : sendOpen(url, file, form, tools)
}

async function sendContent(
  url: string,
  content: Uint8Array,
  form: Form,
  tools: TransferTools,
): Promise<Transferred> {
  const bytes = content.length
  const pieces = [form.before, Buffer.from(content.buffer, content.byteOffset, bytes), form.after]
  const bodyBytes = form.before.length + bytes + form.after.length
  let isSent = false
  const body = (): readonly Buffer[] => {
    isSent = false
    return pieces
  }
  const onSent = (): void => {
    isSent = true
  }
  await post(url, form, { bodyBytes, body, onSent, isRepeatable: true }, tools)
  // Else its memory may still be on its way out.
  if (!isSent) throw notTaken(url)
  giveBackBuffer(content)
  tools.progress(bytes)
  return { bytes, resumedFrom: 0 }
}

async function sendOpen(
  url: string,
  file: SourceFile,
  form: Form,
  tools: TransferTools,
): Promise<Transferred> {
  const { before, after } = form
  const sent = (bytes: number): void => tools.progress(bytes)
  const body = () => file.stream({ start: 0, end: file.bytes, before, after, sent })
  try {
    await post(url, form, { bodyBytes: before.length + file.bytes + after.length, body }, tools)
    checkTaken(file, url)
    return { bytes: file.bytes, resumedFrom: 0 }
  } catch (error) {
    throw tools.signal.aborted ? tools.signal.reason : (file.failure() ?? error)
  } finally {
    await file.close()
  }
}

async function post(
  url: string,
  form: Form,
  body: Pick<HttpRequest, 'body' | 'bodyBytes' | 'isRepeatable' | 'onSent'>,
  { http, signal }: TransferTools,
): Promise<void> {
  const headers = { 'content-type': form.contentType }
  const request: HttpRequest = { method: 'POST', url, headers, signal, ...body }
  await expectSuccess(await http.request(request), request)
}

/**
 * Takes any 2xx for an answer, and reads what comes with it.
 * @throws TransferError
 */
export async function expectSuccess(
  answer: HttpAnswer,
  request: Pick<HttpRequest, 'method' | 'url' | 'signal'>,
): Promise<void> {
  if (answer.status < 200 || answer.status > 299) throw await answerError(answer, request)
  await dump(answer.body)
}

/**
 * A server cannot have stored what it was not sent, whatever it says.
 * @throws TransferError
 */
export function checkTaken(file: SourceFile, url: string): void {
  if (!file.isTaken()) throw notTaken(url)
}

function notTaken(url: string): TransferError {
  const message = `${publicUrl(url)} said that all is well before it had the whole file`
  return new TransferError(message, { transient: true })
}
