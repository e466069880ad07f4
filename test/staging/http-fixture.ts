import { onTestFinished } from 'vitest'
import { silentLogger } from '../../src/lib/log.js'
import type { HttpClient } from '../../src/staging/http-client.js'
import { createHttpClient, type HttpClientOptions } from '../../src/staging/node-http-client.js'
import {
  type JobFilesOptions,
  type JobFilesServer,
  startJobFilesServer,
} from '../helpers/job-files-server.js'

/** A client that no proxy of this machine's environment disturbs, closed with its test. */
export function openClient(options: Partial<HttpClientOptions> = {}): HttpClient {
  const http = createHttpClient({ log: silentLogger, maxSockets: 8, environment: {}, ...options })
  onTestFinished(() => http.close())
  return http
}

/** A server of job files and a client, for one test. */
export async function openHttpEnd(
  client: Partial<HttpClientOptions> = {},
  options: JobFilesOptions = {},
): Promise<{ server: JobFilesServer; http: HttpClient }> {
  const server = await startJobFilesServer(options)
  return { server, http: openClient(client) }
}
