import { writeFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { addBytes, describeProgress, rateOf, startProgress } from '../../src/jobs/transfer-progress.js'
import { describeTransfers } from '../../src/jobs/transfers.js'
import { createHttpClient } from '../../src/staging/node-http-client.js'
import { createFakeScheduler } from '../helpers/fake-scheduler.js'
import { startJobFilesServer } from '../helpers/job-files-server.js'
import { startManager, submitRequest, untilStatus } from '../helpers/manager.js'
import { createRecordingLog } from '../helpers/recording-log.js'
import { tempDirectory } from '../helpers/temp-directory.js'
import { waitFor } from '../helpers/wait-for.js'

describe('the progress of transfers', () => {
  it('has a rate of the last seconds, and one of the whole', () => {
    const progress = startProgress('in', 2, 1_000_000)
    for (let second = 0; second < 60; second++) addBytes(progress, 1e6, 1_000_000 + second * 1000)
    expect(rateOf(progress, 1_060_000)).toBe(1e6)
    expect(rateOf(progress, 1_063_000)).toBeLessThan(500_000)
    expect(rateOf(progress, 1_100_000)).toBe(0)
    expect(describeProgress(progress, progress.bytes, 1_060_000)).toBe('0 of 2 files, 60.0 MB, 1.0 MB/s')
  })

  it('does not take the first moment for a second', () => {
    const progress = startProgress('in', 1, 1_000_900)
    addBytes(progress, 1000, 1_000_950)
    expect(rateOf(progress, 1_001_400)).toBe(2000)
  })
})

describe('the transfers of a manager', () => {
  it('can be asked for while they last: what has moved, what waits and why', async () => {
    const galaxy = await startJobFilesServer()
    const log = createRecordingLog()
    const http = createHttpClient({ log, maxSockets: 8 })
    const slow = { maxRetries: undefined, intervalStartMs: 60_000, intervalStepMs: 0, intervalMaxMs: 60_000 }
    const running = await startManager(await tempDirectory(), createFakeScheduler(), {
      http,
      log,
      config: { stageInRetries: slow },
    })
    galaxy.serve('/galaxy/good', 'x'.repeat(1000))
    galaxy.plan = ({ path }) =>
      path === '/galaxy/good' ? undefined : { kind: 'status', status: 503, body: 'busy' }
    const names = ['good', ...Array.from({ length: 200 }, (_, at) => `bad${at}`)]
    const setup = names.map((name) => ({
      name,
      type: 'input',
      action: { path: `/${name}`, action_type: 'remote_transfer', url: galaxy.fileUrl(`/galaxy/${name}`) },
    }))
    expect(describeTransfers(running.context)).toEqual([])
    await running.manager.setup({ jobId: '7', toolId: undefined, toolVersion: undefined })
    await running.manager.submit('7', submitRequest('true', { remote_staging: { setup } }))
    const [state] = await waitFor(
      () => {
        const found = describeTransfers(running.context)
        return found[0]?.retrying?.files === 200 && found
      },
      { what: 'failed transfers' },
    )
    expect(state).toMatchObject({ jobId: '7', direction: 'in', files: 201, filesDone: 1, bytes: 1000 })
    expect(state?.retrying?.message).toMatch(/^input bad\d+: GET http.* 503 Service Unavailable: busy$/)
    const waitsMs = (state?.retrying?.nextAttemptAtMs ?? 0) - Date.now()
    expect(waitsMs).toBeGreaterThan(30_000)
    expect(waitsMs).toBeLessThan(60_000)
    await waitFor(() => log.lines.some((line) => line.includes('trying again in')), { what: 'line' })
    expect(log.lines.filter((line) => line.startsWith('warn'))).toHaveLength(1)
    expect(log.lines.join()).not.toContain(galaxy.key)
    await running.manager.cancel('7')
    await waitFor(() => running.context.jobs.size === 0, { what: 'end of the job' })
    expect(describeTransfers(running.context)).toEqual([])
    await running.close()
    await http.close()
  })

  it('has few lines in the log when Galaxy refuses every output', async () => {
    const galaxy = await startJobFilesServer()
    const log = createRecordingLog()
    const http = createHttpClient({ log, maxSockets: 8 })
    const root = await tempDirectory()
    const scheduler = createFakeScheduler()
    const running = await startManager(root, scheduler, { http, log })
    galaxy.plan = () => ({ kind: 'status', status: 403 })
    const client_outputs = { working_directory: '/galaxy/w', dynamic_outputs: ['.*'] }
    const action_mapper = { default_action: 'remote_transfer', files_endpoint: galaxy.endpoint }
    await running.manager.setup({ jobId: '7', toolId: undefined, toolVersion: undefined })
    await running.manager.submit(
      '7',
      submitRequest('true', { remote_staging: { action_mapper, client_outputs } }),
    )
    await waitFor(() => running.context.jobs.get('7')?.externalId, { what: 'launch' })
    for (let at = 0; at < 100; at++) writeFileSync(`${root}/jobs/7/working/${at}`, 'x')
    writeFileSync(`${root}/jobs/7/return_code`, '0\n')
    scheduler.report('x-7', { state: 'ended', exitCode: 0 })
    await untilStatus(running, '7', 'complete')
    const warnings = log.lines.filter((line) => line.startsWith('warn'))
    expect(warnings).toHaveLength(6)
    expect(warnings[5]).toContain('95 more files were not delivered')
    await running.close()
    await http.close()
  })
})
