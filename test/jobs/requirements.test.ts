import { chmod, mkdir, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { type Dependencies, openDependencies } from '../../src/dependencies/dependencies.js'
import type { RunningManager } from '../../src/jobs/manager.js'
import type { SubmitRequest } from '../../src/jobs/types.js'
import { MagnetarError } from '../../src/lib/errors.js'
import { silentLogger } from '../../src/lib/log.js'
import { createLocalScheduler } from '../../src/schedulers/local.js'
import { openMemoryStore } from '../../src/store/memory-store.js'
import type { Store } from '../../src/store/store.js'
import { createFakeScheduler } from '../helpers/fake-scheduler.js'
import { startManager, submitRequest, untilStatus } from '../helpers/manager.js'
import { tempDirectory } from '../helpers/temp-directory.js'
import { waitFor } from '../helpers/wait-for.js'

const ZLIB = { requirements: [{ name: 'zlib', type: 'package', version: '1.2.8', specs: [] }] }

interface FakeDependencies extends Dependencies {
  /** Job directories, in the order in which they came. */
  readonly asked: string[]
  readonly cancelled: unknown[]
  /** Answers all that wait, and all that come. */
  answer(lines: readonly string[]): void
  fail(error: Error): void
}

function createFakeDependencies(): FakeDependencies {
  let settle: { resolve(lines: readonly string[]): void; reject(error: Error): void } | undefined
  const answer = new Promise<readonly string[]>((resolve, reject) => {
    settle = { resolve, reject }
  })
  const fake: FakeDependencies = {
    asked: [],
    cancelled: [],
    answer: (lines) => settle?.resolve(lines),
    fail: (error) => settle?.reject(error),
    resolve: ({ jobDirectory, signal }) => {
      fake.asked.push(path.basename(jobDirectory))
      return new Promise((resolve, reject) => {
        const abort = (): void => {
          fake.cancelled.push(path.basename(jobDirectory))
          reject(signal.reason)
        }
        if (signal.aborted) abort()
        signal.addEventListener('abort', abort)
        answer.then(resolve, reject)
      })
    },
    close: async () => {},
  }
  return fake
}

async function open(
  dependencies: Dependencies,
  more: { root?: string; store?: Store; real?: boolean } = {},
): Promise<RunningManager> {
  const scheduler = more.real ? createLocalScheduler({ limit: 2 }, silentLogger) : createFakeScheduler()
  const { store = openMemoryStore(), root = await tempDirectory() } = more
  const running = await startManager(root, scheduler, { dependencies, store })
  onTestFinished(() => running.close())
  return running
}

async function submit(
  { manager }: RunningManager,
  id: string,
  command = 'true',
  more: Partial<SubmitRequest> = {},
): Promise<void> {
  await manager.setup({ jobId: id, toolId: undefined, toolVersion: undefined })
  await manager.submit(id, submitRequest(command, { dependencies_description: ZLIB, ...more }))
}

const isLaunched = ({ context }: RunningManager, id: string): Promise<string> =>
  waitFor(() => context.jobs.get(id)?.externalId, { what: `launch of job ${id}` })

describe('a job whose tool requires something', () => {
  it('finds it, in a real job', async () => {
    const base = path.join(await tempDirectory(), "it's here")
    const bin = path.join(base, 'zlib', '1.2.8', 'bin')
    await mkdir(bin, { recursive: true })
    await writeFile(path.join(bin, 'zlib-says'), '#!/bin/sh\necho "deflated by $PACKAGE_BASE"\n')
    await chmod(path.join(bin, 'zlib-says'), 0o755)
    const resolver = { type: 'galaxy_packages', options: {}, mappings: [], place: '' } as const
    const dependencies = await openDependencies(
      { baseDirectory: base, resolvers: [resolver], onFailure: 'fail', options: {} },
      { log: silentLogger, cwd: '/', env: {} },
    )
    const running = await open(dependencies, { real: true })
    await submit(running, '7', 'zlib-says > said; cat said')
    await untilStatus(running, '7', 'complete')
    expect(await running.manager.status('7')).toMatchObject({
      returncode: 0,
      job_stdout: `deflated by ${base}/zlib/1.2.8\n`,
      working_directory_contents: ['said'],
    })
  })

  it('is queued until that is there', async () => {
    const dependencies = createFakeDependencies()
    const running = await open(dependencies)
    await submit(running, '7')
    await waitFor(() => dependencies.asked.includes('7'), { what: 'the resolvers' })
    expect(await running.manager.status('7')).toMatchObject({ status: 'queued', complete: 'false' })
    expect(running.context.jobs.get('7')?.externalId).toBeUndefined()
    dependencies.answer([])
    expect(await isLaunched(running, '7')).toBe('x-7')
  })

  it('holds nobody else, however many wait for it', async () => {
    const dependencies = createFakeDependencies()
    const running = await open(dependencies)
    const waiting = Array.from({ length: 60 }, (_, index) => `w${index}`)
    await Promise.all(waiting.map((id) => submit(running, id)))
    await waitFor(() => dependencies.asked.length === waiting.length, { what: 'the resolvers' })
    await submit(running, 'other', 'true', { dependencies_description: null })
    expect(await isLaunched(running, 'other')).toBe('x-other')
    dependencies.answer([])
    for (const id of waiting) await isLaunched(running, id)
  })

  it('fails with what the resolver said, and the client learns it', async () => {
    const dependencies = createFakeDependencies()
    const running = await open(dependencies)
    await submit(running, '7')
    const fix = 'Check conda_ensure_channels.'
    dependencies.fail(
      new MagnetarError('REQUIREMENTS_FAILED', 'the tool requires zlib 1.2.8: no channel has it', { fix }),
    )
    await untilStatus(running, '7', 'failed')
    expect(await running.manager.status('7')).toMatchObject({
      complete: 'true',
      returncode: 1,
      stderr: `The tool requires zlib 1.2.8: no channel has it\n${fix}\n`,
    })
  })

  it('can be cancelled meanwhile, also after its inputs were fetched', async () => {
    const dependencies = createFakeDependencies()
    const running = await open(dependencies)
    const source = path.join(await tempDirectory(), 'input')
    await writeFile(source, 'x')
    const action = { action_type: 'remote_copy', path: source }
    const staging = { setup: [{ name: 'input', type: 'input', action }] }
    await submit(running, 'plain')
    await submit(running, 'staged', 'true', { remote_staging: staging })
    await waitFor(() => dependencies.asked.length === 2, { what: 'the resolvers' })
    for (const id of ['plain', 'staged']) {
      await running.manager.cancel(id)
      expect(await running.manager.status(id)).toMatchObject({ status: 'cancelled' })
      await waitFor(() => !running.context.jobs.has(id), { what: 'end of the job' })
    }
    expect(dependencies.cancelled).toEqual(['plain', 'staged'])
  })

  it('is taken up again after a restart', async () => {
    const [root, store] = [await tempDirectory(), openMemoryStore()]
    const before = createFakeDependencies()
    const first = await open(before, { root, store })
    await submit(first, '7')
    await waitFor(() => before.asked.includes('7'), { what: 'the resolvers' })
    await first.close()
    expect(before.cancelled).toEqual(['7'])

    const after = createFakeDependencies()
    const second = await open(after, { root, store })
    await second.load()
    expect(await second.manager.status('7')).toMatchObject({ status: 'queued' })
    await second.recover()
    after.answer([])
    expect(await isLaunched(second, '7')).toBe('x-7')
    expect(after.asked).toEqual(['7'])
  })

  it.each([
    null,
    {},
    { requirements: [] },
    { installed_tool_dependencies: [{}] },
  ])('asks nobody when it requires nothing: %j', async (description) => {
    const dependencies = createFakeDependencies()
    const running = await open(dependencies)
    await submit(running, '7', 'true', { dependencies_description: description })
    await isLaunched(running, '7')
    expect(dependencies.asked).toEqual([])
  })

  it('fails when its description cannot be read', async () => {
    const dependencies = await openDependencies(
      { baseDirectory: '/', resolvers: [], onFailure: 'fail', options: {} },
      { log: silentLogger, cwd: '/', env: {} },
    )
    const running = await open(dependencies)
    await submit(running, '7', 'true', { dependencies_description: { requirements: [{ name: 5 }] } })
    await untilStatus(running, '7', 'failed')
    expect((await running.manager.status('7')).stderr).toContain(
      'requirements[0].name: expected text, found 5',
    )
  })
})
