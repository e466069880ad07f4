import { existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { beforeEach, describe, expect, it } from 'vitest'
import { describeLive } from '../../src/jobs/describe.js'
import type { RunningManager } from '../../src/jobs/manager.js'
import { SchedulerClosed, SubmitRejected } from '../../src/schedulers/scheduler.js'
import { openMemoryStore } from '../../src/store/memory-store.js'
import { createFakeScheduler, type FakeScheduler } from '../helpers/fake-scheduler.js'
import { startManager, submitRequest, untilStatus } from '../helpers/manager.js'
import { tempDirectory } from '../helpers/temp-directory.js'
import { waitFor } from '../helpers/wait-for.js'

let root: string
let scheduler: FakeScheduler
let running: RunningManager
const job = (name = ''): string => path.join(root, 'jobs', '7', name)

async function submit(command = 'true', id = '7'): Promise<void> {
  await running.manager.setup({ jobId: id, toolId: undefined, toolVersion: undefined })
  await running.manager.submit(id, submitRequest(command))
}

const launched = (id = '7'): Promise<string> =>
  waitFor(() => running.context.jobs.get(id)?.externalId, { what: 'launch' })

beforeEach(async () => {
  root = await tempDirectory()
  scheduler = createFakeScheduler()
  running = await startManager(root, scheduler)
  return () => running.close()
})

describe('setup', () => {
  it('makes the directories, answers with their paths, and can be repeated', async () => {
    const answer = await running.manager.setup({ jobId: '7', toolId: 'cat', toolVersion: '1' })
    expect(Object.keys(answer)).toEqual([
      ...[
        'job_directory',
        'working_directory',
        'metadata_directory',
        'outputs_directory',
        'configs_directory',
      ],
      ...['tools_directory', 'inputs_directory', 'unstructured_files_directory', 'path_separator', 'job_id'],
      ...[
        'system_properties',
        'pulsar_version',
        'preserve_galaxy_python_environment',
        'tool_id',
        'tool_version',
      ],
    ])
    expect(answer.tools_directory).toBe(job('tool_files'))
    expect(existsSync(job('unstructured'))).toBe(false)
    expect(answer.tool_id).toBe('cat')
    const again = await running.manager.setup({ jobId: '7', toolId: undefined, toolVersion: undefined })
    expect(again).not.toHaveProperty('tool_id')
  })

  it.each([
    '',
    '.',
    '..',
    'a/b',
    'a\\b',
    'a\0b',
    'x'.repeat(256),
    '.magnetar',
  ])('refuses the job id %j', async (id) => {
    await expect(
      running.manager.setup({ jobId: id, toolId: undefined, toolVersion: undefined }),
    ).rejects.toMatchObject({
      code: 'JOB_ID_INVALID',
    })
    await expect(running.manager.clean(id)).rejects.toMatchObject({ code: 'JOB_ID_INVALID' })
  })

  it('gives ids of its own with assign_ids uuid', async () => {
    const other = await startManager(await tempDirectory(), scheduler, { config: { assignIds: 'uuid' } })
    const answer = await other.manager.setup({ jobId: '7', toolId: undefined, toolVersion: undefined })
    expect(answer.job_id).toMatch(/^[0-9a-f]{32}$/)
    await other.close()
  })
})

describe('submit', () => {
  it('records the launch, hands the job over and reports what the script and the scheduler say', async () => {
    await submit('echo hi')
    await launched()
    expect(JSON.parse(readFileSync(job('launch_config'), 'utf8'))).toMatchObject({
      command_line: 'echo hi',
      submit_params: {},
    })
    expect((await running.manager.status('7')).status).toBe('queued')
    writeFileSync(running.context.events.file('started', '7'), '')
    await untilStatus(running, '7', 'running')
    writeFileSync(job('return_code'), '3\n')
    writeFileSync(running.context.events.file('ended', '7'), '')
    await untilStatus(running, '7', 'complete')
    expect(await running.manager.status('7')).toMatchObject({
      complete: 'true',
      status: 'complete',
      returncode: 3,
    })
  })

  it('leaves jobs as a Python server would find them when it stops, and takes them back at the next start', async () => {
    const store = openMemoryStore()
    await running.close()
    running = await startManager(root, scheduler, { store })
    await submit('true', '7')
    await submit('true', '8')
    await launched('7')
    await launched('8')
    writeFileSync(path.join(root, 'jobs', '8', 'return_code'), '0\n')
    scheduler.report('x-8', { state: 'ended' })
    await untilStatus(running, '8', 'complete')
    await running.close()
    const index = path.join(root, 'active', '_default_-active-jobs', '7')
    const text = (name: string): string => readFileSync(path.join(root, 'jobs', name), 'utf8')
    expect(existsSync(index)).toBe(true)
    expect([text('7/external_id'), text('7/preprocessed'), text('7/tool_id')]).toEqual([
      '"x-7"',
      'true',
      '""',
    ])
    expect(text('8/final_status')).toBe('"complete"')
    running = await startManager(root, scheduler, { store })
    await running.load()
    expect(existsSync(index)).toBe(false)
    expect((await running.manager.status('7')).status).toBe('queued')
  })

  it('runs once when it is repeated, before and after the end', async () => {
    await submit()
    await running.manager.submit('7', submitRequest('other'))
    await launched()
    writeFileSync(job('return_code'), '0\n')
    scheduler.report('x-7', { state: 'ended' })
    await untilStatus(running, '7', 'complete')
    await running.manager.submit('7', submitRequest('other'))
    expect(scheduler.submitted).toHaveLength(1)
    expect((await running.manager.status('7')).status).toBe('complete')
  })

  it('is refused for a job that was never set up, and changes nothing', async () => {
    await expect(running.manager.submit('7', submitRequest('true'))).rejects.toMatchObject({
      code: 'JOB_NOT_SET_UP',
    })
    expect((await running.manager.status('7')).status).toBe('lost')
  })

  it('sets the job up itself with setup_params, and replaces the token of the job directory', async () => {
    const request = submitRequest('ls __PULSAR_JOB_DIRECTORY__/inputs', {
      setup_params: { job_id: '7', tool_id: 'cat' },
    })
    await running.manager.submit('7', request)
    expect(JSON.parse(readFileSync(job('launch_config'), 'utf8')).command_line).toBe(`ls ${job('inputs')}`)
    expect(JSON.parse(readFileSync(job('.magnetar-job'), 'utf8'))).toMatchObject({ toolId: 'cat' })
    const removed = submitRequest('ls __PULSAR_JOBS_DIRECTORY__', { setup_params: { job_id: '8' } })
    await expect(running.manager.submit('8', removed)).rejects.toMatchObject({ code: 'BAD_REQUEST' })
  })

  it('touches outputs, inside the outputs directory only', async () => {
    await running.manager.setup({ jobId: '7', toolId: undefined, toolVersion: undefined })
    await expect(
      running.manager.submit('7', submitRequest('true', { touch_outputs: ['../../x'] })),
    ).rejects.toMatchObject({ code: 'FILE_OUTSIDE_JOB' })
    await running.manager.submit('7', submitRequest('true', { touch_outputs: ['a/b'] }))
    expect(readFileSync(job('outputs/a/b'), 'utf8')).toBe('')
  })

  it('fails the job with the reason of a refused launch in stderr and 1 as return code', async () => {
    scheduler.refuse = new SubmitRejected('partition', 'Invalid partition name specified')
    await submit()
    await untilStatus(running, '7', 'failed')
    const status = await running.manager.status('7')
    expect(status).toMatchObject({ complete: 'true', returncode: 1 })
    expect(status.stderr).toContain('Invalid partition name specified')
    expect(existsSync(job('preprocessing_failed'))).toBe(true)
  })

  it('waits for a scheduler that is down', async () => {
    scheduler.down = true
    await submit()
    expect((await running.manager.status('7')).status).toBe('queued')
    const reason = () => describeLive(running.context).find(({ id }) => id === '7')?.reason
    await waitFor(() => reason()?.includes('the fake scheduler is down'), { what: 'reason that can be seen' })
    scheduler.down = false
    await launched()
    expect(scheduler.submitted).toHaveLength(1)
    expect(reason()).toBeUndefined()
  })

  it('waits for a partition that is closed, while other jobs are launched', async () => {
    const take = scheduler.submit
    let isClosed = true
    scheduler.submit = (each, signal) =>
      isClosed && each.jobId.startsWith('closed')
        ? Promise.reject(new SchedulerClosed('the partition is drained'))
        : take(each, signal)
    const ids = Array.from({ length: 12 }, (_, at) => `closed-${at}`)
    for (const id of ids) await submit('true', id)
    await submit()
    await launched()
    expect(describeLive(running.context).map(({ reason }) => reason)).toEqual([
      ...ids.map(() => expect.stringContaining('the partition is drained')),
      undefined,
    ])
    isClosed = false
    for (const id of ids) await launched(id)
    expect(scheduler.submitted).toHaveLength(13)
  })
})

describe('the end of a job', () => {
  it('is failed with the scheduler’s reason in stderr, after what the tool wrote', async () => {
    await submit()
    await launched()
    writeFileSync(job('metadata/tool_stderr'), 'tool says')
    scheduler.report('x-7', { state: 'ended', failure: 'Slurm ended the job: TIMEOUT' })
    await untilStatus(running, '7', 'failed')
    expect(await running.manager.status('7')).toMatchObject({
      stderr: 'tool says\nSlurm ended the job: TIMEOUT\n',
      returncode: null,
    })
  })

  it('asks the scheduler when the return code may be a signal’s: memory, not the tool', async () => {
    await submit()
    await launched()
    writeFileSync(job('return_code'), '137\n')
    writeFileSync(running.context.events.file('ended', '7'), '')
    await waitFor(() => running.context.jobs.get('7')?.newsAtMs === 0, { what: 'question for the scheduler' })
    scheduler.report('x-7', { state: 'ended', failure: 'Slurm ended the job: OUT_OF_MEMORY' })
    await untilStatus(running, '7', 'failed')
  })

  it('does not take a return code that is not yet written whole', async () => {
    await submit()
    await launched()
    writeFileSync(job('return_code'), '1')
    writeFileSync(running.context.events.file('ended', '7'), '')
    await waitFor(() => running.context.jobs.get('7')?.newsAtMs === 0, { what: 'judgement' })
    expect((await running.manager.status('7')).complete).toBe('false')
    writeFileSync(job('return_code'), '12\n')
    scheduler.report('x-7', { state: 'ended' })
    await untilStatus(running, '7', 'complete')
    expect((await running.manager.status('7')).returncode).toBe(12)
  })

  it('waits for a return code that shows up after the scheduler’s word', async () => {
    await running.close()
    running = await startManager(root, scheduler, { returnCodeWaitMs: 60_000 })
    await submit()
    await launched()
    scheduler.report('x-7', { state: 'ended', exitCode: 0 })
    await waitFor(() => running.context.jobs.get('7')?.endedSinceMs !== undefined, {
      what: 'first judgement',
    })
    expect((await running.manager.status('7')).complete).toBe('false')
    writeFileSync(job('return_code'), '9\n')
    await untilStatus(running, '7', 'complete')
    expect((await running.manager.status('7')).returncode).toBe(9)
  })

  it('is lost, with a reason, when the scheduler forgot a job that had begun, and there is no return code', async () => {
    await submit()
    await launched()
    scheduler.report('x-7', { state: 'gone', forgotten: true })
    await untilStatus(running, '7', 'lost')
    expect((await running.manager.status('7')).stderr).toContain('no longer knows the job')
  })

  it('takes the scheduler’s exit code for a script that was killed', async () => {
    await submit()
    await launched()
    scheduler.report('x-7', { state: 'ended', exitCode: -9 })
    await untilStatus(running, '7', 'complete')
    expect((await running.manager.status('7')).returncode).toBe(-9)
  })

  it('is the tool’s return code when its script was killed only after leaving one', async () => {
    await submit()
    await launched()
    writeFileSync(job('return_code'), '2\n')
    scheduler.report('x-7', { state: 'ended', failure: 'Slurm ended the job: FAILED', exitCode: -9 })
    await untilStatus(running, '7', 'complete')
    expect((await running.manager.status('7')).returncode).toBe(2)
  })

  it('never changes once it is told', async () => {
    await submit()
    await launched()
    writeFileSync(job('return_code'), '0\n')
    scheduler.report('x-7', { state: 'ended' })
    await untilStatus(running, '7', 'complete')
    await running.manager.cancel('7')
    scheduler.report('x-7', { state: 'ended', failure: 'late' })
    expect((await running.manager.status('7')).status).toBe('complete')
  })
})

describe('cancel', () => {
  it('is visible at once and has the scheduler stop the job', async () => {
    await submit()
    await launched()
    await running.manager.cancel('7')
    expect((await running.manager.status('7')).status).toBe('cancelled')
    expect(existsSync(job('cancelled'))).toBe(true)
    await waitFor(() => scheduler.cancelled.length === 1, { what: 'scheduler’s cancel' })
    scheduler.report('x-7', { state: 'ended', exitCode: -15 })
    await waitFor(() => !running.context.jobs.has('7'), { what: 'end of the job' })
    expect(await running.manager.status('7')).toMatchObject({ status: 'cancelled', returncode: -15 })
  })

  it('stops a job whose launch is under way as soon as it is handed over', async () => {
    scheduler.down = true
    await submit()
    await running.manager.cancel('7')
    scheduler.down = false
    await waitFor(() => !running.context.jobs.has('7') || scheduler.cancelled.length > 0, { what: 'stop' })
    expect((await running.manager.status('7')).status).toBe('cancelled')
  })

  it('is fine with unknown and finished jobs', async () => {
    await running.manager.cancel('nobody')
    expect((await running.manager.status('nobody')).status).toBe('lost')
  })
})

describe('clean', () => {
  it('removes the directory and every trace, also of a job that still runs', async () => {
    await submit()
    await launched()
    await running.manager.clean('7')
    expect(existsSync(job())).toBe(false)
    await waitFor(() => scheduler.cancelled.length === 1, { what: 'cancel' })
    scheduler.report('x-7', { state: 'ended' })
    await waitFor(() => !running.context.jobs.has('7'), { what: 'end' })
    expect((await running.manager.status('7')).status).toBe('lost')
    await running.manager.clean('7')
  })

  it('lets the same id be used again', async () => {
    await submit()
    await launched()
    writeFileSync(job('return_code'), '0\n')
    scheduler.report('x-7', { state: 'ended' })
    await untilStatus(running, '7', 'complete')
    await running.manager.clean('7')
    await submit('again')
    await waitFor(() => scheduler.submitted.length === 2, { what: 'second launch' })
  })

  it('leaves a directory alone that does not carry our marker', async () => {
    mkdirSync(job(), { recursive: true })
    writeFileSync(job('precious'), '')
    await running.manager.clean('7')
    expect(existsSync(job('precious'))).toBe(true)
  })

  it('keeps everything with debug', async () => {
    const place = await tempDirectory()
    const other = await startManager(place, scheduler, { config: { debug: true } })
    await other.manager.setup({ jobId: '7', toolId: undefined, toolVersion: undefined })
    await other.manager.clean('7')
    expect(existsSync(path.join(place, 'jobs', '7', 'outputs'))).toBe(true)
    await other.close()
  })
})

describe('the final status', () => {
  it('lists files, cuts long streams in the middle and shows dynamic files', async () => {
    await running.manager.setup({ jobId: '7', toolId: undefined, toolVersion: undefined })
    await running.manager.submit(
      '7',
      submitRequest('true', {
        dynamic_file_sources: [
          { type: 'galaxy', path: 'galaxy.json' },
          { path: 'absent' },
          { path: '../../x' },
        ],
      }),
    )
    await launched()
    mkdirSync(job('outputs/d'))
    writeFileSync(job('outputs/d/f'), '')
    symlinkSync('/etc', job('working/link'))
    symlinkSync('d/f', job('outputs/l'))
    writeFileSync(job('working/galaxy.json'), '[]')
    writeFileSync(job('metadata/tool_stdout'), `A${'x'.repeat(70_000)}Z`)
    writeFileSync(job('return_code'), '0\n')
    scheduler.report('x-7', { state: 'ended' })
    await untilStatus(running, '7', 'complete')
    const status = await running.manager.status('7')
    expect(status.outputs_directory_contents).toEqual(expect.arrayContaining(['l', 'd/f']))
    expect(status.working_directory_contents).toEqual(['galaxy.json'])
    expect(status.realized_dynamic_file_sources).toEqual([
      { type: 'galaxy', path: 'galaxy.json', contents: '[]' },
    ])
    const stdout = String(status.stdout)
    expect(stdout).toHaveLength(65536)
    expect(stdout).toMatch(/^Ax+\n\.\.\nx+Z$/)
    expect(status.job_directory_contents).toEqual(
      expect.arrayContaining(['launch_config', 'outputs', 'return_code']),
    )
  })

  it('does not list what a link in place of a directory leads to', async () => {
    await submit()
    await launched()
    const { rmdirSync } = await import('node:fs')
    rmdirSync(job('outputs'))
    symlinkSync('/etc', job('outputs'))
    writeFileSync(job('return_code'), '0\n')
    scheduler.report('x-7', { state: 'ended' })
    await untilStatus(running, '7', 'complete')
    expect((await running.manager.status('7')).outputs_directory_contents).toEqual([])
  })
})

describe('after a restart', () => {
  const store = openMemoryStore()

  async function restart(): Promise<void> {
    await running.close()
    running = await startManager(root, scheduler, { store })
    await running.load()
  }

  beforeEach(async () => {
    await running.close()
    running = await startManager(root, scheduler, { store })
  })

  it('takes up a job which the scheduler has, without submitting it again', async () => {
    await submit()
    await launched()
    await restart()
    expect((await running.manager.status('7')).status).toBe('queued')
    scheduler.known.set('7', 'x-7')
    await running.recover()
    writeFileSync(job('return_code'), '0\n')
    scheduler.report('x-7', { state: 'ended' })
    await untilStatus(running, '7', 'complete')
    expect(scheduler.submitted).toHaveLength(1)
    await running.manager.clean('7')
  })

  it('launches a job that was acknowledged and never handed over', async () => {
    scheduler.down = true
    await submit()
    await restart()
    scheduler.down = false
    await running.recover()
    await launched()
    expect(scheduler.submitted).toHaveLength(1)
    await running.manager.clean('7')
    scheduler.report('x-7', { state: 'ended' })
  })

  it('finishes a job whose script ended while no server was there', async () => {
    await submit()
    await launched()
    await running.close()
    writeFileSync(job('return_code'), '6\n')
    writeFileSync(running.context.events.file('ended', '7'), '')
    await restart()
    await running.recover()
    expect(await running.manager.status('7')).toMatchObject({ status: 'complete', returncode: 6 })
    await running.manager.clean('7')
  })

  it('goes on stopping a cancelled job', async () => {
    await submit()
    await launched()
    scheduler.down = true
    await running.manager.cancel('7')
    await restart()
    expect((await running.manager.status('7')).status).toBe('cancelled')
    scheduler.down = false
    scheduler.known.set('7', 'x-7')
    await running.recover()
    await waitFor(() => scheduler.cancelled.includes('x-7'), { what: 'cancel' })
    scheduler.report('x-7', { state: 'ended' })
    await waitFor(() => !running.context.jobs.has('7'), { what: 'end' })
    await running.manager.clean('7')
  })

  it('reports a job as lost whose directory is gone', async () => {
    await submit()
    await launched()
    await running.close()
    const { rmSync } = await import('node:fs')
    rmSync(job(), { recursive: true })
    await restart()
    await running.recover()
    expect((await running.manager.status('7')).status).toBe('lost')
    await running.manager.clean('7')
  })

  it('knows jobs that were over before, and does not run them again', async () => {
    await submit()
    await launched()
    writeFileSync(job('return_code'), '0\n')
    scheduler.report('x-7', { state: 'ended' })
    await untilStatus(running, '7', 'complete')
    await restart()
    await running.recover()
    await running.manager.submit('7', submitRequest('again'))
    expect(scheduler.submitted).toHaveLength(1)
    await running.manager.clean('7')
  })
})
