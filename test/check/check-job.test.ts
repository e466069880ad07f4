import { describe, expect, it } from 'vitest'
import { type CheckOptions, runCheckJob } from '../../src/check/check-job.js'
import type { CheckFailed, CheckStage } from '../../src/check/follow-job.js'
import { json, type Script, startScriptedNode } from './scripted-node.js'

const signal = new AbortController().signal
const status = (name: string, more: Readonly<Record<string, unknown>> = {}) =>
  json({ status: name, complete: 'false', ...more })

async function failure(script: Script, options: Partial<CheckOptions> = {}): Promise<CheckFailed> {
  const { client } = await startScriptedNode(script)
  return runCheckJob({ client, signal, ...options }).then(
    () => {
      throw new Error('it went through')
    },
    (error: CheckFailed) => error,
  )
}

describe('a check job', () => {
  it('goes the way of a job of Galaxy, and tells each state once', async () => {
    const states = ['queued', 'queued', 'running', 'running', 'postprocessing']
    const { client, calls } = await startScriptedNode({
      'GET /jobs/{job}/status': () => {
        const next = states.shift()
        return next ? status(next) : json({ status: 'complete', complete: 'true', returncode: 0 })
      },
    })
    const told: string[] = []
    const report = await runCheckJob({ client, signal, onStatus: (each) => told.push(each) })
    expect(told).toEqual(['submitted', 'queued', 'running', 'postprocessing', 'complete'])
    expect(report).toMatchObject({ states: told, node: 'node7', slots: '2', greeting: 'Hello from Galaxy' })
    expect(report.ms).toBeGreaterThan(0)
    expect([...new Set(calls)]).toEqual([
      'GET /healthz',
      'POST /jobs',
      'POST /jobs/{job}/files',
      'POST /jobs/{job}/submit',
      'GET /jobs/{job}/status',
      'GET /jobs/{job}/files',
      'DELETE /jobs/{job}',
    ])
  })

  const refusal = (code: number) => ({ status: code, ...json({ error: 'in its own words' }) })

  it.each<[CheckStage, Script, string]>([
    ['connect', { 'GET /healthz': refusal(503) }, 'in its own words (status 503)'],
    ['token', { 'GET /healthz': refusal(401) }, 'in its own words (status 401)'],
    ['setup', { 'POST /jobs': refusal(507) }, 'in its own words (status 507)'],
    ['setup', { 'POST /jobs': { text: 'no JSON' } }, 'JSON'],
    [
      'upload',
      { 'POST /jobs/{job}/files': { status: 500, text: 'plain words' } },
      'plain words (status 500)',
    ],
    ['submit', { 'POST /jobs/{job}/submit': { status: 500, text: '' } }, 'an empty answer (status 500)'],
    [
      'run',
      { 'GET /jobs/{job}/status': status('failed', { complete: 'true', stderr: 'sbatch: no\n' }) },
      'it ended as failed: sbatch: no',
    ],
    [
      'run',
      { 'GET /jobs/{job}/status': status('complete', { complete: 'true', returncode: 127 }) },
      'it ended with return code 127',
    ],
    ['output', { 'GET /jobs/{job}/files': refusal(404) }, 'in its own words (status 404)'],
    ['output', { 'GET /jobs/{job}/files': { text: 'Hello' } }, 'it came back as "Hello"'],
    ['clean', { 'DELETE /jobs/{job}': refusal(500) }, 'in its own words (status 500)'],
  ])('that fails says at which stage and why: %s', async (stage, script, words) => {
    expect(await failure(script)).toMatchObject({ stage, message: expect.stringContaining(words) })
  })

  it('that does not get to run is given up with the reason, cancelled and removed', async () => {
    const { client, calls } = await startScriptedNode({ 'GET /jobs/{job}/status': status('queued') })
    const reason = { text: 'Slurm job 8 waits in partition debug: the cluster is busy', hopeless: false }
    const asked: string[] = []
    const error = await runCheckJob({
      client,
      signal,
      queueLimitMs: 100,
      whyQueued: async (jobId) => {
        asked.push(jobId)
        return reason
      },
    }).catch((caught: unknown) => caught)
    expect(error).toMatchObject({
      stage: 'queue',
      message: `it is still queued after 0 s: ${reason.text}`,
      states: ['submitted', 'queued'],
    })
    expect(asked[0]).toMatch(/^magnetar-check-/)
    expect(calls.slice(-2)).toEqual(['PUT /jobs/{job}/cancel', 'DELETE /jobs/{job}'])
  })

  it('that will never run is not waited for', async () => {
    const hopeless = async () => ({ text: 'the partition is down', hopeless: true })
    const script = { 'GET /jobs/{job}/status': status('queued') }
    const options = { whyQueued: hopeless, whyAfterMs: 100, queueLimitMs: 600_000 }
    expect(await failure(script, options)).toMatchObject({
      stage: 'queue',
      message: 'the partition is down',
    })
  })

  it('that runs on and on is given up', async () => {
    const script = { 'GET /jobs/{job}/status': status('running') }
    expect(await failure(script, { runLimitMs: 100 })).toMatchObject({ stage: 'run' })
  })

  it('is removed when somebody stops waiting for it', async () => {
    const controller = new AbortController()
    const reason = new Error('Ctrl-C')
    const { client, calls } = await startScriptedNode({ 'GET /jobs/{job}/status': status('running') })
    const onStatus = (each: string): void => {
      if (each === 'running') controller.abort(reason)
    }
    await expect(runCheckJob({ client, signal: controller.signal, onStatus })).rejects.toBe(reason)
    expect(calls.slice(-2)).toEqual(['PUT /jobs/{job}/cancel', 'DELETE /jobs/{job}'])
  })
})
