import { z } from 'zod'
import { messageOf } from '../../lib/errors.js'
import type { TransferTools } from '../action.js'
import { publicUrl, TransferError } from '../transfer-error.js'
import { MAX_HOST } from './redirect.js'

/** An upload that was begun: where, and of which state of which file. */
const noteSchema = z.object({ session: z.string(), stamp: z.string() })

/** The session that an earlier attempt began for the file as it is now. */
export function recallSession(tools: TransferTools, stamp: string): string | undefined {
  const text = tools.memory.get()
  if (text === undefined) return undefined
  try {
    const note = noteSchema.safeParse(JSON.parse(text)).data
    return note?.stamp === stamp ? note.session : undefined
  } catch {
    return undefined
  }
}

/** Notes a session for later attempts; that this fails only costs them the bytes that were sent. */
export async function noteSession(tools: TransferTools, session: string, stamp: string): Promise<void> {
  try {
    await tools.memory.set(JSON.stringify({ session, stamp }))
  } catch (error) {
    tools.log.warn({ reason: messageOf(error) }, 'the address of an upload could not be noted')
  }
}

/**
 * Galaxy's endpoint for resumable uploads beside the one for job files (pulsar/client/transport/tus.py: find_tus_endpoint).
 * @throws TransferError when the address has no such part
 */
export function tusEndpoint(url: string): string {
  const parsed = new URL(url)
  const path = parsed.pathname.replace(/jobs\/[^/]*\/files/, 'job_files/resumable_upload')
  if (path === parsed.pathname) {
    const message = `${publicUrl(url)} has no jobs/…/files in it, so the place for resumable uploads is not known`
    throw new TransferError(message, { transient: false })
  }
  parsed.pathname = path
  return parsed.href
}

/**
 * The address of a new session from the Location of its creation at `base`. Behind a proxy that ends TLS, servers often write
 * http:// although they were asked with https: on the same host that means the address they were asked at.
 * @throws TransferError
 */
export function sessionUrl(location: string | undefined, base: string): string {
  const where = publicUrl(base)
  if (location === undefined || !URL.canParse(location, base))
    throw new TransferError(`${where} began a resumable upload without saying where`, { transient: false })
  const asked = new URL(base)
  const url = new URL(location, base)
  if (!isDecodable(lastPart(url)) || url.hostname.length > MAX_HOST)
    throw new TransferError(`${where} began a resumable upload at something that is no address`, {
      transient: false,
    })
  if (asked.protocol === 'https:' && url.protocol === 'http:') {
    if (url.hostname !== asked.hostname || url.port !== asked.port) {
      const message = `${where} leads a resumable upload from https to plain http at ${url.host}`
      throw new TransferError(message, { transient: false })
    }
    url.protocol = 'https:'
  }
  return url.href
}

/** The last part of a session's path, by which Galaxy is told to take the file. */
export function sessionId(session: string): string {
  return decodeURIComponent(lastPart(new URL(session)))
}

function lastPart({ pathname }: URL): string {
  return pathname.replace(/^.*\//, '')
}

function isDecodable(text: string): boolean {
  try {
    decodeURIComponent(text)
    return true
  } catch {
    return false
  }
}
