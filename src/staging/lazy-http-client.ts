import type { TransfersConfig } from '../config/types.js'
import type { Logger } from '../lib/log.js'
import type { HttpClient } from './http-client.js'

/**
 * An HTTP client that is loaded by its first request: a node whose Galaxy moves all files itself never needs it. What an admin has set
 * for it is checked now and not by the first job.
 * @throws MagnetarError CONFIG_INVALID, CONFIG_UNREADABLE
 */
export async function createLazyHttpClient(config: TransfersConfig, log: Logger): Promise<HttpClient> {
  const { atOnce, answerTimeoutMs, caFile, allowedHosts } = config
  let loading: Promise<HttpClient> | undefined
  const load = (): Promise<HttpClient> => {
    loading ??= import('./node-http-client.js').then(({ createHttpClient }) =>
      createHttpClient({
        log,
        maxSockets: atOnce,
        timeouts: { headersMs: answerTimeoutMs },
        ...(caFile === undefined ? {} : { caFile }),
        ...(allowedHosts === undefined ? {} : { allowedHosts }),
      }),
    )
    return loading
  }
  if (caFile !== undefined || allowedHosts !== undefined) await load()
  return {
    request: async (request) => (await load()).request(request),
    async close() {
      await loading?.then((client) => client.close())
    },
  }
}
