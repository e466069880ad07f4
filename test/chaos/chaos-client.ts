import { setTimeout as delay } from 'node:timers/promises'
import type { ChaosNode } from './chaos-node.js'

/** An answer that was no success. */
export interface ErrorAnswer {
  readonly call: string
  readonly status: number
  readonly text: string
}

/** A patient client: what was not answered, or answered with 5xx, is asked again. */
export interface ChaosClient {
  readonly errors: ErrorAnswer[]
  /** Calls that had to be made again because their answer never came. */
  readonly unanswered: string[]
  /** @throws Error when there is no good answer in time */
  call(method: string, route: string, query: Record<string, string>, body?: string | Buffer): Promise<Buffer>
  status(id: string): Promise<StatusAnswer>
  /** From now on calls reject with BeginAgain when another start of the server than this one would answer; undefined: never. */
  onlyDuring(start: number | undefined): void
}

/** The server is another one than that which the calls before went to. */
export class BeginAgain extends Error {}

export type StatusAnswer = Readonly<Record<string, unknown>> & {
  readonly status: string
  readonly complete: string
}

const ANSWER_TIMEOUT_MS = 25_000
const PATIENCE_MS = Number(process.env.MAGNETAR_CHAOS_PATIENCE_MS ?? 60_000)
const PAUSE_MS = 30

export function createChaosClient(node: ChaosNode): ChaosClient {
  const errors: ErrorAnswer[] = []
  const unanswered: string[] = []
  let onlyDuring: number | undefined

  async function call(
    method: string,
    route: string,
    query: Record<string, string>,
    body?: string | Buffer,
  ): Promise<Buffer> {
    const deadline = performance.now() + PATIENCE_MS
    const name = `${method} ${route.replace(/^jobs\/[^/]+/, 'jobs/{id}')}`
    for (;;) {
      await node.ensureUp()
      if (onlyDuring !== undefined && node.starts !== onlyDuring) throw new BeginAgain()
      const startedMs = performance.now()
      try {
        const response = await fetch(new URL(`${route}?${new URLSearchParams(query)}`, node.url), {
          method,
          signal: AbortSignal.timeout(ANSWER_TIMEOUT_MS),
          ...(body === undefined ? {} : { body: Buffer.from(body) }),
        })
        const answer = Buffer.from(await response.arrayBuffer())
        if (response.ok) return answer
        errors.push({ call: name, status: response.status, text: answer.toString('utf8').slice(0, 500) })
        if (response.status < 500) throw new Refused(`${name}: ${response.status} ${answer.toString('utf8')}`)
      } catch (error) {
        if (error instanceof Refused) throw error
        if (performance.now() - startedMs > ANSWER_TIMEOUT_MS - 100)
          throw new Error(`${name}: no answer in ${ANSWER_TIMEOUT_MS} ms`)
        unanswered.push(name)
        // The connection may be cut a moment before the process is gone.
        await Promise.race([node.whenDead(), delay(PAUSE_MS)])
      }
      if (performance.now() > deadline)
        throw new Error(`${name}: no good answer in ${PATIENCE_MS} ms; the last: ${errors.at(-1)?.text}`)
      await delay(PAUSE_MS)
    }
  }

  return {
    errors,
    unanswered,
    call,
    onlyDuring: (start) => {
      onlyDuring = start
    },
    status: async (id) =>
      JSON.parse((await call('GET', `jobs/${id}/status`, { job_id: id })).toString('utf8')) as StatusAnswer,
  }
}

class Refused extends Error {}
