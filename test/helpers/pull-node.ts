import { onTestFinished } from 'vitest'
import type { ManagerConfig } from '../../src/config/types.js'
import { createHttpServer } from '../../src/http/server.js'
import { openManager, type RunningManager } from '../../src/jobs/manager.js'
import { startMonitor } from '../../src/jobs/monitor.js'
import { isDone } from '../../src/jobs/transitions.js'
import { createLocalScheduler } from '../../src/schedulers/local.js'
import { createHttpClient, type HttpClientOptions } from '../../src/staging/node-http-client.js'
import { createTransferQueue } from '../../src/staging/transfer-queue.js'
import { openMemoryStore } from '../../src/store/memory-store.js'
import { managerConfig } from './manager.js'
import type { PulledJob } from './pulled-job.js'
import { createPulsarClient, type PulsarClient, type StatusDocument } from './pulsar-client.js'
import { createRecordingLog, type RecordingLog } from './recording-log.js'

/** A node in this process as node.ts puts it together: its REST API, real jobs, and transfers that may be hurried. */
export interface PullNode {
  readonly client: PulsarClient
  readonly running: RunningManager
  readonly stagingDirectory: string
  readonly log: RecordingLog
  /** Submits a job over REST; resolves with its final status. */
  run(job: PulledJob): Promise<StatusDocument>
}

export interface PullNodeOptions {
  readonly config?: Partial<ManagerConfig>
  readonly timeouts?: HttpClientOptions['timeouts']
  readonly atOnce?: number
  readonly perJob?: number
}

/** Closed with its test. */
export async function startPullNode(directory: string, options: PullNodeOptions = {}): Promise<PullNode> {
  const log = createRecordingLog()
  const stagingDirectory = `${directory}/jobs`
  const config = managerConfig(stagingDirectory, { numConcurrentJobs: 8, ...options.config })
  const atOnce = options.atOnce ?? 8
  const http = createHttpClient({
    log,
    maxSockets: atOnce,
    environment: {},
    ...(options.timeouts ? { timeouts: options.timeouts } : {}),
  })
  const running = await openManager({
    config,
    version: '0.16.0',
    scheduler: createLocalScheduler({ limit: config.numConcurrentJobs }, log),
    returnCodeWaitMs: 0,
    metrics: [],
    store: openMemoryStore(),
    transfers: createTransferQueue({ atOnce, perJob: options.perJob ?? 4 }),
    http,
    persistenceDirectory: `${directory}/active`,
    log,
  })
  await running.load()
  const monitor = startMonitor([running.context], log)
  const server = createHttpServer({
    managers: new Map([[running.manager.name, running.manager]]),
    privateToken: undefined,
    version: '0.16.0',
    cacheDirectory: undefined,
    log,
  })
  const { port } = await server.listen({ host: '127.0.0.1', port: 0 })
  onTestFinished(async () => {
    await server.close({ graceMs: 1000 })
    monitor.stop()
    await running.close()
    await http.close()
  })
  const client = createPulsarClient(`http://127.0.0.1:${port}/`)
  return {
    client,
    running,
    stagingDirectory,
    log,
    async run({ id, commandLine, remoteStaging }) {
      const over = new Promise<void>((resolve) => {
        const stop = running.onChange((change) => {
          if (change.jobId !== id || !isDone(change.to)) return
          stop()
          resolve()
        })
      })
      await client.setup(id)
      await client.submit(id, commandLine, remoteStaging)
      await over
      return client.status(id)
    },
  }
}
