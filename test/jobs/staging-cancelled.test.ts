import { writeFileSync } from 'node:fs'
import { beforeEach, describe, expect, it } from 'vitest'
import { generated } from '../helpers/job-files/content.js'
import type { Fault, RequestRecord } from '../helpers/job-files/types.js'
import { type JobFilesServer, startJobFilesServer } from '../helpers/job-files-server.js'
import { isHeld } from '../helpers/open-connections.js'
import { type PullNode, startPullNode } from '../helpers/pull-node.js'
import { createPulledJob, HTTP_ACTIONS, type HttpAction, type PulledJob } from '../helpers/pulled-job.js'
import { tempDirectory } from '../helpers/temp-directory.js'
import { openBelow } from '../helpers/transfer-tools.js'
import { waitFor } from '../helpers/wait-for.js'

const BYTES = 3_000_000
/** Whoever is to be tried again is not before the test is over. */
const SELDOM = { maxRetries: 5, intervalStartMs: 300_000, intervalStepMs: 0, intervalMaxMs: 300_000 }

let galaxy: JobFilesServer
let node: PullNode

async function start(atOnce = 8): Promise<void> {
  node = await startPullNode(await tempDirectory(), {
    config: { stageInRetries: SELDOM, stageOutRetries: SELDOM },
    timeouts: { headersMs: 300_000, idleMs: 300_000 },
    atOnce,
  })
}

beforeEach(async () => {
  galaxy = await startJobFilesServer()
})

const makeJob = (id: string, action: HttpAction, before?: string): PulledJob =>
  createPulledJob(
    galaxy,
    id,
    [1, 2].map((seed) => ({ action, content: generated(BYTES, seed) })),
    [action, action],
    before,
  )

async function submit(job: PulledJob): Promise<void> {
  await node.client.setup(job.id)
  await node.client.submit(job.id, job.commandLine, job.remoteStaging)
}

const requestsOf = (job: PulledJob): RequestRecord[] =>
  galaxy.log.filter(({ path: asked }) => asked?.startsWith(`${job.base}/`))

/** Cancels; everything of the job then ends, and nothing of it follows while another job goes from its begin to its end. */
async function expectSilence(job: PulledJob): Promise<void> {
  const underWay = requestsOf(job).filter(({ isOver }) => !isOver)
  await node.client.cancel(job.id)
  expect((await node.client.status(job.id)).status).toBe('cancelled')
  // Far sooner than anything would end by itself.
  // A server that has stopped reading what it is sent does not see that it ends.
  const seen = underWay.filter(({ method }) => method === 'GET')
  await waitFor(() => seen.every(({ isOver }) => isOver), { what: 'end of its requests' })
  await waitFor(() => !underWay.some(({ clientPort }) => isHeld(clientPort)), {
    what: 'end of its connections',
  })
  await waitFor(() => !node.running.context.jobs.has(job.id), { what: 'end of the job' })
  expect(openBelow(`${node.stagingDirectory}/${job.id}`)).toEqual([])
  const { length } = requestsOf(job)
  galaxy.plan = () => undefined
  expect(await node.run(makeJob('another', 'remote_transfer'))).toMatchObject({
    status: 'complete',
    returncode: 0,
  })
  expect(requestsOf(job)).toHaveLength(length)
  expect((await node.client.status(job.id)).status).toBe('cancelled')
}

interface Moment {
  readonly name: string
  readonly method: 'GET' | 'POST' | 'PATCH' | 'HEAD'
  readonly fault: Fault
  /** Bytes that have moved when nothing moves any more. */
  readonly bytes: number
}

const MOMENTS: Readonly<Record<HttpAction, readonly Moment[]>> = {
  remote_transfer: [
    { name: 'no headers yet', method: 'GET', fault: { kind: 'hang', after: -1 }, bytes: 0 },
    {
      name: 'an input half there',
      method: 'GET',
      fault: { kind: 'hang', after: 1_500_000 },
      bytes: 1_500_000,
    },
    {
      name: 'an input that comes slowly',
      method: 'GET',
      fault: { kind: 'slow', bytesPerSecond: 20_000 },
      bytes: 2000,
    },
    { name: 'an output not answered', method: 'POST', fault: { kind: 'hang', after: -1 }, bytes: 0 },
    {
      name: 'an output half gone',
      method: 'POST',
      fault: { kind: 'hang', after: 1_500_000 },
      bytes: 1_500_000,
    },
  ],
  remote_transfer_tus: [
    { name: 'an upload that is begun', method: 'POST', fault: { kind: 'hang', after: -1 }, bytes: 0 },
    {
      name: 'an upload half gone',
      method: 'PATCH',
      fault: { kind: 'hang', after: 1_500_000 },
      bytes: 1_500_000,
    },
  ],
}

describe.each(HTTP_ACTIONS)('a job that is cancelled: %s', (action) => {
  it.each(MOMENTS[action])('stops at once: $name', async ({ method, fault, bytes }) => {
    await start()
    const job = makeJob('cancelled', action)
    galaxy.plan = (record) =>
      record.method === method && record.path?.startsWith(`${job.base}/`) ? fault : undefined
    await submit(job)
    const caught = await waitFor(() => requestsOf(job).find((record) => record.method === method), {
      what: method,
    })
    await waitFor(() => caught.sentBytes + caught.receivedBytes >= bytes, { what: 'bytes' })
    expect(caught.isOver).toBe(false)
    await expectSilence(job)
  })

  it.each(['GET', 'POST'])('is not tried again when it waits for that: %s', async (method) => {
    await start()
    const job = makeJob('cancelled', action)
    galaxy.plan = (record) =>
      record.method === method && record.path?.startsWith(`${job.base}/`)
        ? { kind: 'status', status: 503, late: true }
        : undefined
    await submit(job)
    await waitFor(() => node.log.lines.filter((line) => line.includes('trying again in')).length === 2, {
      what: 'two failures',
    })
    await expectSilence(job)
  })

  it.each(['GET', 'POST'])('does not begin when its files wait for their turn: %s', async (method) => {
    await start(1)
    const first = makeJob('first', action)
    const go = `${await tempDirectory()}/go`
    const job = makeJob('cancelled', action, `until [ -e '${go}' ]; do sleep 0.02; done`)
    const hangs = (record: RequestRecord): boolean =>
      record.path?.startsWith(`${first.base}/`) === true && record.method === method
    galaxy.plan = (record) => (hangs(record) ? { kind: 'hang', after: -1 } : undefined)
    // With its outputs still to be made, while the other's hold the only place.
    if (method === 'POST') {
      await submit(job)
      await waitFor(async () => (await node.client.status(job.id)).status === 'running', {
        what: 'running job',
      })
    }
    await submit(first)
    await waitFor(() => requestsOf(first).some(hangs), { what: 'first job' })
    if (method === 'GET') await submit(job)
    writeFileSync(go, '')
    const direction = method === 'GET' ? 'in' : 'out'
    await waitFor(() => node.running.context.jobs.get(job.id)?.progress?.direction === direction, {
      what: 'waiting files',
    })
    await node.client.cancel(job.id)
    await waitFor(() => !node.running.context.jobs.has(job.id), { what: 'end of the job' })
    const { length } = requestsOf(job)
    await node.client.cancel(first.id)
    await expectSilence(first)
    expect(requestsOf(job)).toHaveLength(length)
    expect(requestsOf(job).filter((record) => record.method === method)).toEqual([])
    expect((await node.client.status(job.id)).status).toBe('cancelled')
  })
})
