import { randomBytes } from 'node:crypto'
import path from 'node:path'
import type { ManagerConfig } from '../config/types.js'
import { dump } from '../staging/http/dump.js'
import type { HttpClient } from '../staging/http-client.js'
import { isTransientStatus, publicUrl, TransferError } from '../staging/transfer-error.js'
import type { LiveStream } from './disk/live-state.js'

/** Where the streams of a job go. */
export interface LiveTarget {
  readonly host: string
  readonly urls: Readonly<Record<LiveStream, string>>
}

interface Staging {
  readonly action_mapper?: { readonly files_endpoint?: unknown } | null
  readonly client_outputs?: { readonly working_directory?: unknown } | null
}

/** undefined: Galaxy did not say where, so nothing is sent. */
export function liveTarget(remoteStaging: unknown): LiveTarget | undefined {
  const { action_mapper: mapper, client_outputs: outputs } = (remoteStaging ?? {}) as Staging
  const endpoint = mapper?.files_endpoint
  const working = outputs?.working_directory
  if (typeof endpoint !== 'string' || typeof working !== 'string' || !URL.canParse(endpoint)) return undefined
  const url = (stream: LiveStream): string => {
    const file = path.posix.join(path.posix.dirname(working), 'outputs', path.posix.basename(stream))
    const query = new URLSearchParams({ path: file, file_type: 'output' })
    return `${endpoint}${endpoint.includes('?') ? '&' : '?'}${query}`
  }
  return {
    host: new URL(endpoint).host,
    urls: {
      'metadata/tool_stdout': url('metadata/tool_stdout'),
      'metadata/tool_stderr': url('metadata/tool_stderr'),
    },
  }
}

/** Whether the end of a job's output has to be sent when it has run. */
export function wantsLiveOutput({ liveOutput }: ManagerConfig, remoteStaging: unknown): boolean {
  return liveOutput !== undefined && liveTarget(remoteStaging) !== undefined
}

/** Sends bytes, which Galaxy appends. @throws TransferError */
export async function postChunk(
  http: HttpClient,
  target: LiveTarget,
  stream: LiveStream,
  bytes: Buffer,
  signal: AbortSignal,
): Promise<void> {
  const boundary = `magnetar-${randomBytes(16).toString('hex')}`
  const head = `--${boundary}\r\nContent-Disposition: form-data; name="file"; filename="${path.posix.basename(stream)}"\r\n\r\n`
  const body = Buffer.concat([Buffer.from(head), bytes, Buffer.from(`\r\n--${boundary}--\r\n`)])
  const answer = await http.request({
    method: 'POST',
    url: target.urls[stream],
    headers: { 'content-type': `multipart/form-data; boundary=${boundary}` },
    body: () => body,
    bodyBytes: body.length,
    signal,
  })
  // Read for a moment, so that the connection can be used again; nobody waits for it.
  void dump(answer.body)
  if (answer.status >= 200 && answer.status < 300) return
  throw new TransferError(`${publicUrl(target.urls[stream])} answered ${answer.status}`, {
    transient: isTransientStatus(answer.status),
    status: answer.status,
  })
}
