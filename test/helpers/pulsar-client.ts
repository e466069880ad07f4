import { waitFor } from './wait-for.js'

export type StatusDocument = Readonly<Record<string, unknown>> & {
  readonly status: string
  readonly complete: string
}

/** The calls of a Pulsar client that tests need, over real HTTP. */
export interface PulsarClient {
  setup(id: string): Promise<Record<string, string>>
  submit(id: string, commandLine: string, remoteStaging?: unknown): Promise<void>
  status(id: string): Promise<StatusDocument>
  untilDone(id: string): Promise<StatusDocument>
  cancel(id: string): Promise<void>
  clean(id: string): Promise<void>
}

const jobTimeoutMs = 60_000

export function createPulsarClient(url: string): PulsarClient {
  async function call(method: string, route: string, query: Record<string, string>): Promise<string> {
    const response = await fetch(new URL(`${route}?${new URLSearchParams(query)}`, url), {
      method,
      // As real clients: gunicorn closes idle connections after 2 s, maybe just when the next request goes out.
      headers: { connection: 'close' },
      signal: AbortSignal.timeout(20_000),
    })
    const text = await response.text()
    if (!response.ok) throw new Error(`${method} ${route}: ${response.status} ${text}`)
    return text
  }
  const status = async (id: string): Promise<StatusDocument> =>
    JSON.parse(await call('GET', `jobs/${id}/status`, { job_id: id })) as StatusDocument
  return {
    setup: async (id) => JSON.parse(await call('POST', 'jobs', { job_id: id })) as Record<string, string>,
    async submit(id, commandLine, remoteStaging) {
      await call('POST', `jobs/${id}/submit`, {
        job_id: id,
        command_line: commandLine,
        ...(remoteStaging === undefined ? {} : { remote_staging: JSON.stringify(remoteStaging) }),
      })
    },
    status,
    untilDone: (id) =>
      waitFor(
        async () => {
          const found = await status(id)
          return found.complete === 'true' && found
        },
        { what: `end of job ${id}`, timeoutMs: jobTimeoutMs },
      ),
    async clean(id) {
      await call('DELETE', `jobs/${id}`, { job_id: id })
    },
    async cancel(id) {
      await call('PUT', `jobs/${id}/cancel`, { job_id: id })
    },
  }
}
