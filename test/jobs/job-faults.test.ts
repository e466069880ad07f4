import { readFileSync } from 'node:fs'
import path from 'node:path'
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest'
import { contentOf, generated, sha256Of } from '../helpers/job-files/content.js'
import type { Fault } from '../helpers/job-files/types.js'
import { type JobFilesServer, startJobFilesServer } from '../helpers/job-files-server.js'
import { type PullNode, startPullNode } from '../helpers/pull-node.js'
import { createPulledJob, HTTP_ACTIONS, type HttpAction, wrongOutputs } from '../helpers/pulled-job.js'
import { tempDirectory } from '../helpers/temp-directory.js'

const BYTES = 300_000
const RETRIES = { maxRetries: 5, intervalStartMs: 1, intervalStepMs: 0, intervalMaxMs: 1 }

let galaxy: JobFilesServer
let node: PullNode
let planned: Map<string | undefined, Fault[]>

beforeEach(async () => {
  process.env.PULSAR_TUS_CHUNK_SIZE = '100000'
  onTestFinished(() => {
    delete process.env.PULSAR_TUS_CHUNK_SIZE
  })
  galaxy = await startJobFilesServer()
  planned = new Map()
  galaxy.plan = ({ path: asked }) => planned.get(asked)?.shift()
  node = await startPullNode(await tempDirectory(), {
    config: { stageInRetries: RETRIES, stageOutRetries: RETRIES },
    timeouts: { headersMs: 500, idleMs: 500 },
  })
})

/** `unwanted`: the job is complete without the file that Galaxy refused. */
type End = 'complete' | 'failed' | 'unwanted'

interface Case {
  readonly name: string
  /** Of the first requests for the file, one after the other. */
  readonly faults: readonly Fault[]
  readonly input: End
  readonly output: End
}

const passing = (name: string, ...faults: readonly Fault[]): Case => ({
  name,
  faults,
  input: 'complete',
  output: 'complete',
})
const status = (code: number, body?: string): Fault => ({
  kind: 'status',
  status: code,
  late: true,
  ...(body === undefined ? {} : { body }),
})

const CASES: readonly Case[] = [
  passing('cut before the headers', { kind: 'cut', after: -1 }),
  passing('cut in the middle, twice', { kind: 'cut', after: 100_000 }, { kind: 'cut', after: 70_001 }),
  passing('reset in the middle', { kind: 'reset', after: 150_000 }),
  passing('no headers for ever', { kind: 'hang', after: -1 }),
  passing('a body that stands still', { kind: 'hang', after: 70_000 }),
  passing('slow', { kind: 'slow', bytesPerSecond: 1_000_000 }),
  passing('503 with a body', status(503, 'nope'.repeat(1000)), status(503, 'nope')),
  passing('a part, then 503 with a body', { kind: 'cut', after: 100_000 }, status(503, 'nope')),
  passing('429', status(429)),
  passing('no HTTP', { kind: 'garbage' }),
  passing('a length that is too large', { kind: 'length', delta: 10 }),
  passing('a length that is too small', { kind: 'length', delta: -10 }),
  passing('a part, then another range', { kind: 'cut', after: 100_000 }, { kind: 'shift range', by: 1 }),
  passing('a part, then no range', { kind: 'cut', after: 100_000 }, { kind: 'ignore range' }),
  passing(
    'a part, then less of a range',
    { kind: 'cut', after: 100_000 },
    { kind: 'give less', bytes: 5000 },
  ),
  passing('no answer to what was served', { kind: 'swallow answer' }),
  { name: '403', faults: [status(403)], input: 'failed', output: 'unwanted' },
  { name: '404', faults: [status(404)], input: 'failed', output: 'failed' },
  { name: '416 for the whole', faults: [status(416)], input: 'failed', output: 'failed' },
  {
    name: '503 for ever',
    faults: Array.from({ length: 20 }, () => status(503)),
    input: 'failed',
    output: 'failed',
  },
  { name: 'an encoding', faults: [{ kind: 'encode' }], input: 'failed', output: 'complete' },
]

