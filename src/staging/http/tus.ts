import type { LocalFile, Transferred, TransferTools } from '../action.js'
import type { HttpAnswer, HttpRequest } from '../http-client.js'
import { publicUrl, TransferError } from '../transfer-error.js'
import { dump } from './dump.js'
import { openSource, type SourceFile } from './source-file.js'
import { noteSession, recallSession, sessionId, sessionUrl, tusEndpoint } from './tus-session.js'
import { checkTaken, expectSuccess } from './upload.js'

/** pulsar/client/transport/tus.py: DEFAULT_PULSAR_TUS_CHUNK_SIZE */
const CHUNK_BYTES = 10_000_000
/** So often in a row the server may disagree about where we are. */
const MAX_DISAGREEMENTS = 3
/** So often in one attempt it may have less than it said before. */
const MAX_SET_BACKS = 3
/** So often what is missing may be sent in one attempt, to a server that takes a part of each piece or forgets some. */
const MAX_TIMES_SENT = 4

/** One upload, in the words of https://tus.io/protocols/resumable-upload. */
interface Run {
  readonly url: string
  readonly file: SourceFile
  readonly tools: TransferTools
  session: string
}

/**
 * Uploads `from` in pieces and then tells Galaxy to take it. An upload that was cut off goes on from what the server has, as long
 * as neither file nor session changed.
 * @throws TransferError
 */
export async function uploadResumable(
  url: string,
  from: LocalFile,
  tools: TransferTools,
): Promise<Transferred> {
  tools.signal.throwIfAborted()
  const endpoint = tusEndpoint(url)
  const file = await openSource(from)
  try {
    const recalled = recallSession(tools, file.stamp)
    const had = recalled === undefined ? undefined : await askOffset({ url, file, tools, session: recalled })
    const session =
      recalled !== undefined && had !== undefined ? recalled : await begin(endpoint, file, tools)
    if (had !== undefined) tools.log.debug({ url: publicUrl(url), from: had }, 'an upload goes on')
    const run: Run = { url, file, tools, session }
    await sendAll(run, had ?? 0)
    await handOver(run)
    return { bytes: file.bytes, resumedFrom: had ?? 0 }
  } catch (error) {
    throw tools.signal.aborted ? tools.signal.reason : (file.failure() ?? error)
  } finally {
    await file.close()
  }
}

async function begin(endpoint: string, file: SourceFile, tools: TransferTools): Promise<string> {
  const answer = await ask(tools, 'POST', endpoint, {
    'upload-length': String(file.bytes),
    'upload-metadata': '',
  })
  await expectSuccess(answer, { method: 'POST', url: endpoint, signal: tools.signal })
  const session = sessionUrl(answer.headers.location, answer.url)
  await noteSession(tools, session, file.stamp)
  return session
}

/** How much of the file the server has; undefined: it knows nothing of this upload, or of one of another length. */
async function askOffset({ file, tools, session }: Run): Promise<number | undefined> {
  const answer = await ask(tools, 'HEAD', session)
  if (answer.status === 404 || answer.status === 410) {
    await dump(answer.body)
    return undefined
  }
  await expectSuccess(answer, { method: 'HEAD', url: session, signal: tools.signal })
  const length = answer.headers['upload-length']
  if (length !== undefined && Number(length) !== file.bytes) return undefined
  return offsetOf(answer, 0, file.bytes)
}

