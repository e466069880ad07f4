import { once } from 'node:events'
import http from 'node:http'
import { setTimeout as delay } from 'node:timers/promises'

/** What all clients share. */
export interface LoadPlace {
  readonly url: string
  readonly agent: http.Agent
  /** Milliseconds of all calls, by what they do. */
  readonly times: Map<string, number[]>
  /** What went wrong, a line each. */
  readonly wrong: string[]
  isOver(): boolean
  /** A job was submitted (1), or taken away (-1). */
  count(change: 1 | -1): void
}

const ANSWER_TIMEOUT_MS = 60_000
/** Between two questions of a client for the end of its oldest job. */
const POLL_MS = 1000
const INPUT = Buffer.alloc(1000, 'input\n')

/** Keeps `jobs` jobs in the queue until it is over, then brings them to their ends. */
export async function runLoadClient(place: LoadPlace, name: string, jobs: number): Promise<void> {
  const alive: string[] = []
  for (let serial = 0; !place.isOver() || alive.length > 0; ) {
    try {
      while (alive.length < jobs && !place.isOver()) {
        const id = `${name}-${serial++}`
        await submit(place, id)
        alive.push(id)
        place.count(1)
      }
      const [oldest] = alive
      if (oldest === undefined) return
      if (!(await isDone(place, oldest))) {
        await delay(POLL_MS)
        continue
      }
      alive.shift()
      await takeAway(place, oldest)
      place.count(-1)
    } catch (error) {
      place.wrong.push(`${name}: ${error instanceof Error ? error.message : String(error)}`)
      await delay(POLL_MS)
    }
  }
}

async function submit(place: LoadPlace, id: string): Promise<void> {
  await call(place, 'setup', 'POST', 'jobs', { job_id: id })
  await call(place, 'upload', 'POST', `jobs/${id}/files`, { name: 'in.dat', type: 'input' }, INPUT)
  const command = `cat ../inputs/in.dat > ../outputs/out.dat; echo ${id} >> ../outputs/out.dat`
  await call(place, 'submit', 'POST', `jobs/${id}/submit`, { job_id: id, command_line: command })
}

async function isDone(place: LoadPlace, id: string): Promise<boolean> {
  const answer = await call(place, 'status', 'GET', `jobs/${id}/status`, { job_id: id })
  const { complete, status, returncode } = JSON.parse(answer.toString('utf8')) as Record<string, unknown>
  if (complete !== 'true') return false
  if (status !== 'complete' || returncode !== 0) place.wrong.push(`${id}: ${answer.toString('utf8')}`)
  return true
}

async function takeAway(place: LoadPlace, id: string): Promise<void> {
  const query = { name: 'out.dat', type: 'output' }
  const output = await call(place, 'download', 'GET', `jobs/${id}/files`, query)
  if (!output.equals(Buffer.concat([INPUT, Buffer.from(`${id}\n`)])))
    place.wrong.push(`${id}: ${output.length} other bytes`)
  await call(place, 'clean', 'DELETE', `jobs/${id}`, { job_id: id })
}

async function call(
  { url, agent, times }: LoadPlace,
  what: string,
  method: string,
  route: string,
  query: Record<string, string>,
  body?: Buffer,
): Promise<Buffer> {
  const startedMs = performance.now()
  const request = http.request(new URL(`${route}?${new URLSearchParams(query)}`, url), {
    method,
    agent,
    signal: AbortSignal.timeout(ANSWER_TIMEOUT_MS),
  })
  request.end(body)
  const [response] = (await once(request, 'response')) as [http.IncomingMessage]
  const pieces: Buffer[] = []
  for await (const piece of response) pieces.push(piece as Buffer)
  const answer = Buffer.concat(pieces)
  let list = times.get(what)
  if (!list) {
    list = []
    times.set(what, list)
  }
  list.push(performance.now() - startedMs)
  if (response.statusCode !== 200)
    throw new Error(`${what}: ${response.statusCode} ${answer.toString('utf8').slice(0, 300)}`)
  return answer
}