/** A job of three inputs and three outputs with these faults at one of its files: how it ended. */
async function end(action: HttpAction, faulty: 'input' | 'output', faults: readonly Fault[]): Promise<End> {
  const contents = [0, 1, 2].map((at) => ({ action, content: generated(BYTES, at) }))
  const job = createPulledJob(galaxy, `${action}-${faulty}`, contents, [action, action, action])
  const at = faulty === 'input' ? job.inputs[1] : job.outputs[1]
  if (!at) throw new Error('no such file')
  planned.set(at.path, [...faults])
  const final = await node.run(job)
  const wrong = wrongOutputs(galaxy, job)
  if (final.status === 'failed') {
    expect(final.stderr).toContain(at.name)
    expect(final.stderr).not.toContain(galaxy.key)
    // An input that is not there: nothing ran. An output that cannot be sent: all others are.
    expect(wrong).toEqual(
      (faulty === 'input' ? job.outputs : [at]).map((one) => `${one.path} did not arrive`),
    )
    return 'failed'
  }
  expect(final).toMatchObject({ status: 'complete', returncode: 0 })
  for (const { name, content } of job.inputs) {
    const found = contentOf(readFileSync(path.join(node.stagingDirectory, job.id, 'inputs', name)))
    expect(sha256Of(found)).toBe(sha256Of(content))
  }
  if (wrong.length === 0) return 'complete'
  expect(wrong).toEqual([`${at.path} did not arrive`])
  return 'unwanted'
}

describe.each(HTTP_ACTIONS)('a job whose files travel by %s', (action) => {
  it.each(CASES)('ends right whatever happens to one of them: $name', async ({ faults, input, output }) => {
    const ends = await Promise.all([end(action, 'input', faults), end(action, 'output', faults)])
    expect(ends).toEqual([input, output])
  })

  it('is tried as long as each attempt leaves more of an input than the one before', async () => {
    const job = createPulledJob(galaxy, 'cut-in', [{ action, content: generated(6_000_000, 1) }], [action])
    galaxy.plan = ({ method }) => (method === 'GET' ? { kind: 'cut', after: 600_000 } : undefined)
    expect(await node.run(job)).toMatchObject({ status: 'complete', returncode: 0 })
    expect(wrongOutputs(galaxy, job)).toEqual([])
    const gets = galaxy.log.filter(({ method }) => method === 'GET')
    expect(gets.length).toBeGreaterThan(RETRIES.maxRetries + 1)
  })

  it('is tried as long as more of an output is there, not when each attempt sends the same again', async () => {
    const job = createPulledJob(galaxy, 'cut-out', [{ action, content: generated(BYTES, 1) }], [action])
    const isBody = (method: string): boolean => method === (action === 'remote_transfer' ? 'POST' : 'PATCH')
    const after = action === 'remote_transfer' ? 0.9 * BYTES : 30_000
    galaxy.plan = ({ method }) => (isBody(method) ? { kind: 'cut', after } : undefined)
    const final = await node.run(job)
    if (action === 'remote_transfer') {
      expect(final).toMatchObject({ status: 'failed', stderr: expect.stringContaining('(tried 6 times)') })
    } else {
      expect(final).toMatchObject({ status: 'complete', returncode: 0 })
      const sent = galaxy.log.filter(({ method }) => isBody(method))
      expect(sent.length).toBeGreaterThan(RETRIES.maxRetries + 1)
    }
  })

  it.each(['input', 'output'] as const)('follows redirects of an %s', async (faulty) => {
    const contents = [{ action, content: generated(BYTES, 1) }]
    const job = createPulledJob(galaxy, 'redirected', contents, [action])
    const seen = new Set<string>()
    galaxy.plan = ({ path: asked, method, target }) => {
      const is = faulty === 'input' ? method === 'GET' : method !== 'GET' && asked === job.outputs[0]?.path
      if (!is || seen.has(`${method} ${target}`)) return undefined
      seen.add(`${method} ${target}`)
      return { kind: 'redirect', status: 307, to: `${galaxy.origin}${target}` }
    }
    expect(await node.run(job)).toMatchObject({ status: 'complete', returncode: 0 })
    expect(wrongOutputs(galaxy, job)).toEqual([])
    expect(seen.size).toBeGreaterThan(0)
  })
})
