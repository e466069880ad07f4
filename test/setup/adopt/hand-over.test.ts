import { rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { expect, it } from 'vitest'
import type { NodeConfig } from '../../../src/config/types.js'
import { handOver } from '../../../src/setup/adopt/hand-over.js'
import { createFakeScheduler } from '../../helpers/fake-scheduler.js'
import { startManager, submitRequest } from '../../helpers/manager.js'
import { tempDirectory } from '../../helpers/temp-directory.js'
import { waitFor } from '../../helpers/wait-for.js'

it('says what kept a stopped Magnetar from leaving its jobs, until a stop could', async () => {
  const root = await tempDirectory()
  const persistenceDirectory = path.join(root, 'active')
  const index = path.join(persistenceDirectory, '_default_-active-jobs')
  const serve = async (): Promise<void> => {
    const running = await startManager(root, createFakeScheduler())
    await running.manager.setup({ jobId: '7', toolId: undefined, toolVersion: undefined })
    await running.manager.submit('7', submitRequest('true'))
    await waitFor(() => running.context.jobs.get('7')?.externalId, { what: 'launch' })
    rmSync(index, { recursive: true })
    writeFileSync(index, 'not a directory')
    await running.close()
    rmSync(index)
  }
  const config = { persistenceDirectory, managers: [{ name: '_default_' }] } as unknown as NodeConfig
  const commands = { start: 'start it', stop: 'stop it' }
  const undo = (restart: () => Promise<void>) =>
    handOver(
      { config, count: async () => 1, commands, configDirectory: '/etc/p', restart },
      AbortSignal.timeout(20_000),
    )
  await expect(undo(serve)).rejects.toMatchObject({
    message: expect.stringMatching(
      /could not leave them to the Python Pulsar: .*ENOTDIR.*_default_-active-jobs\/7/,
    ),
    fix: expect.stringContaining('Mend that'),
  })
  const stopWell = async (): Promise<void> => (await startManager(root, createFakeScheduler())).close()
  await expect(undo(stopWell)).rejects.toMatchObject({
    message: expect.stringContaining('was stopped before it could leave them'),
  })
})
