import { mkdirSync } from 'node:fs'
import path from 'node:path'
import { describe, expect, it } from 'vitest'
import { auditStore } from '../../../src/jobs/audit/run-audit.js'
import type { Violation } from '../../../src/jobs/audit/types.js'
import type { JobNews, JournalEvent } from '../../../src/jobs/journal/event.js'
import { appendEvent } from '../../../src/jobs/journal/note.js'
import { activeKey, endedKey, type JobRecord } from '../../../src/jobs/record.js'
import { isDone } from '../../../src/jobs/transitions.js'
import type { JobStatus } from '../../../src/jobs/types.js'
import { openMemoryStore } from '../../../src/store/memory-store.js'
import { tempDirectory } from '../../helpers/temp-directory.js'
import { createRandom, type Random } from '../../peers/random.js'

/* Histories as a node makes them, of many jobs at once, with crashes: an audit passes them. The same with one change: it does not. */

interface History {
  readonly events: JournalEvent[]
  readonly records: Map<string, JobRecord>
}

const SEEDS = 60

/** What one job goes through, and how it stands at the end. */
function randomLife(random: Random, id: string): { news: JobNews[]; status: JobStatus; gone: boolean } {
  const stagesIn = random.chance(0.3)
  const stagesOut = random.chance(0.5)
  const news: JobNews[] = [
    { kind: 'submitted', ...(stagesIn ? { stagesIn } : {}), ...(stagesOut ? { stagesOut } : {}) },
  ]
  let status: JobStatus = 'preprocessing'
  const is = (to: JobStatus): void => {
    status = to
    news.push({ kind: 'state', to })
  }
  const finish = (end: JobNews, as: JobStatus) => {
    news.push(end)
    const cleaned = random.chance(0.5)
    if (cleaned) news.push({ kind: 'cleaned' })
    return { news, status: as, gone: cleaned }
  }
  const cancel = () => {
    news.push({ kind: 'cancelled' })
    return finish({ kind: 'stopped' }, 'cancelled')
  }
  const stay = () => ({ news, status, gone: false })
  if (stagesIn) {
    for (let file = random.below(4); file > 0; file--)
      news.push({ kind: 'fetched', file: `in${file}`, name: `input ${file}`, bytes: 1 })
    if (random.chance(0.1)) return cancel()
    if (random.chance(0.1)) return finish({ kind: 'ended', status: 'failed', reason: 'no input' }, 'failed')
    news.push({ kind: 'staged-in' })
  }
  is('queued')
  if (random.chance(0.1)) return stay()
  if (random.chance(0.1)) return cancel()
  news.push({ kind: 'launched', externalId: `x${id}` })
  if (random.chance(0.1)) {
    news.push({ kind: 'launch-again', began: false }, { kind: 'launched', externalId: `y${id}` })
  }
  is('running')
  if (random.chance(0.2)) news.push({ kind: 'found-again', externalId: `x${id}` })
  if (random.chance(0.2)) {
    is('queued')
    is('running')
  }
  if (random.chance(0.1)) return stay()
  if (random.chance(0.1)) return cancel()
  if (random.chance(0.1)) return finish({ kind: 'ended', status: 'lost', reason: 'the host went' }, 'lost')
  if (stagesOut) {
    news.push({ kind: 'ran', status: 'complete', returnCode: 0 })
    is('postprocessing')
    const due = random.below(4)
    news.push({ kind: 'delivering', due })
    for (let file = due; file > 0; file--) {
      if (random.chance(0.2)) news.push({ kind: 'not-wanted', file: `out${file}`, name: `output ${file}` })
      else news.push({ kind: 'delivered', file: `out${file}`, name: `output ${file}`, bytes: 1 })
    }
    if (random.chance(0.1)) return stay()
  }
  return finish({ kind: 'ended', status: 'complete', returnCode: random.below(3) }, 'complete')
}

function randomHistory(random: Random): History {
  let atMs = 1_000_000
  const start = (): JournalEvent => ({
    ...{ kind: 'node-started', atMs: ++atMs, version: '1', bootId: random.pick(['a', 'b']), pid: 1 },
  })
  const events: JournalEvent[] = [start()]
  const records = new Map<string, JobRecord>()
  const lives = Array.from({ length: 2 + random.below(8) }, (_, index) => {
    const { news, status, gone } = randomLife(random, `${index}`)
    return { id: `${index}`, news, status, gone }
  })
  for (const { id, status, gone } of lives) {
    const why = status === 'failed' || status === 'lost' ? { reason: 'why' } : {}
    if (!gone) records.set(id, { id, status, sequence: 1, submittedAtMs: atMs + 1, ...why })
  }
  const open = lives.map(({ id, news }) => ({ id, left: [...news] }))
  for (;;) {
    const some = open.filter(({ left }) => left.length > 0)
    if (some.length === 0) return { events, records }
    const { id, left } = random.pick(some)
    const next = left.shift()
    if (next) events.push({ atMs: ++atMs, manager: 'm', job: id, ...next })
    if (random.chance(0.05)) {
      if (random.chance(0.5)) events.push({ kind: 'node-stopped', atMs: ++atMs })
      events.push(start())
    }
  }
}

