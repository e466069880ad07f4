import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest'
import { auditStore } from '../../src/jobs/audit/run-audit.js'
import type { RunningManager } from '../../src/jobs/manager.js'
import { silentLogger } from '../../src/lib/log.js'
import { createLocalScheduler } from '../../src/schedulers/local.js'
import { findScriptProcess } from '../../src/schedulers/process-table.js'
import type { Scheduler } from '../../src/schedulers/scheduler.js'
import { openMemoryStore } from '../../src/store/memory-store.js'
import type { Store } from '../../src/store/store.js'
import { startManager, submitRequest, untilStatus } from '../helpers/manager.js'
import { tempDirectory } from '../helpers/temp-directory.js'
import { waitFor } from '../helpers/wait-for.js'

let root: string
let store: Store
let running: RunningManager
/** How many of the next launches never come to the first line of their script. */
let held: number
/** Names of the pipes from which those would read it. */
let pipes: string[]

const job = (name: string): string => path.join(root, 'jobs', '7', name)
const runs = (): string =>
  existsSync(path.join(root, 'runs')) ? readFileSync(path.join(root, 'runs'), 'utf8') : ''

/** A script in a pipe into which nobody writes is waited for by the process that is to run it. */
function holding(scheduler: Scheduler): Scheduler {
  return {
    ...scheduler,
    submit(submission, signal) {
      if (pipes.length >= held) return scheduler.submit(submission, signal)
      const script = path.join(root, `pipe-${pipes.length}`)
      execFileSync('mkfifo', [script])
      pipes.push(script)
      return scheduler.submit({ ...submission, script }, signal)
    },
  }
}

async function start(): Promise<void> {
  const scheduler = createLocalScheduler({ limit: 2, killGraceMs: 50, watchIntervalMs: 10 }, silentLogger)
  running = await startManager(root, holding(scheduler), { store })
  const opened = running
  onTestFinished(() => opened.close())
  await running.load()
  await running.recover()
}

/** Kills the process of a launch, the first one being 0, when it is there. */
async function kill(launch: number): Promise<void> {
  const pipe = path.join(root, `pipe-${launch}`)
  const { pid } = await waitFor(() => findScriptProcess(pipe), { what: `process of launch ${launch}` })
  process.kill(pid, 'SIGKILL')
}

async function submit(command = `echo run >> ${root}/runs`): Promise<void> {
  await running.manager.setup({ jobId: '7', toolId: undefined, toolVersion: undefined })
  await running.manager.submit('7', submitRequest(command))
}

beforeEach(async () => {
  root = await tempDirectory()
  store = openMemoryStore()
  held = 1
  pipes = []
  await start()
})

describe('a job of this machine whose process is killed before its script begins', () => {
  it('is launched again, and runs once', async () => {
    await submit()
    await kill(0)
    await untilStatus(running, '7', 'complete')
    expect(await running.manager.status('7')).toMatchObject({ returncode: 0 })
    expect(runs()).toBe('run\n')
    expect(existsSync(job('.magnetar-exit'))).toBe(false)
    expect((await auditStore(store, [running.context.config])).violations).toEqual([])
  })

  it('is launched again, too, when the server that started it was gone by then', async () => {
    await submit()
    await untilStatus(running, '7', 'running')
    await running.close()
    await kill(0)
    await start()
    await untilStatus(running, '7', 'complete')
    expect(runs()).toBe('run\n')
    expect((await auditStore(store, [running.context.config])).violations).toEqual([])
  })

  it('fails, with that reason, when that happens again and again', async () => {
    held = 4
    await submit()
    for (const launch of [0, 1, 2, 3]) await kill(launch)
    await untilStatus(running, '7', 'failed')
    expect((await running.manager.status('7')).stderr).toContain('was killed each of the 4 times')
    expect(runs()).toBe('')
    expect((await auditStore(store, [running.context.config])).violations).toEqual([])
  })

  it('is over when it was cancelled', async () => {
    await submit()
    await untilStatus(running, '7', 'running')
    await running.manager.cancel('7')
    await waitFor(() => !running.context.jobs.has('7'), { what: 'end of the job' })
    expect((await running.manager.status('7')).status).toBe('cancelled')
    expect(pipes).toHaveLength(1)
  })

  it('is not launched again when its script left any sign of its begin', async () => {
    await submit()
    await untilStatus(running, '7', 'running')
    writeFileSync(running.context.events.file('started', '7'), '')
    await kill(0)
    await untilStatus(running, '7', 'complete')
    expect(await running.manager.status('7')).toMatchObject({ returncode: -9 })
    expect(runs()).toBe('')
  })
})

it('a job that is killed after it began has the signal as its return code, and runs once', async () => {
  held = 0
  await submit(`echo run >> ${root}/runs; kill -9 $$`)
  await untilStatus(running, '7', 'complete')
  expect(await running.manager.status('7')).toMatchObject({ returncode: -9 })
  expect(runs()).toBe('run\n')
})
