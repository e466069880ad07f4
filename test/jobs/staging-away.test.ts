import { existsSync, mkdirSync, renameSync, rmdirSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { beforeEach, expect, it } from 'vitest'
import { startMonitor } from '../../src/jobs/monitor.js'
import { silentLogger } from '../../src/lib/log.js'
import { createFakeScheduler } from '../helpers/fake-scheduler.js'
import { startManager, submitRequest } from '../helpers/manager.js'
import { tempDirectory } from '../helpers/temp-directory.js'
import { waitFor } from '../helpers/wait-for.js'

type Running = Awaited<ReturnType<typeof startManager>>

let root: string
let scheduler: ReturnType<typeof createFakeScheduler>
let running: Running

const staging = (...names: string[]): string => path.join(root, 'jobs', ...names)

/** As when the file system of the staging directory is unmounted. */
function takeAway(): void {
  renameSync(staging(), `${staging()}.away`)
  mkdirSync(staging())
}

function bringBack(): void {
  rmdirSync(staging())
  renameSync(`${staging()}.away`, staging())
}

async function launch(id: string): Promise<void> {
  await running.manager.setup({ jobId: id, toolId: undefined, toolVersion: undefined })
  await running.manager.submit(id, submitRequest('true'))
  await waitFor(() => running.context.jobs.get(id)?.externalId, { what: 'launch' })
}

const untilComplete = (id: string): Promise<unknown> =>
  waitFor(async () => (await running.manager.status(id)).complete === 'true', { what: `end of job ${id}` })

beforeEach(async () => {
  root = await tempDirectory()
  scheduler = createFakeScheduler()
  running = await startManager(root, scheduler)
  const monitor = startMonitor([running.context], silentLogger)
  return async () => {
    monitor.stop()
    await running.close()
  }
})

it('a job that ends meanwhile keeps its state, with the reason, and ends right afterwards', async () => {
  await launch('7')
  writeFileSync(staging('7', 'return_code'), '3\n')
  takeAway()
  scheduler.report('x-7', { state: 'gone', forgotten: true })
  const reason = await waitFor(() => running.context.jobs.get('7')?.waitsFor, { what: 'reason' })
  expect(reason).toContain('its file system is not mounted')
  expect((await running.manager.status('7')).complete).toBe('false')
  bringBack()
  await untilComplete('7')
  expect(await running.manager.status('7')).toMatchObject({ status: 'complete', returncode: 3 })
})

it('what a job has left is not told to be nothing, and no job is unknown', async () => {
  await launch('7')
  writeFileSync(staging('7', 'outputs', 'out'), 'made')
  writeFileSync(staging('7', 'return_code'), '0\n')
  scheduler.report('x-7', { state: 'ended', exitCode: 0 })
  await untilComplete('7')
  await running.manager.setup({ jobId: '8', toolId: undefined, toolVersion: undefined })
  takeAway()
  const isAway = { code: 'STAGING_AWAY' }
  await expect(running.manager.status('7')).rejects.toMatchObject(isAway)
  await expect(running.manager.status('8')).rejects.toMatchObject(isAway)
  await expect(running.manager.submit('8', submitRequest('true'))).rejects.toMatchObject(isAway)
  bringBack()
  expect(await running.manager.status('7')).toMatchObject({ outputs_directory_contents: ['out'] })
  expect((await running.manager.status('8')).status).toBe('preprocessing')
})

it('nothing is made in its place', async () => {
  takeAway()
  const setup = running.manager.setup({ jobId: '9', toolId: undefined, toolVersion: undefined })
  await expect(setup).rejects.toMatchObject({ code: 'STAGING_AWAY' })
  await expect(running.manager.uploadPath('10', 'input', 'in')).rejects.toMatchObject({
    code: 'STAGING_AWAY',
  })
  expect(existsSync(staging('9'))).toBe(false)
  expect(existsSync(staging('10'))).toBe(false)
  bringBack()
})
