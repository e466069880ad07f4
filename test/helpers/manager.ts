import path from 'node:path'
import type { ManagerConfig } from '../../src/config/types.js'
import type { Dependencies } from '../../src/dependencies/dependencies.js'
import { openManager, type RunningManager } from '../../src/jobs/manager.js'
import type { SubmitRequest } from '../../src/jobs/types.js'
import { type Logger, silentLogger } from '../../src/lib/log.js'
import type { Scheduler } from '../../src/schedulers/scheduler.js'
import type { HttpClient } from '../../src/staging/http-client.js'
import { createTransferQueue } from '../../src/staging/transfer-queue.js'
import { openMemoryStore } from '../../src/store/memory-store.js'
import type { Store } from '../../src/store/store.js'

const RETRIES = { maxRetries: undefined, intervalStartMs: 2000, intervalStepMs: 2000, intervalMaxMs: 30_000 }

/** A manager's configuration as an app.yml without any key gives it. */
export function managerConfig(stagingDirectory: string, more: Partial<ManagerConfig> = {}): ManagerConfig {
  return {
    name: '_default_',
    type: 'queued_python',
    stagingDirectory,
    assignIds: 'galaxy',
    galaxyHome: undefined,
    galaxyVirtualEnv: undefined,
    galaxyConfigFile: undefined,
    galaxyDatasetFilesPath: undefined,
    galaxyDatatypesConfigFile: undefined,
    tmpDir: undefined,
    debug: false,
    maximumStreamSizeBytes: 1048576,
    jobDirectoryMode: undefined,
    env: [],
    numConcurrentJobs: 1,
    nativeSpecification: undefined,
    jobNameTemplate: 'pulsar_$job_id',
    drmaaLibraryPath: undefined,
    drmaaFallback: true,
    minPollingIntervalMs: 500,
    jobPlugin: undefined,
    shellPlugin: undefined,
    jobParameters: {},
    returnCodeWaitMs: 15_000,
    stageInRetries: RETRIES,
    stageOutRetries: RETRIES,
    liveOutput: undefined,
    ...more,
  }
}

const noHttp: HttpClient = {
  request: () => Promise.reject(new Error('this test has no Galaxy')),
  close: async () => {},
}

/** A manager over directories below `directory`, with a store that a second one can take over. */
export async function startManager(
  directory: string,
  scheduler: Scheduler,
  more: {
    store?: Store
    http?: HttpClient
    config?: Partial<ManagerConfig>
    returnCodeWaitMs?: number
    bootId?: string
    log?: Logger
    dependencies?: Dependencies
    neighbours?: readonly string[]
  } = {},
): Promise<RunningManager> {
  return openManager({
    config: managerConfig(path.join(directory, 'jobs'), more.config),
    ...(more.neighbours ? { neighbours: more.neighbours } : {}),
    version: '0.16.0',
    scheduler,
    returnCodeWaitMs: more.returnCodeWaitMs ?? 0,
    bootId: more.bootId,
    metrics: [{ type: 'core', options: {} }],
    dependencies: more.dependencies,
    store: more.store ?? openMemoryStore(),
    transfers: createTransferQueue({ atOnce: 8, perJob: 4 }),
    http: more.http ?? noHttp,
    persistenceDirectory: path.join(directory, 'active'),
    log: more.log ?? silentLogger,
  })
}

export function submitRequest(commandLine: string, more: Partial<SubmitRequest> = {}): SubmitRequest {
  return {
    command_line: commandLine,
    submit_params: {},
    dependencies_description: null,
    setup_params: {},
    remote_staging: {},
    env: [],
    dynamic_file_sources: null,
    token_endpoint: null,
    setup: false,
    touch_outputs: [],
    ...more,
  }
}

/** Resolves when the job's status is `wanted`. */
export async function untilStatus(manager: RunningManager, jobId: string, wanted: string): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const stop = manager.onChange((change) => {
      if (change.jobId !== jobId || change.to !== wanted) return
      stop()
      resolve()
    })
    manager.manager.status(jobId).then((found) => {
      if (found.status !== wanted) return
      stop()
      resolve()
    }, reject)
  })
}
