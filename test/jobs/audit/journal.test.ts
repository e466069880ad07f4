import { describe, expect, it } from 'vitest'
import { JOURNAL, type JournalEvent } from '../../../src/jobs/journal/event.js'
import { appendEvent, journaled } from '../../../src/jobs/journal/note.js'
import { rotateJournal, startRotation } from '../../../src/jobs/journal/rotate.js'
import { silentLogger } from '../../../src/lib/log.js'
import { openLevelStore } from '../../../src/store/level-store.js'
import { openMemoryStore } from '../../../src/store/memory-store.js'
import { logNumber, type Store } from '../../../src/store/store.js'
import { tempDirectory } from '../../helpers/temp-directory.js'

async function numbers(store: Store): Promise<number[]> {
  const found: number[] = []
  for await (const [key] of store.entries(`${JOURNAL}/`)) found.push(logNumber(key))
  return found
}

const stop = (atMs: number) => appendEvent({ kind: 'node-stopped', atMs })

describe('the journal', () => {
  it('keeps no query of an address, in which keys are, and no endless text', () => {
    const context = { config: { name: 'm' }, store: openMemoryStore(), log: silentLogger }
    const reason = `input a: GET https://galaxy/api?job_key=s3cret&x=1 answered 500 ${'x'.repeat(1000)}`
    const change = journaled(context, '1', { kind: 'ended', status: 'failed', reason })
    const event = (change as { value: JournalEvent }).value
    expect(JSON.stringify(event)).not.toContain('s3cret')
    expect(JSON.stringify(event)).toContain('https://galaxy/api answered 500 xxx')
    expect(JSON.stringify(event).length).toBeLessThan(500)
  })

  it('loses the oldest events by number and by age, and says so', async () => {
    const store = openMemoryStore()
    for (let at = 1; at <= 2500; at++) await store.write([stop(at)], { lazy: true })
    expect(await rotateJournal(store, { keepMs: 10_000, events: 3000 }, 2500)).toBe(0)
    expect(await rotateJournal(store, { keepMs: 10_000, events: 600 }, 2500)).toBe(1900)
    expect((await numbers(store))[0]).toBe(1901)
    expect(await store.get('journal-rotated')).toEqual({ below: 1901 })
    expect(await rotateJournal(store, { keepMs: 100, events: 600 }, 2500)).toBe(499)
    expect(await numbers(store)).toHaveLength(101)
    expect(await store.get('journal-rotated')).toEqual({ below: 2400 })
    await store.write([stop(2501)])
    expect((await numbers(store)).at(-1)).toBe(2501)
  })

  it('is shortened by a server that is stopped before it ever came to it', async () => {
    const store = openMemoryStore()
    for (let at = 1; at <= 30; at++) await store.write([stop(Date.now())])
    await startRotation(store, { keepMs: 10_000_000, events: 10 }, silentLogger)()
    expect(await numbers(store)).toHaveLength(10)
  })

  it('goes on with the next number when the store is opened again', async () => {
    const directory = `${await tempDirectory()}/store`
    const first = await openLevelStore(directory)
    await Promise.all([
      first.write([stop(1)], { later: true }),
      first.write([stop(2)]),
      first.write([stop(3)], { lazy: true }),
      first.write([stop(4)], { later: true }),
    ])
    await first.close()
    const second = await openLevelStore(directory)
    expect(await second.lastNumber(JOURNAL)).toBe(4)
    await second.write([stop(5)])
    expect(await numbers(second)).toEqual([1, 2, 3, 4, 5])
    await second.close()
  })
})
