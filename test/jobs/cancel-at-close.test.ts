import { expect, it } from 'vitest'
import { createFakeScheduler } from '../helpers/fake-scheduler.js'
import { startManager, submitRequest } from '../helpers/manager.js'
import { tempDirectory } from '../helpers/temp-directory.js'
import { waitFor } from '../helpers/wait-for.js'

// As Slurm is asked whose an id is before scancel, a stop right after a cancel finds it under way.
it('a job that was cancelled just before the server stops is stopped by the scheduler', async () => {
  const scheduler = createFakeScheduler()
  const running = await startManager(await tempDirectory(), scheduler, { config: { type: 'slurm' } })
  await running.manager.setup({ jobId: '1', toolId: undefined, toolVersion: undefined })
  await running.manager.submit('1', submitRequest('true'))
  await waitFor(() => running.context.jobs.get('1')?.externalId, { what: 'launch' })
  let answer = (): void => {}
  const answered = new Promise<void>((resolve) => {
    answer = resolve
  })
  scheduler.cancel = async (id, signal) => {
    await answered
    signal.throwIfAborted()
    scheduler.cancelled.push(id)
  }
  await running.manager.cancel('1')
  const closed = running.close()
  answer()
  await closed
  expect(scheduler.cancelled).toEqual(['x-1'])
})
