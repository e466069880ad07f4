import { writeFileSync } from 'node:fs'
import path from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import { noteReport } from '../../src/jobs/judge.js'
import { startMonitor } from '../../src/jobs/monitor.js'
import { silentLogger } from '../../src/lib/log.js'
import { openMemoryStore } from '../../src/store/memory-store.js'
import type { Store } from '../../src/store/store.js'
import { createFakeScheduler } from '../helpers/fake-scheduler.js'
import { startManager, submitRequest, untilStatus } from '../helpers/manager.js'
import { tempDirectory } from '../helpers/temp-directory.js'
import { waitFor } from '../helpers/wait-for.js'

it('a job whose end cannot be recorded holds up nobody, says why, and ends as soon as it can be', async () => {
  const root = await tempDirectory()
  const scheduler = createFakeScheduler()
  const real = openMemoryStore()
  let isFull = false
  const store: Store = {
    ...real,
    write: (changes, options) =>
      isFull ? Promise.reject(new Error('no space left')) : real.write(changes, options),
  }
  const running = await startManager(root, scheduler, { store })
  onTestFinished(() => running.close())
  await running.manager.setup({ jobId: '7', toolId: undefined, toolVersion: undefined })
  await running.manager.submit('7', submitRequest('true'))
  await waitFor(() => running.context.jobs.get('7')?.externalId, { what: 'launch' })
  writeFileSync(path.join(root, 'jobs', '7', 'return_code'), '3\n')
  isFull = true
  await noteReport(running.context, '7', 'x-7', { state: 'ended', exitCode: 3 })
  expect(running.context.jobs.get('7')?.waitsFor).toContain('no space left')
  isFull = false
  scheduler.report('x-7', { state: 'ended', exitCode: 3 })
  const monitor = startMonitor([running.context], silentLogger)
  onTestFinished(() => monitor.stop())
  await untilStatus(running, '7', 'complete')
  expect(await running.manager.status('7')).toMatchObject({ returncode: 3 })
})