async function audit({ events, records }: History, staging: string): Promise<readonly Violation[]> {
  const store = openMemoryStore()
  await store.write(events.map(appendEvent))
  for (const [id, record] of records) {
    const key = isDone(record.status) ? endedKey('m', id) : activeKey('m', id)
    await store.write([{ type: 'put', key, value: record }])
  }
  return (await auditStore(store, [{ name: 'm', stagingDirectory: staging }])).violations
}

async function stagingDirectory(): Promise<string> {
  const staging = await tempDirectory()
  for (let id = 0; id < 10; id++) mkdirSync(path.join(staging, `${id}`))
  return staging
}

type Of<K extends JobNews['kind']> = Extract<JournalEvent, { readonly kind: K }>

/** Where in the history an event of this kind is that `fits`. */
function findEvent<K extends JobNews['kind']>(
  { events }: History,
  random: Random,
  kind: K,
  fits: (event: Of<K>) => boolean = () => true,
): { at: number; event: Of<K> } | undefined {
  const found = events.flatMap((event, at) =>
    event.kind === kind && fits(event as Of<K>) ? [{ at, event: event as Of<K> }] : [],
  )
  return found.length === 0 ? undefined : random.pick(found)
}

/** Breaks a history; false: there is nothing in it that could be broken so. */
const BREAKS: Readonly<Record<string, (history: History, random: Random) => boolean>> = {
  'a job launched twice': (history, random) => {
    const found = findEvent(history, random, 'launched')
    if (found) history.events.splice(found.at, 0, found.event)
    return found !== undefined
  },
  'a job that ends twice': (history, random) => {
    const found = findEvent(history, random, 'ended')
    if (found) history.events.splice(found.at, 0, { ...found.event, status: 'failed', reason: 'too' })
    return found !== undefined
  },
  'a job that goes back after its end': (history, random) => {
    const found = findEvent(history, random, 'ended')
    const { atMs, manager, job } = found?.event ?? {}
    if (!found || atMs === undefined || !manager || !job) return false
    history.events.splice(found.at + 1, 0, { kind: 'state', to: 'running', atMs, manager, job })
    return true
  },
  'an output that never arrived': (history, random) => {
    const complete = new Set(
      history.events.flatMap((each) =>
        each.kind === 'ended' && each.status === 'complete' ? [each.job] : [],
      ),
    )
    const found = findEvent(history, random, 'delivered', ({ job }) => complete.has(job))
    if (found) history.events.splice(found.at, 1)
    return found !== undefined
  },
  'an end without a word': (history, random) => {
    const found = findEvent(history, random, 'ended')
    if (!found) return false
    const { reason: _, returnCode: __, ...rest } = found.event
    history.events[found.at] = rest
    return true
  },
  'a submit acknowledged twice': (history, random) => {
    const found = findEvent(history, random, 'submitted')
    if (found) history.events.splice(found.at, 0, found.event)
    return found !== undefined
  },
  'a job that vanished': (history, random) => {
    const [id] = history.records.size > 0 ? [random.pick([...history.records.keys()])] : []
    return id !== undefined && history.records.delete(id)
  },
  'a submit that nobody noted': (history, random) => {
    const found = findEvent(history, random, 'submitted', ({ job }) => history.records.has(job))
    if (found) history.events.splice(found.at, 1)
    return found !== undefined
  },
  'an end that nobody recorded': (history, random) => {
    const found = findEvent(history, random, 'ended', ({ job }) => history.records.has(job))
    const record = found && history.records.get(found.event.job)
    if (record) history.records.set(record.id, { ...record, status: 'running' })
    return record !== undefined
  },
  'a clean that came first': (history, random) => {
    const found = findEvent(history, random, 'ended')
    const { atMs, manager, job } = found?.event ?? {}
    if (!found || atMs === undefined || !manager || !job) return false
    history.events.splice(found.at, 0, { kind: 'cleaned', atMs, manager, job })
    return true
  },
  "a scheduler's id given twice": (history, random) => {
    const found = findEvent(history, random, 'launched')
    const other = found && findEvent(history, random, 'submitted', ({ job }) => job !== found.event.job)
    if (!found || !other) return false
    const { manager, job, atMs } = other.event
    const { externalId } = found.event
    // Right after the launch, and after the other's own submit.
    if (other.at > found.at) history.events.splice(other.at, 1)
    if (other.at > found.at) history.events.splice(found.at, 0, other.event)
    const at = history.events.indexOf(found.event) + 1
    history.events.splice(at, 0, { kind: 'found-again', externalId, atMs, manager, job })
    return true
  },
}

describe('an audit', () => {
  it(`finds nothing in ${SEEDS} random histories`, async () => {
    const staging = await stagingDirectory()
    for (let seed = 1; seed <= SEEDS; seed++)
      expect(await audit(randomHistory(createRandom(seed)), staging), `seed ${seed}`).toEqual([])
  })

  it.each(Object.keys(BREAKS))('finds %s in random histories', async (what) => {
    const staging = await stagingDirectory()
    let broken = 0
    for (let seed = 1; seed <= SEEDS; seed++) {
      const random = createRandom(seed)
      const history = randomHistory(random)
      if (!BREAKS[what]?.(history, random)) continue
      broken++
      expect(await audit(history, staging), `seed ${seed}`).not.toEqual([])
    }
    expect(broken).toBeGreaterThan(SEEDS / 10)
  })
})
