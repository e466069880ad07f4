import { randomBytes } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { messageOf } from '../lib/errors.js'
import { quoteForShell } from '../lib/shell.js'
import { DELIVER_PATH, FETCH_PATH, type FilesServer, startFilesServer } from './files-server.js'
import type { SetUpJob } from './pulsar-calls.js'
import type { Session } from './session.js'
import { CheckProblem, type Finding, LeftOut } from './types.js'
import { judgeEnd, lastWords, watch } from './watch.js'

/** How the node reaches this machine; what is not said is found out. */
export interface PullOptions {
  /** Address or name of this machine. */
  readonly host: string | undefined
  readonly port: number | undefined
  /** Of a proxy or tunnel that leads here. */
  readonly url: string | undefined
  /** With which this machine reaches the node. */
  readonly localAddress: string
}

const CONTENT_BYTES = 64 * 1024
/** Without a request after this time it is not reached. */
const REACH_LIMIT_MS = 20_000
const POLL_MS = 100
const INPUT = 'fetched'
const OUTPUT = 'out'

/**
 * Lets the node fetch a file from a small server here and deliver another, as with Galaxy's remote_transfer.
 * @throws LeftOut when the node does not come, and nobody said that it can
 */
export async function checkPull(session: Session, options: PullOptions): Promise<Finding<true>> {
  const content = randomBytes(CONTENT_BYTES)
  const server = await listen(options, content)
  try {
    const job = await session.setUp(session.newJobId('pull'))
    const jobId = job.job_id
    await session.explained('pull', 'the submit of a job that fetches its input', () =>
      session.calls.submit(jobId, submitQuery(job, server.endpoint)),
    )
    await untilFetched(session, jobId, server, options)
    const { ended } = await watch(session, jobId)
    if (server.seen.fetched === 0) throw notReached(server, options, lastWords(ended))
    if (ended.status === 'complete' && ended.returncode === 0) judgeDelivery(server, content)
    else judgeFetched(ended)
    return { value: true, message: `fetched from ${server.url} and delivered` }
  } finally {
    await server.close()
  }
}

async function listen(options: PullOptions, content: Buffer): Promise<FilesServer> {
  const { host, port, url, localAddress } = options
  const address = host ?? localAddress.replace(/^::ffff:/, '')
  const plain = url?.startsWith('http:') ? new URL(url).port || '80' : undefined
  try {
    return await startFilesServer({
      content,
      url,
      address,
      listen: {
        // Only there where the node was reached; who names a host or URL may mean one that leads here.
        host: host === undefined && url === undefined ? localAddress : undefined,
        port: port ?? Number(plain ?? 0),
      },
    })
  } catch (error) {
    throw new CheckProblem('pull', {
      message: `no files server could be started here: ${messageOf(error)}`,
      why: WHY,
      fix: 'Name a port that is free and allowed with --files-port, or leave this out with --no-pull.',
    })
  }
}

const WHY = 'With remote_transfer the node fetches inputs from Galaxy and delivers outputs itself.'

function submitQuery(job: SetUpJob, endpoint: string): Record<string, string> {
  const input = quoteForShell(`${job.inputs_directory}/${INPUT}`)
  const output = quoteForShell(`${job.outputs_directory}/${OUTPUT}`)
  const url = `${endpoint}&${new URLSearchParams({ path: FETCH_PATH, file_type: 'input' })}`
  const none = { ssh_key: null, ssh_user: null, ssh_host: null, ssh_port: null }
  return {
    command_line: `cat ${input} > ${output}`,
    remote_staging: JSON.stringify({
      setup: [
        {
          name: INPUT,
          type: 'input',
          action: {
            path: FETCH_PATH,
            source: { path: FETCH_PATH, object_store_ref: null },
            action_type: 'remote_transfer',
            url,
          },
        },
      ],
      action_mapper: { default_action: 'remote_transfer', files_endpoint: endpoint, paths: [], ...none },
      client_outputs: {
        working_directory: '/magnetar-check/working',
        metadata_directory: null,
        job_directory: null,
        work_dir_outputs: [],
        output_files: [DELIVER_PATH],
        version_file: null,
        dynamic_outputs: ['no-such-output'],
        dynamic_file_sources: null,
        dataset_collector_descriptions: [],
      },
    }),
  }
}

/** Until the node came for its file, or will not. */
async function untilFetched(
  { calls, signal, limits, ...session }: Session,
  jobId: string,
  server: FilesServer,
  options: PullOptions,
): Promise<void> {
  const endMs = performance.now() + Math.min(REACH_LIMIT_MS, limits.jobMs)
  while (server.seen.fetched === 0) {
    const status = await session.explained('pull', 'the status of the job', () => calls.status(jobId))
    if (server.seen.fetched > 0) return
    if (status.complete === 'true') throw notReached(server, options, lastWords(status))
    if (performance.now() > endMs) throw notReached(server, options, '')
    await delay(POLL_MS, undefined, { signal })
  }
}

function notReached(server: FilesServer, { host, url }: PullOptions, said: string): CheckProblem | LeftOut {
  const wasSaid = host !== undefined || url !== undefined
  const message = `the node cannot reach this machine at ${server.url}${said}`
  const advice = {
    message: wasSaid ? message : `left out: ${message}`,
    why: WHY,
    fix: 'Say how it can: --files-host NAME, --files-port PORT (and open it in the firewall), or --files-url URL of a proxy or tunnel; or leave this out: --no-pull.',
  }
  return wasSaid ? new CheckProblem('pull', advice) : new LeftOut(advice)
}

function judgeDelivery({ seen, url }: FilesServer, content: Buffer): void {
  if (seen.delivered?.equals(content)) return
  throw problem(
    seen.delivered === undefined
      ? `the node fetched from ${url}, but did not deliver the output`
      : 'what the node delivered is not what it fetched',
  )
}

function judgeFetched(ended: Parameters<typeof judgeEnd>[0]): void {
  try {
    judgeEnd(ended, 0)
  } catch (error) {
    throw problem(`the node came for the file, but ${messageOf(error)}`)
  }
}

function problem(message: string): CheckProblem {
  return new CheckProblem('pull', {
    message,
    why: WHY,
    fix: "The log of the node says why; transfer_hosts and proxies (http_proxy) of the node also decide. Galaxy's push mode (default_file_action: transfer) does without.",
  })
}
