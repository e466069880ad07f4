import type { TransfersConfig } from '../config/types.js'
import type { Logger } from '../lib/log.js'
import type { HttpClient } from './http-client.js'

/** An HTTP client that is loaded by its first request: a node whose Galaxy moves all files itself never needs it. */
export function createLazyHttpClient(config: TransfersConfig, log: Logger): HttpClient {
  let loading: Promise<HttpClient> | undefined
  return {
    async request(request) {
      loading ??= import('./node-http-client.js').then(({ createHttpClient }) =>
        createHttpClient({
          log,
          maxSockets: config.atOnce,
          ...(config.caFile === undefined ? {} : { caFile: config.caFile }),
          ...(config.allowedHosts === undefined ? {} : { allowedHosts: config.allowedHosts }),
        }),
      )
      return (await loading).request(request)
    },
    async close() {
      await loading?.then((client) => client.close())
    },
  }
}
