import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { beforeEach, describe, expect, it } from 'vitest'
import type { LiveOutputConfig } from '../../src/config/types.js'
import { createRandom } from '../helpers/job-files/content.js'
import type { RequestRecord } from '../helpers/job-files/types.js'
import { type JobFilesServer, startJobFilesServer } from '../helpers/job-files-server.js'
import { type PullNode, startPullNode } from '../helpers/pull-node.js'
import type { PulledJob } from '../helpers/pulled-job.js'
import { tempDirectory } from '../helpers/temp-directory.js'
import { waitFor } from '../helpers/wait-for.js'

const RETRIES = { maxRetries: 5, intervalStartMs: 1, intervalStepMs: 0, intervalMaxMs: 1 }
const LIVE: LiveOutputConfig = { intervalMs: 20, timeoutMs: 5000, chunkBytes: 1000 }

let root: string
let galaxy: JobFilesServer
let node: PullNode

const start = async (live: Partial<LiveOutputConfig> = {}, maximumStreamSizeBytes = 1_000_000) => {
  node = await startPullNode(root, {
    config: {
      stageInRetries: RETRIES,
      stageOutRetries: RETRIES,
      liveOutput: { ...LIVE, ...live },
      maximumStreamSizeBytes,
    },
  })
}

beforeEach(async () => {
  root = await tempDirectory()
  galaxy = await startJobFilesServer()
})

/** A job that redirects its streams as Galaxy has it; `action`: who moves its files. */
function streamingJob(script: string, action = 'remote_transfer', more: object = {}): PulledJob {
  return {
    id: '7',
    base: '/galaxy',
    commandLine: `( ${script} ) > ../metadata/tool_stdout 2> ../metadata/tool_stderr`,
    inputs: [],
    outputs: [],
    remoteStaging: {
      action_mapper: { default_action: action, files_endpoint: galaxy.endpoint, paths: [] },
      client_outputs: {
        working_directory: '/galaxy/7/working',
        metadata_directory: null,
        job_directory: null,
        work_dir_outputs: [],
        output_files: [],
        version_file: null,
        dynamic_outputs: null,
        dynamic_file_sources: null,
        dataset_collector_descriptions: [],
        ...more,
      },
    },
  }
}

const wire = (stream: string): string => `/galaxy/7/outputs/${stream}`
const sent = (stream: string): string | undefined => galaxy.uploads.get(wire(stream))?.content?.toString()
const posts = (stream: string): RequestRecord[] =>
  galaxy.log.filter(({ path: asked }) => asked === wire(stream))
const go = (): string => path.join(root, 'go')
const untilGo = (which = ''): string => `until [ -e '${go()}${which}' ]; do sleep 0.02; done`
const sentIs = (stream: string, text: string) =>
  waitFor(() => sent(stream) === text, { what: `${JSON.stringify(text)} at Galaxy` })