/** Sends what is missing from `offset` on. */
async function sendAll(run: Run, start: number): Promise<void> {
  const chunkBytes = chunkSize()
  let offset = start
  run.tools.kept?.(start)
  let disagreements = 0
  let setBacks = 0
  let mayStillSend = MAX_TIMES_SENT * (run.file.bytes - start)
  while (offset < run.file.bytes) {
    const end = Math.min(offset + chunkBytes, run.file.bytes)
    mayStillSend -= end - offset
    if (mayStillSend < 0) throw disagreement(run)
    const answer = await sendPiece(run, offset, end)
    let next: number | undefined
    if (answer.status === 409 || answer.status === 460) {
      await dump(answer.body)
    } else {
      await expectSuccess(answer, { method: 'PATCH', url: run.session, signal: run.tools.signal })
      next = offsetOf(answer, offset, end)
      if (next === end) checkTaken(run.file, run.session)
    }
    if (next === undefined || next === offset) {
      if (++disagreements > MAX_DISAGREEMENTS) throw disagreement(run)
      next = await askOffset(run)
      if (next === undefined) throw lost(run)
      if (next < offset && ++setBacks > MAX_SET_BACKS) throw disagreement(run)
    } else disagreements = 0
    offset = next
    // A part of a piece counts when the next attempt finds it: a server may say any offset, and never come to an end.
    if (offset === end) run.tools.kept?.(offset)
  }
}

async function sendPiece(run: Run, start: number, end: number): Promise<HttpAnswer> {
  const { file, session, tools } = run
  const headers = { 'upload-offset': String(start), 'content-type': 'application/offset+octet-stream' }
  const body = () => file.stream({ start, end, sent: (bytes) => tools.progress(bytes) })
  const answer = await ask(tools, 'PATCH', session, headers, body, end - start)
  if (answer.status !== 404 && answer.status !== 410) return answer
  await dump(answer.body)
  throw lost(run, answer.status)
}

/** The upload cannot be found any more; the next attempt asks, is told so, and begins a new one. */
function lost({ url }: Run, status?: number): TransferError {
  const message = `${publicUrl(url)}: the server has forgotten a resumable upload that was under way`
  return new TransferError(message, { transient: true, ...(status === undefined ? {} : { status }) })
}

function disagreement({ url }: Run): TransferError {
  const message = `${publicUrl(url)}: the server does not say the same twice about how much of an upload it has`
  return new TransferError(message, { transient: true })
}

/** Galaxy takes a file from a finished upload. Its own middleware reads session_id only from a form. */
async function handOver(run: Run): Promise<void> {
  const { url, session, tools } = run
  const body = Buffer.from(new URLSearchParams({ session_id: sessionId(session) }).toString())
  const headers = { 'content-type': 'application/x-www-form-urlencoded' }
  const { signal } = tools
  const request: HttpRequest = {
    method: 'POST',
    url,
    headers,
    body: () => body,
    bodyBytes: body.length,
    signal,
  }
  try {
    await expectSuccess(await tools.http.request(request), request)
  } catch (error) {
    if (await wasTaken(run, error)) throw lost(run)
    throw error
  }
}

/** An earlier request to take it, whose answer was lost, may have come through only now: then Galaxy knows no such upload any more. */
async function wasTaken(run: Run, error: unknown): Promise<boolean> {
  if (!(error instanceof TransferError) || error.transient) return false
  return (await askOffset(run).catch(() => 0)) === undefined
}

function ask(
  tools: TransferTools,
  method: HttpRequest['method'],
  url: string,
  headers: Record<string, string> = {},
  body?: NonNullable<HttpRequest['body']>,
  bodyBytes?: number,
): Promise<HttpAnswer> {
  return tools.http.request({
    method,
    url,
    headers: { 'tus-resumable': '1.0.0', ...headers },
    signal: tools.signal,
    ...(body === undefined || bodyBytes === undefined ? {} : { body, bodyBytes }),
  })
}

/** Upload-Offset, when it is within what it can be. */
function offsetOf(answer: HttpAnswer, least: number, most: number): number | undefined {
  const text = answer.headers['upload-offset']
  const offset = text !== undefined && /^\d+$/.test(text) ? Number(text) : undefined
  return offset !== undefined && offset >= least && offset <= most ? offset : undefined
}

function chunkSize(): number {
  const wanted = Number(process.env.PULSAR_TUS_CHUNK_SIZE)
  return Number.isSafeInteger(wanted) && wanted > 0 ? wanted : CHUNK_BYTES
}
