import type http from 'node:http'
import https from 'node:https'
import type { Duplex } from 'node:stream'
import tls from 'node:tls'
import type { Logger } from '../../lib/log.js'
import { DirectReadsAgent } from './direct-reads.js'
import type { readProxy } from './proxy.js'
import { createTrust } from './trust.js'
import { openTunnel } from './tunnel.js'

export interface AgentSettings {
  readonly authority: string | undefined
  readonly proxy: ReturnType<typeof readProxy>
  readonly maxSockets: number
  readonly connectMs: number
  readonly log: Logger
}

/** The pools of connections, one for each way to a host. */
export interface Agents {
  agentFor(url: URL): http.Agent
  destroy(): void
}

/** An idle connection is kept so long, or less when its server says so: shorter than most servers do. */
const IDLE_MS = 4000
/** Of sockets and bodies: fewer, larger wake-ups of whoever reads. */
const BUFFER_BYTES = 256 * 1024

export function createAgents(settings: AgentSettings): Agents {
  const { proxy, maxSockets, log } = settings
  const common = { keepAlive: true, maxSockets, timeout: IDLE_MS, highWaterMark: BUFFER_BYTES }
  const plain = new DirectReadsAgent(common)
  let trust: tls.SecureContext | undefined
  let direct: https.Agent | undefined
  let tunnelled: https.Agent | undefined

  // Reading all certificates takes 50 ms: once, and only for https.
  function secure(): https.AgentOptions {
    trust ??= createTrust(settings.authority, log)
    return { ...common, secureContext: trust }
  }

  return {
    agentFor(url) {
      if (url.protocol !== 'https:') return plain
      if (!proxy || proxy.isExempt(url)) {
        direct ??= new https.Agent(secure())
        return direct
      }
      if (!tunnelled) {
        log.info({ proxy: proxy.url.host }, 'https goes through the proxy of the environment')
        tunnelled = new TunnelAgent(secure(), proxy.url, settings.connectMs)
      }
      return tunnelled
    },
    destroy() {
      for (const agent of [plain, direct, tunnelled]) agent?.destroy()
    },
  }
}

type OnConnection = (error: Error | null, socket?: Duplex) => void

/** Makes its connections through a tunnel of a proxy. */
class TunnelAgent extends https.Agent {
  readonly #proxy: URL
  readonly #connectMs: number
  constructor(options: https.AgentOptions, proxy: URL, connectMs: number) {
    super(options)
    this.#proxy = proxy
    this.#connectMs = connectMs
  }
  override createConnection(options: tls.ConnectionOptions, done: OnConnection): undefined {
    const target = { host: options.host ?? '', port: options.port ?? 443 }
    openTunnel(this.#proxy, target, options.secureContext, this.#connectMs).then(
      (socket) => done(null, tls.connect({ ...options, socket })),
      (error: unknown) => done(error instanceof Error ? error : new Error(String(error))),
    )
  }
}
