import { createKeyedLock } from '../../lib/keyed-lock.js'
import { giveBackBuffer } from '../../lib/shared-buffer.js'
import type { LocalFile, Transferred, TransferTools } from '../action.js'
import { commitUnlessAborted } from '../commit-unless-aborted.js'
import type { HttpAnswer } from '../http-client.js'
import { publicUrl, TransferError } from '../transfer-error.js'
import { answerError } from './answer-error.js'
import { disk, diskError } from './disk.js'
import { dump } from './dump.js'
import { networkError } from './network-error.js'
import {
  appendToPart,
  emptyPart,
  notePart,
  openNotedPart,
  openPart,
  type Part,
  rangeHeaders,
  resumePoint,
} from './part.js'
import { receiveAll, receiveRest } from './receive.js'
import { BodyCut, readSmallBody, SMALL_BODY_BYTES } from './small-body.js'
import { mayWait, storeSmall } from './store-small.js'
import { contentLengthOf, partName, type Version, versionOf } from './version.js'

/** What arrived of a file of at most so many bytes, when it was cut off, is not worth a place on disk; and many may wait for the disk. */
const FORGOTTEN_BYTES = 64 * 1024

/** Of two downloads of one file the second waits: they would write to one part. */
const locks = createKeyedLock()

interface Run {
  readonly url: string
  readonly to: LocalFile
  readonly tools: TransferTools
  part: Part | undefined
  /** Bytes of the part that came from earlier attempts. */
  resumedFrom: number
  /** False as soon as the server has disappointed us: then the file is fetched whole. */
  mayResume: boolean
  /** The whole file has come, and there was more; its end is asked for again. */
  isDoubted: boolean
}

/**
 * Fetches `url` into `to`, which appears complete and on disk, or not at all. What an earlier attempt got is kept and continued when
 * the server still has the same content, also after a restart of the node; see version.ts and part.ts for how that is known.
 * @throws TransferError
 */
export function download(url: string, to: LocalFile, tools: TransferTools): Promise<Transferred> {
  return locks.run(`${to.base}/${to.components.join('/')}`, async () => {
    tools.signal.throwIfAborted()
    const run: Run = { url, to, tools, part: undefined, resumedFrom: 0, mayResume: true, isDoubted: false }
    try {
      run.part = await openNotedPart(to, tools)
      for (;;) {
        const done = await attempt(run)
        if (done) return done
      }
    } catch (error) {
      // What came over the network has been translated where it came from.
      const failure = tools.signal.aborted ? tools.signal.reason : diskError(error, { write: to })
      await leave(run, failure)
      throw failure
    }
  })
}

/** Asks once; undefined: to be asked again, with what is known now. */
async function attempt(run: Run): Promise<Transferred | undefined> {
  const start = run.part && run.mayResume ? resumePoint(run.part) : 0
  const range = run.part && start > 0 ? rangeHeaders(run.part, start) : {}
  const answer = await get(run, range)
  try {
    if (run.part && start > 0 && answer.status === 206) return await takeRest(run, run.part, start, answer)
    if (run.part && start > 0 && answer.status === 416) {
      // Bytes that are there were asked for: the file has become shorter.
      await dump(answer.body)
      return await startAnew(run)
    }
    if (answer.status !== 200) throw await unexpected(run, answer)
    refuseEncoded(run, answer)
    const bytes = lengthOfWhole(answer)
    if (bytes !== undefined && bytes <= SMALL_BODY_BYTES) return await takeSmall(run, answer, bytes)
    return await takeWhole(run, answer, bytes)
  } catch (error) {
    answer.body.destroy()
    throw error
  }
}

function get({ url, tools }: Run, headers: Record<string, string>, method: 'GET' | 'HEAD' = 'GET') {
  return tools.http.request({
    method,
    url,
    // Compressed, lengths and ranges would not be those of the file.
    headers: { 'accept-encoding': 'identity', ...headers },
    signal: tools.signal,
    takesDirect: headers.range === undefined ? [200] : [200, 206],
  })
}

async function takeRest(
  run: Run,
  part: Part,
  start: number,
  answer: HttpAnswer,
): Promise<Transferred | undefined> {
  refuseEncoded(run, answer)
  run.tools.log.debug({ url: publicUrl(run.url), from: start }, 'a download goes on')
  const before = part.bytes
  const rest = await receiveRest(answer, part, start, run.tools)
  if (rest === 'not the same') {
    return startAnew(run)
  }
  if (run.resumedFrom === 0 && !run.isDoubted) run.resumedFrom = start
  if (part.bytes === rest.total) return finish(run, part, answer)
  // It gave less than was asked for, as it may; a server that gives nothing would be asked for ever.
  if (part.bytes === before) run.mayResume = false
  return undefined
}

async function takeSmall(run: Run, answer: HttpAnswer, bytes: number): Promise<Transferred | undefined> {
  const content = await readSmallBody(answer, bytes).catch(async (error: unknown) => {
    if (!(error instanceof BodyCut)) throw error
    const { received, cause } = error
    if (bytes > FORGOTTEN_BYTES && received.length > 0 && !run.tools.signal.aborted)
      await keepBeginning(run, versionOf(answer, bytes), received)
    giveBackBuffer(received)
    throw networkError(cause, answer.url, run.tools.signal)
  })
  if (answer.hadSurplus?.()) {
    giveBackBuffer(content)
    return doubt(run)
  }
  await discardPart(run)
  if (mayWait(bytes)) run.tools.arrived?.()
  await storeSmall(run.to, content)
  giveBackBuffer(content)
  run.tools.progress(bytes)
  return { bytes, resumedFrom: 0 }
}

