import { readdirSync, readFileSync } from 'node:fs'
import http from 'node:http'
import path from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { pathToFileURL } from 'node:url'
import { startMagnetar } from '../../peers/magnetar-server.js'
import { type LoadPlace, runLoadClient } from '../load/load-client.js'
import { type ChaosKind, type ChaosResult, type ChaosRun, noCounts, type Violation } from './kind.js'

const CLIENTS = 200
const JOBS_PER_CLIENT = 10
const CONCURRENT_JOBS = 8
const LOOK_MS = 1000
/** Jobs after which memory does not grow any more. */
const WARM_JOBS = 5000
const GROWTH = 1.1
const MIB = 1024 ** 2

/** Not in the list of those that run by themselves: it wants the machine for itself. */
export const loadKind: ChaosKind = {
  name: 'load',
  about: `${CLIENTS} clients with ${CLIENTS * JOBS_PER_CLIENT} jobs in the queue`,
  missing: () => (process.platform === 'linux' ? undefined : 'its memory is read from /proc'),
  run: runLoad,
}

/** How large the server was when so many jobs were over. */
interface Look {
  readonly jobs: number
  readonly rssMiB: number
  readonly descriptors: number
}

async function runLoad({ directory, deadlineMs, signal, note }: ChaosRun): Promise<ChaosResult> {
  const loopFile = path.join(directory, 'event-loop')
  const server = await startMagnetar({
    directory,
    app: { managers: { _default_: { type: 'queued_python', num_concurrent_jobs: CONCURRENT_JOBS } } },
    env: {
      NODE_OPTIONS: `--import=${pathToFileURL(path.resolve('test/chaos/load/watch-loop.js')).href}`,
      MAGNETAR_LOOP_FILE: loopFile,
    },
  })
  const agent = new http.Agent({ keepAlive: true, maxSockets: CLIENTS })
  const ended = new AbortController()
  let submitted = 0
  let over = 0
  const place: LoadPlace = {
    url: server.url,
    agent,
    times: new Map(),
    wrong: [],
    isOver: () => signal.aborted || Date.now() >= deadlineMs,
    count(change) {
      if (change > 0) submitted += 1
      else over += 1
    },
  }
  const looks: Look[] = []
  async function watch(): Promise<void> {
    while (!ended.signal.aborted) {
      looks.push({ jobs: over, ...sizeOf(server.pid) })
      if (looks.length % 30 === 0) note(`${over} jobs, ${JSON.stringify(looks.at(-1))}`)
      await delay(LOOK_MS, undefined, { signal: ended.signal }).catch(() => {})
    }
  }
  const startedMs = performance.now()
  const watching = watch()
  try {
    const names = Array.from({ length: CLIENTS }, (_, at) => `client${at}`)
    await Promise.all(names.map((name) => runLoadClient(place, name, JOBS_PER_CLIENT)))
  } finally {
    ended.abort()
    await watching
    agent.destroy()
  }
  const seconds = (performance.now() - startedMs) / 1000
  const loop = JSON.parse(readFileSync(loopFile, 'utf8')) as Record<string, number>
  await server.stop()
  const problems = [...place.wrong.slice(0, 10), ...growthOf(looks)]
  if (submitted !== over) problems.push(`${submitted} jobs submitted, ${over} ended`)
  return {
    counts: { ...noCounts(), jobs: over },
    violations: problems.map((what): Violation => ({ point: 'none', what })),
    tallies: {
      'jobs/s': round(over / seconds),
      ...Object.fromEntries(Object.entries(loop).map(([name, ms]) => [`event loop late, ${name}, ms`, ms])),
      ...Object.assign({}, ...[...place.times].map(([what, times]) => percentiles(what, times))),
      ...Object.fromEntries(
        [0, 1000, 5000, 10_000, 20_000, over].flatMap((jobs) => {
          const look = looks.find((each) => each.jobs >= jobs)
          return look ? [[`RSS after ${jobs} jobs, MiB`, look.rssMiB]] : []
        }),
      ),
      'RSS at most, MiB': Math.max(...looks.map(({ rssMiB }) => rssMiB)),
      'descriptors at most': Math.max(...looks.map(({ descriptors }) => descriptors)),
    },
  }
}

function sizeOf(pid: number): Omit<Look, 'jobs'> {
  const [, resident = '0'] = readFileSync(`/proc/${pid}/statm`, 'utf8').split(' ')
  return {
    rssMiB: Math.round((Number(resident) * 4096) / MIB),
    descriptors: readdirSync(`/proc/${pid}/fd`).length,
  }
}

/** Compares medians: memory goes up and down with what was not collected yet. */
function growthOf(looks: readonly Look[]): string[] {
  const warm = looks.filter(({ jobs }) => jobs >= WARM_JOBS).map(({ rssMiB }) => rssMiB)
  if (warm.length < 60) return []
  const half = Math.floor(warm.length / 2)
  const [first, second] = [percentile(warm.slice(0, half), 50), percentile(warm.slice(half), 50)]
  return second > first * GROWTH ? [`memory grew from ${first} to ${second} MiB`] : []
}

function percentiles(what: string, times: readonly number[]): Record<string, number> {
  return {
    [`${what}, p50, ms`]: round(percentile(times, 50)),
    [`${what}, p99, ms`]: round(percentile(times, 99)),
  }
}

function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor((sorted.length * share) / 100))] ?? 0
}

function round(value: number): number {
  return Math.round(value * 10) / 10
}
