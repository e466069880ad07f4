/** A longer head is left to Node's parser. */
const MAX_HEAD_BYTES = 16 * 1024
const END = '\r\n\r\n'
const LENGTH = /\r\ncontent-length:[ \t]*(\d{1,15})[ \t]*(?=\r\n)/i

export interface PlainHead {
  /** The head, saying that there is no body. */
  readonly bodiless: Buffer
  /** Where the body begins in what was read, and how long it is. */
  readonly bodyAt: number
  readonly bodyBytes: number
}

/**
 * The head of an answer with one of these statuses at the beginning of what was read from a connection, when it is whole and leaves no doubt that
 * a body of a known length follows; else undefined.
 */
export function readPlainHead(read: Buffer, statuses: readonly number[]): PlainHead | undefined {
  const end = read.subarray(0, MAX_HEAD_BYTES).indexOf(END)
  if (end < 0) return undefined
  const bodyAt = end + END.length
  const text = read.toString('latin1', 0, bodyAt)
  if (!statuses.includes(Number(/^HTTP\/1\.1 (\d{3})[ \r]/.exec(text)?.[1]))) return undefined
  // Anything that gives the length another meaning, or that two parsers could read in two ways.
  if (/\r\n(?:transfer-encoding|upgrade|trailer|[ \t])|[^\r]\n|\r[^\n]|\0/i.test(text)) return undefined
  if (text.match(/content-length/gi)?.length !== 1) return undefined
  const [line = '', digits] = LENGTH.exec(text) ?? []
  const bodyBytes = Number(digits)
  if (!(bodyBytes > 0)) return undefined
  const bodiless = Buffer.from(text.replace(line, '\r\nContent-Length: 0'), 'latin1')
  return { bodiless, bodyAt, bodyBytes }
}