/** For the next attempt. */
async function keepBeginning(run: Run, version: Version, received: Uint8Array): Promise<void> {
  await discardPart(run)
  run.part = await openPart(run.to, version, run.tools)
  // Only by its note it is found again: to look for parts of every small file would cost each of them a task of the disk.
  await notePart(run.part, run.tools)
  await emptyPart(run.part)
  await appendToPart(run.part, received)
  run.tools.progress(received.length)
}

async function takeWhole(
  run: Run,
  answer: HttpAnswer,
  bytes: number | undefined,
): Promise<Transferred | undefined> {
  const version = versionOf(answer, bytes)
  const last = run.to.components[run.to.components.length - 1] ?? ''
  if (run.part?.name !== partName(last, version)) {
    await discardPart(run)
    run.part = await openPart(run.to, version, run.tools)
    if (run.mayResume && resumePoint(run.part) > 0) {
      // Left by a process that had no time to note it.
      answer.body.destroy()
      return undefined
    }
  }
  const part = run.part
  run.resumedFrom = 0
  await emptyPart(part)
  await receiveAll(answer, part, run.tools)
  if (bytes === undefined && !isChunked(answer)) await checkLength(run, part)
  return finish(run, part, answer)
}

/** Nothing in the answer said where it ends: the connection was closed, perhaps too early. */
async function checkLength(run: Run, part: Part): Promise<void> {
  const answer = await get(run, {}, 'HEAD')
  await dump(answer.body)
  const bytes = answer.status === 200 ? contentLengthOf(answer) : undefined
  if (bytes === part.bytes) return
  const what = `${publicUrl(run.url)} was sent without its length`
  throw new TransferError(
    bytes === undefined
      ? `${what}, so that nobody can tell whether it is complete; let the web server send Content-Length`
      : `${what} and ended after ${part.bytes} of ${bytes} bytes`,
    { transient: bytes !== undefined },
  )
}

async function finish(run: Run, part: Part, answer: HttpAnswer): Promise<Transferred | undefined> {
  if (answer.hadSurplus?.()) return doubt(run)
  run.part = undefined
  await commitUnlessAborted(part.file, run.tools.signal, disk.closePartFile)
  return { bytes: part.bytes, resumedFrom: run.resumedFrom }
}

/** More came than was announced. Once, the file's end is asked for again, which comes with the length of the whole. */
async function doubt(run: Run): Promise<undefined> {
  if (!run.isDoubted) {
    run.isDoubted = true
    return undefined
  }
  await discardPart(run)
  throw surplus(run)
}

function surplus(run: Run): TransferError {
  const message = `${publicUrl(run.url)}: more bytes came than the server had announced, so the file may be longer`
  return new TransferError(message, { transient: true })
}

/** Asked for as it is, an encoded file would have to be guessed: is it stored so, or was it packed on the way? */
function refuseEncoded(run: Run, answer: HttpAnswer): void {
  const encoding = answer.headers['content-encoding']?.trim().toLowerCase() ?? ''
  const transfer = answer.headers['transfer-encoding']
  const isPlain = encoding === '' || encoding === 'identity'
  // Only as the one coding it says where the body ends; Node undoes no other.
  if (isPlain && (transfer === undefined || isChunked(answer))) return
  const how = isPlain ? `Transfer-Encoding ${shown(transfer)}` : `Content-Encoding ${shown(encoding)}`
  const message = `${publicUrl(run.url)} was sent with ${how}, although the file was asked for as it is`
  throw new TransferError(`${message}; switch that off in the web server for job files`, { transient: false })
}

async function unexpected(run: Run, answer: HttpAnswer): Promise<TransferError> {
  return answerError(answer, { method: 'GET', url: run.url, signal: run.tools.signal })
}

/** @returns undefined when the end of the body is the end of the file */
function lengthOfWhole(answer: HttpAnswer): number | undefined {
  return isChunked(answer) ? undefined : contentLengthOf(answer)
}

function isChunked(answer: HttpAnswer): boolean {
  return answer.headers['transfer-encoding']?.trim().toLowerCase() === 'chunked'
}

/** What a server wrote, for people. */
function shown(text = ''): string {
  return JSON.stringify(text.slice(0, 40).replace(/[^ -~]/g, '?'))
}

/** After a failure: what is there waits for the next attempt, if there will be one. */
async function leave(run: Run, failure: unknown): Promise<void> {
  const { part, tools } = run
  if (!part) return
  run.part = undefined
  if (tools.signal.aborted) return disk.closePartFile(part.file)
  if (!(failure instanceof TransferError && failure.transient) || part.bytes === 0)
    return disk.discardNewFile(part.file)
  tools.kept?.(part.bytes)
  await notePart(part, tools)
  await disk.closePartFile(part.file)
}

/** Nothing of the part is trusted any more, not even by later attempts. */
async function startAnew(run: Run): Promise<undefined> {
  run.tools.log.debug({ url: publicUrl(run.url) }, 'a download cannot go on and starts anew')
  run.mayResume = false
  await discardPart(run)
  return undefined
}

async function discardPart(run: Run): Promise<void> {
  const { part } = run
  run.part = undefined
  if (part) await disk.discardNewFile(part.file)
}
