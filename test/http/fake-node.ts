import { mkdir } from 'node:fs/promises'
import path from 'node:path'
import { onTestFinished } from 'vitest'
import {
  createHttpServer,
  type HttpNode,
  type HttpServer,
  type ServerOptions,
} from '../../src/http/server.js'
import type { JobManager, SubmitRequest } from '../../src/jobs/types.js'
import { MagnetarError } from '../../src/lib/errors.js'
import type { Logger } from '../../src/lib/log.js'
import { removeTree } from '../../src/lib/remove-tree.js'
import { tempDirectory } from '../helpers/temp-directory.js'

const DIRECTORIES: Record<string, string> = {
  input: 'inputs',
  output: 'outputs',
  output_workdir: 'working',
  config: 'configs',
}

export interface FakeManager extends JobManager {
  readonly staging: string
  readonly submitted: SubmitRequest[]
  readonly cancelled: string[]
}

/** A manager that keeps its jobs in a directory and runs nothing. */
export function createFakeManager(name: string, staging: string): FakeManager {
  const baseOf = (jobId: string, type: string): string => {
    const directory = DIRECTORIES[type]
    if (!directory) throw new MagnetarError('FILE_TYPE_INVALID', `${type} is no type of file`)
    if (['.', '..'].includes(jobId)) throw new MagnetarError('JOB_ID_INVALID', 'the job id is only dots')
    return path.join(staging, jobId, directory)
  }
  const componentsOf = (file: string): string[] => {
    const components = file.split('/').filter((part) => part !== '')
    if (components.length === 0) throw new MagnetarError('FILE_NAME_INVALID', 'the name is empty')
    if (components.includes('..')) throw new MagnetarError('FILE_OUTSIDE_JOB', 'the name has ".."')
    return components
  }
  const submitted: SubmitRequest[] = []
  const cancelled: string[] = []
  return {
    name,
    staging,
    submitted,
    cancelled,
    async setup({ jobId, toolId, toolVersion }) {
      await mkdir(path.join(staging, jobId, 'outputs'), { recursive: true })
      return { job_id: jobId, tool_id: toolId ?? null, tool_version: toolVersion ?? null }
    },
    async submit(jobId, request) {
      if (jobId === 'explodes') throw new Error('secret detail at /etc/passwd')
      if (jobId === 'full') throw Object.assign(new Error('no space'), { code: 'ENOSPC' })
      if (jobId === 'missing') throw new MagnetarError('JOB_NOT_SET_UP', 'job missing is not set up')
      submitted.push(request)
    },
    status: async (jobId) => ({ complete: 'false', status: 'running', job_id: jobId }),
    async cancel(jobId) {
      cancelled.push(jobId)
    },
    async clean(jobId) {
      removeTree(path.join(staging, jobId))
    },
    async uploadPath(jobId, type, file) {
      const base = baseOf(jobId, type)
      await mkdir(path.dirname(base), { recursive: true })
      return { base, components: componentsOf(file) }
    },
    downloadPath: (jobId, type, file) => ({ base: baseOf(jobId, type), components: componentsOf(file) }),
  }
}

export interface LogLine {
  readonly level: string
  readonly message: string
  readonly fields: Record<string, unknown>
}

export function createRecordingLogger(lines: LogLine[], bound: Record<string, unknown> = {}): Logger {
  const at = (level: string) => (first: object | string, message?: string) => {
    if (typeof first === 'string') lines.push({ level, message: first, fields: bound })
    else lines.push({ level, message: message ?? '', fields: { ...bound, ...first } })
  }
  return {
    debug: at('debug'),
    info: at('info'),
    warn: at('warn'),
    error: at('error'),
    child: (fields) => createRecordingLogger(lines, { ...bound, ...fields }),
  }
}

export interface TestServer {
  readonly server: HttpServer
  readonly port: number
  readonly manager: FakeManager
  readonly lines: LogLine[]
  /** Base directory of a job's type of file. */
  base(jobId: string, type: string): string
}

/** A server over fake managers on a free port; closed when the test has finished. */
export async function startServer(
  node: Partial<HttpNode> = {},
  options: ServerOptions = {},
  change: (manager: FakeManager) => Partial<JobManager> = () => ({}),
): Promise<TestServer> {
  const staging = await tempDirectory()
  const manager = createFakeManager('_default_', staging)
  const used = { ...manager, ...change(manager) }
  const lines: LogLine[] = []
  const server = createHttpServer(
    {
      managers: new Map<string, JobManager>([
        ['_default_', used],
        ['second', createFakeManager('second', path.join(staging, 'of-second'))],
      ]),
      privateToken: undefined,
      version: '0.16.0',
      cacheDirectory: undefined,
      log: createRecordingLogger(lines),
      ...node,
    },
    options,
  )
  const { port } = await server.listen({ host: '127.0.0.1', port: 0 })
  onTestFinished(() => server.close({ graceMs: 0 }))
  const base = (jobId: string, type: string): string => path.join(staging, jobId, DIRECTORIES[type] ?? type)
  return { server, port, manager, lines, base }
}