describe('the output of a running job', () => {
  it.each([
    'remote_transfer',
    'transfer',
  ])('is at Galaxy while it runs, and whole when it has run: %s', async (action) => {
    await start()
    const ended = node.run(streamingJob(`echo one; echo bad >&2; ${untilGo()}; echo two`, action))
    await sentIs('tool_stdout', 'one\n')
    await sentIs('tool_stderr', 'bad\n')
    expect((await node.client.status('7')).status).toBe('running')
    writeFileSync(go(), '')
    expect(await ended).toMatchObject({ status: 'complete', stdout: null, stderr: null })
    expect([sent('tool_stdout'), sent('tool_stderr')]).toEqual(['one\ntwo\n', 'bad\n'])
    expect(posts('tool_stdout').map(({ headers }) => headers['content-type'])).toEqual([
      expect.stringMatching(/^multipart\/form-data/),
      expect.stringMatching(/^multipart\/form-data/),
    ])
    expect(galaxy.uploads.get(wire('tool_stdout'))).toMatchObject({
      fileName: 'tool_stdout',
      contentType: undefined,
      fileType: 'output',
    })
  })

  it('goes in pieces of at most stdout_update_chunk_size, the end of it too', async () => {
    await start({ chunkBytes: 100 })
    const ended = node.run(streamingJob(`printf '%0250d' 1; ${untilGo()}; printf '%0333d' 2`))
    await waitFor(() => sent('tool_stdout')?.length === 250, { what: 'first output' })
    writeFileSync(go(), '')
    expect(await ended).toMatchObject({ stdout: null })
    expect(sent('tool_stdout')).toBe('1'.padStart(250, '0') + '2'.padStart(333, '0'))
    // Beside the 100 bytes there is the form around them.
    const form = Math.max(...posts('tool_stdout').map(({ receivedBytes }) => receivedBytes))
    expect(form).toBeLessThan(100 + 300)
    expect(posts('tool_stdout')).toHaveLength(7)
  })

  it('travels with the final status when more is left than is sent at the end', async () => {
    await start({ chunkBytes: 10 })
    const ended = node.run(streamingJob(`echo one; ${untilGo()}; printf '%0500d' 2`))
    await sentIs('tool_stdout', 'one\n')
    galaxy.plan = ({ path: asked }) =>
      asked === wire('tool_stdout') ? { kind: 'slow', bytesPerSecond: 2000 } : undefined
    writeFileSync(go(), '')
    expect(await ended).toMatchObject({ status: 'complete', stdout: `one\n${'2'.padStart(500, '0')}` })
  })

  it('ends at maximum_stream_size', async () => {
    await start({}, 50)
    const ended = node.run(streamingJob(`printf '%080d' 1; ${untilGo()}; echo more`))
    await waitFor(() => sent('tool_stdout')?.length === 50, { what: 'first output' })
    writeFileSync(go(), '')
    expect(await ended).toMatchObject({ status: 'complete', stdout: null })
    expect(sent('tool_stdout')).toBe('0'.repeat(50))
  })

  it('waits stdout_update_interval between two updates', async () => {
    await start({ intervalMs: 300 })
    const times: number[] = []
    galaxy.events.on(
      'stored',
      (stored: string) => stored === wire('tool_stdout') && times.push(performance.now()),
    )
    const ended = node.run(streamingJob(`until [ -e '${go()}' ]; do echo x; sleep 0.01; done`))
    await waitFor(() => times.length >= 4, { what: 'updates' })
    const [first = 0, , , fourth = 0] = times
    writeFileSync(go(), '')
    await ended
    expect(fourth - first).toBeGreaterThan(3 * 300 * 0.9)
  })

  it('is not sent at all when there is none, or when the job was over before it was looked at', async () => {
    await start({ intervalMs: 100_000 })
    expect(await node.run(streamingJob('true'))).toMatchObject({ status: 'complete', stdout: '', stderr: '' })
    await node.client.clean('7')
    expect(await node.run(streamingJob('echo quick'))).toMatchObject({ stdout: 'quick\n', stderr: '' })
    expect(galaxy.log).toEqual([])
  })

  it('of which one stream is empty: Galaxy gets an empty file for it', async () => {
    await start()
    const ended = node.run(streamingJob(`echo one; ${untilGo()}`))
    await sentIs('tool_stdout', 'one\n')
    writeFileSync(go(), '')
    expect(await ended).toMatchObject({ status: 'complete', stdout: null, stderr: null })
    expect(sent('tool_stderr')).toBe('')
  })
})

describe('an update that fails', () => {
  it('is repeated when Galaxy is busy, and nothing is added twice', async () => {
    await start()
    galaxy.failNext({ kind: 'status', status: 503, late: true }, { kind: 'status', status: 429, late: true })
    const ended = node.run(streamingJob(`echo one; ${untilGo()}; echo two`))
    await sentIs('tool_stdout', 'one\n')
    writeFileSync(go(), '')
    expect(await ended).toMatchObject({ stdout: null })
    expect(sent('tool_stdout')).toBe('one\ntwo\n')
  })

  it('for good is the last of this job: its final status has the streams', async () => {
    await start()
    const ended = node.run(streamingJob(`echo one; ${untilGo()}; echo two; ${untilGo('2')}; echo three`))
    await sentIs('tool_stdout', 'one\n')
    galaxy.plan = () => ({ kind: 'status', status: 403, late: true })
    writeFileSync(go(), '')
    await waitFor(() => posts('tool_stdout').length === 2, { what: 'refusal' })
    writeFileSync(`${go()}2`, '')
    expect(await ended).toMatchObject({ status: 'complete', stdout: 'one\ntwo\nthree\n', stderr: '' })
  })

  it.each([
    ['no answer came to it', { kind: 'swallow answer' }],
    ['a proxy answered for Galaxy', { kind: 'status', status: 502, late: true }],
    ['it took longer than stdout_update_timeout', { kind: 'hang', after: 40 }],
  ] as const)('so that nobody knows what Galaxy has: its final status has the streams (%s)', async (_, fault) => {
    await start({ timeoutMs: 200 })
    const ended = node.run(streamingJob(`echo one; ${untilGo()}; echo two; ${untilGo('2')}; echo three`))
    await sentIs('tool_stdout', 'one\n')
    galaxy.failNext(fault)
    writeFileSync(go(), '')
    await waitFor(() => sent('tool_stdout')?.endsWith('two\n') && posts('tool_stdout').length > 2, {
      what: 'repetition',
    })
    writeFileSync(`${go()}2`, '')
    expect(await ended).toMatchObject({ status: 'complete', stdout: 'one\ntwo\nthree\n', stderr: '' })
  })

  it('does not fail the job, nor keep its outputs', async () => {
    await start()
    const job = streamingJob(`echo one; ${untilGo()}; echo data > ../outputs/d.dat`, 'remote_transfer', {
      output_files: ['/galaxy/7/d.dat'],
    })
    galaxy.plan = ({ path: asked }) => (asked === '/galaxy/7/d.dat' ? undefined : { kind: 'cut', after: 0 })
    const ended = node.run(job)
    await waitFor(() => posts('tool_stdout').length > 1, { what: 'failures' })
    writeFileSync(go(), '')
    expect(await ended).toMatchObject({ status: 'complete', returncode: 0, stdout: 'one\n' })
    expect(galaxy.uploads.get('/galaxy/7/d.dat')?.content?.toString()).toBe('data\n')
  })
})

