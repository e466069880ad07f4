import { describe, expect, it } from 'vitest'
import { issuesOf, loadApp, loadManager } from './helpers.js'

describe('options of transfers', () => {
  it('are eight at once, four per job, with any host, by default', async () => {
    const { transfers } = await loadApp('private_token: foo\n')
    expect(transfers).toEqual({
      atOnce: 8,
      perJob: 4,
      answerTimeoutMs: 300_000,
      allowedHosts: undefined,
      caFile: undefined,
    })
  })

  it('name hosts and the certificates of a private authority', async () => {
    const { transfers } = await loadApp(
      'transfers_at_once: 20\ntransfers_per_job: 5\ntransfer_answer_timeout: 1800\ntransfer_hosts: galaxy.example.org, *.example.org,\ntransfer_ca_file: ca.pem\n',
    )
    expect(transfers).toEqual({
      atOnce: 20,
      perJob: 5,
      answerTimeoutMs: 1_800_000,
      allowedHosts: ['galaxy.example.org', '*.example.org'],
      caFile: '/work-dir/ca.pem',
    })
  })

  it('say how several hosts are written', async () => {
    const { issues } = await issuesOf(loadApp('transfer_hosts:\n  - a.example.org\n  - b.example.org\n'))
    expect(issues).toEqual([
      expect.objectContaining({
        key: 'transfer_hosts',
        message: expect.stringContaining('hosts separated by commas'),
      }),
    ])
  })

  it('refuse none at once', async () => {
    const { issues } = await issuesOf(loadApp('transfers_at_once: 0\n'))
    expect(issues).toEqual([expect.objectContaining({ key: 'transfers_at_once' })])
  })

  it.each([
    ['', undefined],
    ['preprocess_action_max_retries: -1', 0],
    ['preprocess_action_max_retries: -5', 0],
    ['preprocess_action_max_retries: 0', Number.POSITIVE_INFINITY],
    ['preprocess_action_max_retries:', Number.POSITIVE_INFINITY],
    ['preprocess_action_max_retries: ""', Number.POSITIVE_INFINITY],
    ['preprocess_action_max_retries: "5"', 5],
  ])('repeat stage-in as the Python server does: %j', async (line, maxRetries) => {
    const { stageInRetries } = await loadManager(`manager:\n  type: unqueued\n  ${line}\n`)
    expect(stageInRetries).toEqual({
      maxRetries,
      intervalStartMs: 2000,
      intervalStepMs: 2000,
      intervalMaxMs: 30_000,
    })
  })

  it('repeat stage-out by rules of its own', async () => {
    const { stageOutRetries } = await loadManager(
      'manager:\n  postprocess_action_max_retries: 3\n  postprocess_action_interval_start: 0.5\n  postprocess_action_interval_step: 1\n  postprocess_action_interval_max: 9\n',
    )
    expect(stageOutRetries).toEqual({
      maxRetries: 3,
      intervalStartMs: 500,
      intervalStepMs: 1000,
      intervalMaxMs: 9000,
    })
  })
})

describe('options of live output', () => {
  it('are off by default', async () => {
    expect((await loadManager('private_token: foo\n')).liveOutput).toBeUndefined()
  })

  it('stand in the manager or, one by one, at the top', async () => {
    const app =
      'send_stdout_update: true\nstdout_update_interval: 1.5\nmanager:\n  stdout_update_chunk_size: 1000\n'
    expect((await loadManager(app)).liveOutput).toEqual({
      intervalMs: 1500,
      timeoutMs: 30_000,
      chunkBytes: 1000,
    })
    const off = 'send_stdout_update: true\nmanager:\n  send_stdout_update: false\n'
    expect((await loadManager(off)).liveOutput).toBeUndefined()
  })
})
