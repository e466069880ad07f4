import { chmodSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { describe, expect, it } from 'vitest'
import { openLevelStore } from '../../src/store/level-store.js'
import { createFakeScheduler } from '../helpers/fake-scheduler.js'
import { startManager, submitRequest } from '../helpers/manager.js'
import { tempDirectory } from '../helpers/temp-directory.js'
import { waitFor } from '../helpers/wait-for.js'

// What gives access to a job's files at Galaxy: the key in the addresses of its files.
const KEY = 's3cr3t-k3y'
const STAGING = {
  action_mapper: {
    default_action: 'transfer',
    files_endpoint: `https://galaxy/api/jobs/1/files?job_key=${KEY}`,
  },
  client_outputs: {},
}

/** Files below a directory that others than their owner can read, through directories that let them. */
function readableByOthers(directory: string): string[] {
  return readdirSync(directory, { withFileTypes: true }).flatMap((entry) => {
    const file = path.join(directory, entry.name)
    if (entry.isSymbolicLink()) return []
    const { mode } = statSync(file)
    if (entry.isDirectory()) return mode & 0o011 ? readableByOthers(file) : []
    return entry.isFile() && mode & 0o044 ? [file] : []
  })
}

const withKey = (files: readonly string[]): string[] =>
  files.filter((file) => readFileSync(file).includes(KEY))

describe('the keys of jobs', () => {
  it('cannot be read by others in a job directory, nor in the store', async () => {
    const before = process.umask(0o022)
    const root = await tempDirectory()
    chmodSync(root, 0o755)
    const store = await openLevelStore(path.join(root, 'active-store'))
    const running = await startManager(root, createFakeScheduler(), { store })
    try {
      await running.manager.setup({ jobId: '7', toolId: undefined, toolVersion: undefined })
      await running.manager.submit('7', submitRequest('true', { remote_staging: STAGING }))
      await waitFor(() => running.context.jobs.get('7')?.externalId, { what: 'launch' })
      await store.write([{ type: 'put', key: 'moved/_default_/7/x', value: { text: KEY } }])
      const open = readableByOthers(root)
      expect(open).toContain(path.join(root, 'jobs/7/.magnetar-job'))
      expect(withKey(open)).toEqual([])
      expect(statSync(path.join(root, 'jobs/7/launch_config')).mode & 0o777).toBe(0o600)
    } finally {
      process.umask(before)
      await running.close()
      await store.close()
    }
  })

  it('are taken from others when an earlier server let them read', async () => {
    const root = await tempDirectory()
    const directory = path.join(root, 'store')
    const store = await openLevelStore(directory)
    const first = await startManager(root, createFakeScheduler(), { store })
    await first.manager.setup({ jobId: '7', toolId: undefined, toolVersion: undefined })
    await first.manager.submit('7', submitRequest('true', { remote_staging: STAGING }))
    await first.close()
    await store.close()
    chmodSync(directory, 0o755)
    chmodSync(path.join(root, 'jobs/7/launch_config'), 0o644)
    const again = await openLevelStore(directory)
    const second = await startManager(root, createFakeScheduler(), { store: again })
    await second.load()
    await second.recover()
    expect(statSync(directory).mode & 0o777).toBe(0o700)
    expect(statSync(path.join(root, 'jobs/7/launch_config')).mode & 0o777).toBe(0o600)
    await second.close()
    await again.close()
  })

  it('are not quoted when a launch_config cannot be read', async () => {
    const root = await tempDirectory()
    const scheduler = createFakeScheduler()
    scheduler.down = true
    const first = await startManager(root, scheduler, {})
    await first.manager.setup({ jobId: '7', toolId: undefined, toolVersion: undefined })
    await first.manager.submit('7', submitRequest('true', { remote_staging: STAGING }))
    await first.close()
    const { store } = first.context
    writeFileSync(path.join(root, 'jobs/7/launch_config'), KEY)
    const second = await startManager(root, createFakeScheduler(), { store })
    await second.load()
    await second.recover()
    await waitFor(() => second.context.jobs.size === 0, { what: 'end of the job' })
    const status = await second.manager.status('7')
    expect(status.stderr).toContain('it is not valid JSON')
    expect(JSON.stringify(status)).not.toContain(KEY.slice(0, 5))
    await second.close()
  })
})
