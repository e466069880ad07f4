import path from 'node:path'
import { describe, expect, it } from 'vitest'
import { appendEvent } from '../../src/jobs/journal/note.js'
import { parkedKey } from '../../src/jobs/park.js'
import { activeKey, endedKey } from '../../src/jobs/record.js'
import { countNotHandedOver } from '../../src/node/handed-over.js'
import { openLevelStore } from '../../src/store/level-store.js'
import type { StoreChange } from '../../src/store/store.js'
import { tempDirectory } from '../helpers/temp-directory.js'
import { writeFiles } from '../setup/install-fixture.js'

const started = appendEvent({ kind: 'node-started', atMs: 1, version: '1', bootId: 'b', pid: 1 })
const stopped = appendEvent({ kind: 'node-stopped', atMs: 2 })
const active = (id: string): StoreChange => ({ type: 'put', key: activeKey('m', id), value: { id } })
const ended = (id: string): StoreChange => ({ type: 'put', key: endedKey('m', id), value: { id } })
const parked = (...ids: string[]): StoreChange => ({
  type: 'put',
  key: parkedKey('m'),
  value: { atMs: 1, kinds: Object.fromEntries(ids.map((id) => [id, 'active'])) },
})

describe('jobs that a Python Pulsar would not find', () => {
  it.each([
    { how: 'none, without records', changes: undefined, count: 0 },
    { how: 'none after a clean stop', changes: [started, active('1'), parked('1'), stopped], count: 0 },
    { how: 'all after a kill', changes: [started, active('1'), active('2')], count: 2 },
    {
      how: 'all after a kill, whatever an earlier stop has left',
      changes: [started, parked('1'), stopped, started, active('1')],
      count: 1,
    },
    {
      how: 'those for which a stop had no time',
      changes: [started, active('1'), active('2'), parked('1'), stopped],
      count: 1,
    },
    { how: 'none whose directory is gone', changes: [started, active('gone'), ended('gone')], count: 0 },
    {
      how: 'ended ones that wait to be collected, without what says how they ended',
      changes: [started, ended('1'), ended('over'), stopped],
      count: 1,
    },
  ])('are $how', async ({ changes, count }) => {
    const root = await tempDirectory()
    writeFiles(root, {
      'jobs/1/.magnetar-job': '{}',
      'jobs/2/.magnetar-job': '{}',
      'jobs/over/.magnetar-job': '{}',
      'jobs/over/final_status': '"complete"',
    })
    if (changes) {
      const store = await openLevelStore(path.join(root, 'magnetar-store'))
      await store.write(changes)
      await store.close()
    }
    const manager = { name: 'm', stagingDirectory: path.join(root, 'jobs') }
    const config = { persistenceDirectory: root, managers: [manager] } as unknown as Parameters<
      typeof countNotHandedOver
    >[0]
    expect(await countNotHandedOver(config, AbortSignal.timeout(20_000))).toBe(count)
  })
})