describe('a cancelled job', () => {
  const untilOver = () => waitFor(() => node.running.context.jobs.size === 0, { what: 'end of the job' })

  it('has its streams in its final status, and nothing of them is sent any more', async () => {
    await start()
    void node.run(streamingJob('i=0; while true; do i=$((i+1)); echo $i; sleep 0.01; done'))
    await waitFor(() => posts('tool_stdout').length > 1, { what: 'updates' })
    await node.client.cancel('7')
    const { length } = galaxy.log
    await untilOver()
    const { status, stdout } = await node.client.status('7')
    expect(status).toBe('cancelled')
    expect(String(stdout)).toMatch(/^1\n2\n/)
    expect(galaxy.log).toHaveLength(length)
  })

  it.each([
    'while it runs',
    'when it has run',
  ])('ends an update at once that is under way: %s', async (when) => {
    await start({ timeoutMs: 60_000 })
    const ended = node.run(
      streamingJob(`echo one; ${untilGo()}; echo two; ${when === 'while it runs' ? 'sleep 300' : 'true'}`),
    )
    await sentIs('tool_stdout', 'one\n')
    galaxy.failNext({ kind: 'hang', after: 30 })
    writeFileSync(go(), '')
    const hanging = await waitFor(() => posts('tool_stdout')[1], { what: 'update' })
    if (when === 'when it has run')
      await waitFor(async () => (await node.client.status('7')).status === 'postprocessing', {
        what: 'end of the run',
      })
    await node.client.cancel('7')
    await waitFor(() => hanging.isOver, { what: 'end of the update', timeoutMs: 5000 })
    expect(await ended).toMatchObject({ status: 'cancelled' })
    await untilOver()
    await waitFor(async () => (await node.client.status('7')).stdout === 'one\ntwo\n', { what: 'streams' })
  })
})

it('what was sent of random output is it, whatever fails on the way, or the final status has it all', {
  timeout: 60_000,
}, async () => {
  for (let seed = 0; seed < 6; seed++) {
    root = await tempDirectory()
    const random = createRandom(seed)
    await start({ intervalMs: 5, chunkBytes: 700 })
    galaxy.forget('/galaxy')
    const lost = seed % 2 === 1
    galaxy.plan = () => {
      if (random() < 0.7) return undefined
      return random() < 0.5 || !lost
        ? { kind: 'status', status: 503, late: true }
        : { kind: 'swallow answer' }
    }
    const lines = Array.from(
      { length: 40 },
      (_, at) => `printf '%0${1 + Math.floor(random() * 300)}d\\n' ${at}`,
    )
    const job = streamingJob(lines.join('; sleep 0.01; '))
    const { status, stdout } = await node.run(job)
    const all = readFileSync(path.join(node.stagingDirectory, '7/metadata/tool_stdout'), 'utf8')
    expect(existsSync(path.join(node.stagingDirectory, '7'))).toBe(true)
    expect([seed, status, stdout ?? sent('tool_stdout')]).toEqual([seed, 'complete', all])
    galaxy.plan = () => undefined
  }
})
