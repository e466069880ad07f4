import type { TransferTools } from '../action.js'
import type { HttpAnswer } from '../http-client.js'
import { TransferError } from '../transfer-error.js'
import { diskError } from './disk.js'
import { networkError } from './network-error.js'
import { type Part, readTail } from './part.js'
import { contentLengthOf, isOtherVersion, parseContentRange } from './version.js'
import { BodyWriteError, type WriteOutcome, writeBody } from './write-body.js'

/**
 * Writes the body of a 200 to an empty part.
 * @throws TransferError; `part.bytes` says what is there
 */
export async function receiveAll(answer: HttpAnswer, part: Part, tools: TransferTools): Promise<void> {
  const wanted = part.version.bytes ?? Number.MAX_SAFE_INTEGER
  await receive(answer, part, { start: 0, expected: undefined, maxBytes: wanted }, tools)
  if (part.version.bytes !== undefined && part.bytes !== wanted)
    throw new TransferError(`the file ended after ${part.bytes} of ${wanted} bytes`, { transient: true })
}

/**
 * Adds the body of a 206 to a part, after what it repeats of it was compared. `total`: of the whole file. `not the same`: the
 * server has other content now, or does not answer what it was asked; the part is as it was.
 */
export async function receiveRest(
  answer: HttpAnswer,
  part: Part,
  start: number,
  tools: TransferTools,
): Promise<{ readonly total: number } | 'not the same'> {
  const range = parseContentRange(answer.headers['content-range'])
  const length = contentLengthOf(answer)
  const rangeBytes = range ? range.last - range.first + 1 : 0
  if (
    range?.first !== start ||
    range.total < part.bytes ||
    rangeBytes < part.bytes - start ||
    (length !== undefined && length !== rangeBytes) ||
    isOtherVersion(part.version, answer, range.total)
  ) {
    answer.body.destroy()
    return 'not the same'
  }
  const expected = start < part.bytes ? await readTail(part, start) : undefined
  const outcome = await receive(answer, part, { start, expected, maxBytes: rangeBytes }, tools)
  if (outcome !== 'whole') return 'not the same'
  if (part.bytes !== range.last + 1)
    throw new TransferError(`the range ended after ${part.bytes} of ${range.last + 1} bytes`, {
      transient: true,
    })
  return { total: range.total }
}

interface Place {
  readonly start: number
  readonly expected: Uint8Array | undefined
  readonly maxBytes: number
}

async function receive(
  answer: HttpAnswer,
  part: Part,
  { start, expected, maxBytes }: Place,
  tools: TransferTools,
): Promise<WriteOutcome> {
  const options = { position: start, expected, maxBytes, progress: (bytes: number) => tools.progress(bytes) }
  try {
    const { outcome, bytes } = await writeBody(answer, part.file.fd, options)
    part.bytes = Math.max(part.bytes, start + bytes)
    return outcome
  } catch (error) {
    if (!(error instanceof BodyWriteError)) throw error
    part.bytes = error.writtenBytes === undefined ? 0 : Math.max(part.bytes, start + error.writtenBytes)
    throw error.ofDisk ? diskError(error.cause) : networkError(error.cause, answer.url, tools.signal)
  }
}
