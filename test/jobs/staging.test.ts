import { mkdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { beforeEach, describe, expect, it, vi } from 'vitest'
import { auditStore } from '../../src/jobs/audit/run-audit.js'
import type { RunningManager } from '../../src/jobs/manager.js'
import { silentLogger } from '../../src/lib/log.js'
import { createHttpClient } from '../../src/staging/node-http-client.js'
import { openMemoryStore } from '../../src/store/memory-store.js'
import type { Store } from '../../src/store/store.js'
import { createFakeScheduler, type FakeScheduler } from '../helpers/fake-scheduler.js'
import { type JobFilesServer, startJobFilesServer } from '../helpers/job-files-server.js'
import { startManager, submitRequest, untilStatus } from '../helpers/manager.js'
import { createRecordingLog, type RecordingLog } from '../helpers/recording-log.js'
import { tempDirectory } from '../helpers/temp-directory.js'
import { waitFor } from '../helpers/wait-for.js'

const FAST = { maxRetries: 3, intervalStartMs: 1, intervalStepMs: 0, intervalMaxMs: 1 }

let root: string
let store: Store
let scheduler: FakeScheduler
let galaxy: JobFilesServer
let running: RunningManager
let log: RecordingLog
const job = (name = ''): string => path.join(root, 'jobs', '7', name)

/** A node over what an earlier one left. */
async function start(): Promise<RunningManager> {
  const http = createHttpClient({ log: silentLogger, maxSockets: 8 })
  const manager = await startManager(root, scheduler, {
    store,
    http,
    log,
    config: { stageInRetries: FAST, stageOutRetries: FAST },
  })
  await manager.load()
  return {
    ...manager,
    async close() {
      await manager.close()
      await http.close()
    },
  }
}

beforeEach(async () => {
  root = await tempDirectory()
  store = openMemoryStore()
  log = createRecordingLog()
  scheduler = createFakeScheduler()
  galaxy = await startJobFilesServer()
  running = await start()
  return async () => {
    // Whatever the test did: its history must be one that keeps all promises.
    expect((await auditStore(store, [running.context.config])).violations).toEqual([])
    await running.close()
  }
})

const input = (name: string) => ({
  name,
  type: 'input',
  action: {
    path: `/galaxy/${name}`,
    source: { path: `/galaxy/${name}` },
    action_type: 'remote_transfer',
    url: galaxy.fileUrl(`/galaxy/${name}`, 'input'),
  },
})

function staging(inputs: readonly string[], outputs: readonly string[] = []) {
  return {
    setup: inputs.map(input),
    action_mapper: { default_action: 'remote_transfer', files_endpoint: galaxy.endpoint, paths: [] },
    client_outputs: {
      working_directory: '/galaxy/w',
      metadata_directory: null,
      job_directory: null,
      work_dir_outputs: [],
      output_files: outputs.map((name) => `/galaxy/${name}`),
      version_file: null,
      dynamic_outputs: null,
      dynamic_file_sources: null,
      dataset_collector_descriptions: [],
    },
  }
}

async function submit(inputs: readonly string[], outputs: readonly string[] = []): Promise<void> {
  await running.manager.setup({ jobId: '7', toolId: undefined, toolVersion: undefined })
  await running.manager.submit('7', submitRequest('true', { remote_staging: staging(inputs, outputs) }))
}

const launched = (): Promise<string> =>
  waitFor(() => running.context.jobs.get('7')?.externalId, { what: 'launch' })

/** The tool has made these and ended well. */
async function endWith(outputs: Readonly<Record<string, string>>): Promise<void> {
  await launched()
  for (const [name, content] of Object.entries(outputs)) writeFileSync(job(`outputs/${name}`), content)
  writeFileSync(job('return_code'), '0\n')
  scheduler.report('x-7', { state: 'ended', exitCode: 0 })
}

const requests = (method: string): string[] =>
  galaxy.log.filter((record) => record.method === method).map((record) => record.path ?? '')

describe('stage-in', () => {
  it('fetches all inputs before the job is launched', async () => {
    galaxy.serve('/galaxy/a.dat', 'first')
    galaxy.serve('/galaxy/b.dat', 'second')
    await submit(['a.dat', 'b.dat'])
    expect((await running.manager.status('7')).status).toBe('preprocessing')
    await launched()
    expect([readFileSync(job('inputs/a.dat'), 'utf8'), readFileSync(job('inputs/b.dat'), 'utf8')]).toEqual([
      'first',
      'second',
    ])
    expect(scheduler.submitted).toHaveLength(1)
  })

  it("keeps Galaxy's key for the files from other users of the machine", async () => {
    galaxy.serve('/galaxy/a.dat', 'content')
    await submit(['a.dat'])
    await launched()
    expect(readFileSync(job('launch_config'), 'utf8')).toContain(galaxy.key)
    expect(statSync(job('launch_config')).mode & 0o077).toBe(0)
  })

  it('repeats what fails for a while', async () => {
    galaxy.serve('/galaxy/a.dat', 'content')
    galaxy.failNext({ kind: 'status', status: 503, body: 'busy' }, { kind: 'reset', after: 3 })
    await submit(['a.dat'])
    await launched()
    expect(readFileSync(job('inputs/a.dat'), 'utf8')).toBe('content')
    const said = log.lines.filter((line) => /^(warn|info (inputs|fetching))/.test(line))
    expect(said).toEqual([
      expect.stringMatching(/^info fetching 1 input /),
      expect.stringMatching(
        /^warn input a\.dat: GET http:\S+ was answered with 503 Service Unavailable: busy; /,
      ),
      expect.stringMatching(/^warn input a\.dat: 127\S+ cut the connection \(\w+\); trying again in 0 s /),
      expect.stringMatching(/^info inputs fetched: 1 file, .*, after 2 failed attempts /),
    ])
  })

  it('fails the job at once when Galaxy has no such file, saying which, and without the key', async () => {
    await submit(['a.dat'])
    await untilStatus(running, '7', 'failed')
    const { stderr, returncode } = await running.manager.status('7')
    expect(returncode).toBe(1)
    expect(stderr).toMatch(/inputs could not be fetched: input a\.dat: .*404/)
    expect(stderr).not.toContain(galaxy.key)
    expect(scheduler.submitted).toEqual([])
    expect(log.lines).toContainEqual(expect.stringMatching(/^warn preprocessing -> failed: Its inputs .*$/))
  })

  it('says what is wrong with a request for it', async () => {
    await running.manager.setup({ jobId: '7', toolId: undefined, toolVersion: undefined })
    await expect(
      running.manager.submit('7', submitRequest('true', { remote_staging: { setup: [{ name: 'a' }] } })),
    ).rejects.toThrow('setup[0]')
  })

  it.each([
    '..',
    '../../x',
    'a/../..',
    '.',
    '',
    '/',
  ])('refuses the job that wants a file called %j', async (name) => {
    await running.manager.setup({ jobId: '7', toolId: undefined, toolVersion: undefined })
    for (const type of ['input', 'workdir']) {
      if (type === 'workdir' && name.endsWith('x')) continue
      const setup = [{ name, type, action: { action_type: 'message', contents: 'x' } }]
      await expect(
        running.manager.submit('7', submitRequest('true', { remote_staging: { setup } })),
      ).rejects.toMatchObject({
        code: 'BAD_REQUEST',
        message: expect.stringContaining(`: ${type} ${JSON.stringify(name)} in setup: the `),
      })
      expect(running.context.jobs.has('7')).toBe(false)
    }
  })

  it('stops at once when the job is cancelled', async () => {
    galaxy.serve('/galaxy/a.dat', 'content')
    galaxy.failNext({ kind: 'hang', after: 3 })
    await submit(['a.dat'])
    await waitFor(() => galaxy.log.length > 0, { what: 'request' })
    await running.manager.cancel('7')
    expect((await running.manager.status('7')).status).toBe('cancelled')
    await waitFor(() => running.context.jobs.size === 0, { what: 'end of the job' })
    expect(scheduler.submitted).toEqual([])
  })

  it('is repeated to the record, not to Galaxy, when its end cannot be recorded (a full disk)', async () => {
    galaxy.serve('/galaxy/a.dat', 'content')
    const write = vi.spyOn(store, 'write')
    write.mockImplementation(async (changes) => {
      const isEnd = changes.some((change) => change.type === 'put' && change.key.startsWith('active/'))
      if (isEnd && requests('GET').length > 0) {
        write.mockRestore()
        throw new Error('no space')
      }
    })
    await submit(['a.dat'])
    await launched()
    expect(requests('GET')).toEqual(['/galaxy/a.dat'])
  })

  it('leaves no note when the job is over, also of one whose outputs the client fetches', async () => {
    galaxy.serve('/galaxy/a.dat', 'content')
    await running.manager.setup({ jobId: '7', toolId: undefined, toolVersion: undefined })
    const remoteStaging = { setup: [input('a.dat')] }
    await running.manager.submit('7', submitRequest('true', { remote_staging: remoteStaging }))
    await endWith({})
    await untilStatus(running, '7', 'complete')
    const left: string[] = []
    for await (const [key] of store.entries('moved/')) left.push(key)
    expect(left).toEqual([])
  })

  it('goes on after a restart, without fetching again what is there', async () => {
    galaxy.serve('/galaxy/a.dat', 'first')
    galaxy.serve('/galaxy/b.dat', 'second')
    galaxy.plan = ({ path: asked }) => (asked === '/galaxy/b.dat' ? { kind: 'hang', after: 3 } : undefined)
    await submit(['a.dat', 'b.dat'])
    await waitFor(() => running.context.jobs.get('7')?.progress?.filesDone === 1, { what: 'first file' })
    await running.close()
    galaxy.plan = () => undefined
    running = await start()
    await running.recover()
    await launched()
    expect(readFileSync(job('inputs/b.dat'), 'utf8')).toBe('second')
    expect(requests('GET').filter((asked) => asked === '/galaxy/a.dat')).toHaveLength(1)
  })
})

describe('stage-out', () => {
  it('delivers the outputs when the job has ended, and only then is it complete', async () => {
    await submit([], ['d1.dat', 'd2.dat'])
    galaxy.failNext({ kind: 'status', status: 502 })
    await endWith({ 'd1.dat': 'one', 'd2.dat': 'two' })
    await untilStatus(running, '7', 'complete')
    expect([...galaxy.uploads].map(([name, { content }]) => [name, content?.toString()]).sort()).toEqual([
      ['/galaxy/d1.dat', 'one'],
      ['/galaxy/d2.dat', 'two'],
    ])
    expect(await running.manager.status('7')).toMatchObject({ status: 'complete', returncode: 0 })
  })

  it('ends once, also when the notes of its transfers cannot be removed then (a full disk)', async () => {
    const { write } = store
    const isRemoval = (changes: Parameters<Store['write']>[0]): boolean =>
      changes.length > 0 && changes.every((each) => each.type === 'del' && each.key.startsWith('moved/'))
    let failed = 0
    await submit([], ['d1.dat'])
    store.write = (changes, options) => {
      if (!isRemoval(changes)) return write(changes, options)
      failed += 1
      return Promise.reject(new Error('ENOSPC'))
    }
    await endWith({ 'd1.dat': 'one' })
    await untilStatus(running, '7', 'complete')
    store.write = write
    expect(failed).toBe(1)
    expect(log.lines.filter((line) => line.includes('cannot record'))).toEqual([])
  })

  it('says the size of the outputs, and besides it what failed attempts sent', async () => {
    await submit([], ['d1.dat', 'd2.dat'])
    galaxy.plan = ({ path: of, receivedBytes }) =>
      of === '/galaxy/d2.dat' &&
      receivedBytes === 0 &&
      galaxy.log.filter((one) => one.path === of).length === 1
        ? { kind: 'cut', after: 2_700_000 }
        : undefined
    await endWith({ 'd1.dat': 'one', 'd2.dat': 'x'.repeat(3_000_000) })
    await untilStatus(running, '7', 'complete')
    const said = log.lines.filter((line) => /^info (outputs|delivering)/.test(line))
    expect(said).toEqual([
      expect.stringMatching(/^info delivering 2 outputs /),
      expect.stringMatching(
        /^info outputs delivered: 2 files, 3\.0 MB(, \S+ [kM]B\/s)?, [23]\.\d MB more by failed attempts, after 1 failed attempt /,
      ),
    ])
  })

  it('fails the job when an output does not arrive, sends the others, and says which and why', async () => {
    await submit([], ['d1.dat', 'd2.dat'])
    galaxy.plan = ({ path: asked }) =>
      asked === '/galaxy/d1.dat' ? { kind: 'status', status: 400, body: 'no room for it' } : undefined
    await endWith({ 'd1.dat': 'one', 'd2.dat': 'two' })
    await untilStatus(running, '7', 'failed')
    const { stderr } = await running.manager.status('7')
    expect(stderr).toMatch(/1 of the job's outputs could not be delivered[\s\S]*output d1\.dat: .*400/)
    expect(stderr).not.toContain(galaxy.key)
    expect([...galaxy.uploads.keys()]).toEqual(['/galaxy/d2.dat'])
  })

  it('sends nothing from outside the job, and no directories, and says which could not be sent', async () => {
    await running.manager.setup({ jobId: '7', toolId: undefined, toolVersion: undefined })
    const { client_outputs: outputs, ...mapping } = staging([], ['d1.dat', 'dir.dat'])
    const sources = ['/galaxy/x', '/galaxy/w', '/galaxy/w/a/../../../etc/passwd', '/galaxy/w/d']
    const client_outputs = {
      ...outputs,
      work_dir_outputs: sources.map((source, at) => [source, `/galaxy/out${at}`]),
      output_files: [...outputs.output_files, ...sources.map((_, at) => `/galaxy/out${at}`)],
    }
    await running.manager.submit(
      '7',
      submitRequest('true', { remote_staging: { ...mapping, client_outputs } }),
    )
    await launched()
    mkdirSync(job('outputs/dir.dat'))
    mkdirSync(job('working/d'))
    writeFileSync(job('working/d/file'), 'below')
    await endWith({ 'd1.dat': 'one' })
    await untilStatus(running, '7', 'failed')
    const { stderr } = await running.manager.status('7')
    expect(stderr).toContain("3 of the job's outputs could not be delivered")
    expect(stderr).toContain('output_workdir ../x: the name leads outside the job directory')
    expect([...galaxy.uploads.keys()].sort()).toEqual(['/galaxy/d1.dat', '/galaxy/out3/file'])
  })

  it("fails the job for an output that is a symbolic link to the job's own inputs", async () => {
    galaxy.serve('/galaxy/a.dat', 'content')
    await submit(['a.dat'], ['d1.dat'])
    await launched()
    mkdirSync(job('outputs'), { recursive: true })
    symlinkSync('../inputs/a.dat', job('outputs/d1.dat'))
    await endWith({})
    await untilStatus(running, '7', 'failed')
    const { stderr } = await running.manager.status('7')
    expect(stderr).toContain('output d1.dat: "d1.dat" leads outside the directory it belongs to')
    expect(galaxy.uploads.size).toBe(0)
  })

  it('takes it that Galaxy does not want a file any more (403)', async () => {
    await submit([], ['d1.dat'])
    galaxy.failNext({ kind: 'status', status: 403 })
    await endWith({ 'd1.dat': 'one' })
    await untilStatus(running, '7', 'complete')
    expect(requests('POST')).toEqual(['/galaxy/d1.dat'])
  })

  it('is postprocessing until then, goes on after a restart, and delivers nothing twice', async () => {
    await submit([], ['d1.dat', 'd2.dat'])
    galaxy.plan = ({ path: asked }) => (asked === '/galaxy/d2.dat' ? { kind: 'hang', after: 0 } : undefined)
    await endWith({ 'd1.dat': 'one', 'd2.dat': 'two' })
    await waitFor(() => running.context.jobs.get('7')?.progress?.filesDone === 1, { what: 'first output' })
    expect((await running.manager.status('7')).status).toBe('postprocessing')
    await running.close()
    galaxy.plan = () => undefined
    running = await start()
    expect((await running.manager.status('7')).status).toBe('postprocessing')
    await running.recover()
    await untilStatus(running, '7', 'complete')
    expect(requests('POST').filter((asked) => asked === '/galaxy/d1.dat')).toHaveLength(1)
    expect(galaxy.uploads.get('/galaxy/d2.dat')?.content?.toString()).toBe('two')
  })

  it('delivers once the outputs of a job that ended while no server ran', async () => {
    await submit([], ['d1.dat'])
    await launched()
    const { events } = running.context
    await running.close()
    writeFileSync(job('outputs/d1.dat'), 'one')
    writeFileSync(job('return_code'), '0\n')
    writeFileSync(events.file('ended', '7'), '')
    // Under way until all that a start begins has begun.
    galaxy.plan = ({ method }) => (method === 'POST' ? { kind: 'slow', bytesPerSecond: 2000 } : undefined)
    running = await start()
    await running.recover()
    await untilStatus(running, '7', 'complete')
    expect(requests('POST')).toEqual(['/galaxy/d1.dat'])
  })

  it('forgets what an earlier server noted of jobs that are over, and of no others', async () => {
    await running.close()
    for (const key of ['moved/_default_/gone/x', 'moved/_default_/gone/y', 'moved/other/7/x'])
      await store.write([{ type: 'put', key, value: { done: true } }])
    running = await start()
    const left: string[] = []
    for await (const [key] of store.entries('moved/')) left.push(key)
    expect(left).toEqual(['moved/other/7/x'])
  })

  it('launches a job once that is submitted while earlier ones are taken up', async () => {
    await running.close()
    running = await start()
    // It arrives when taking up has begun.
    vi.spyOn(running.context.events, 'listEnded').mockImplementationOnce(async () => {
      await submit([], ['d1.dat'])
      return []
    })
    await running.recover()
    await endWith({ 'd1.dat': 'one' })
    await untilStatus(running, '7', 'complete')
    expect(scheduler.submitted).toHaveLength(1)
  })

  it('stops at once when the job is cancelled', async () => {
    await submit([], ['d1.dat'])
    galaxy.failNext({ kind: 'hang', after: 0 })
    await endWith({ 'd1.dat': 'one' })
    await waitFor(() => requests('POST').length > 0, { what: 'request' })
    await running.manager.cancel('7')
    expect((await running.manager.status('7')).status).toBe('cancelled')
    await waitFor(() => running.context.jobs.size === 0, { what: 'end of the job' })
  })

  it('forgets what it knew of an earlier job of the same id', async () => {
    for (const content of ['one', 'two']) {
      await submit([], ['d1.dat'])
      await endWith({ 'd1.dat': content })
      await untilStatus(running, '7', 'complete')
      await running.manager.clean('7')
      scheduler.reports.clear()
    }
    expect(galaxy.uploads.get('/galaxy/d1.dat')?.content?.toString()).toBe('two')
    const left: string[] = []
    for await (const [key] of store.entries('moved/')) left.push(key)
    expect(left).toEqual([])
  })
})
