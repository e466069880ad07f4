import { messageOf } from '../lib/errors.js'
import { limitTime } from '../lib/time-limit.js'
import { pause } from '../lib/timing.js'
import { TransferError } from '../staging/transfer-error.js'
import { disk } from './disk/disk.js'
import { LIVE_STREAMS, type LiveState, type LiveStream } from './disk/live-state.js'
import type { Job, ManagerContext } from './job.js'
import { readLaunch } from './launch.js'
import { type LiveTarget, liveTarget, postChunk } from './live-output-post.js'
import { isDone } from './transitions.js'

/**
 * Sends what running jobs write to standard output and error to Galaxy, which appends it (pulsar/managers/live_output.py). One
 * request at a time for a manager, a bounded number of bytes in each, none beyond maximum_stream_size; how much Galaxy has is kept in
 * the job directory.
 */
export interface LiveOutput {
  /** The job runs. */
  watch(job: Job): void
  /** The job has ended: sends the rest. What does not get through travels in the final status instead. */
  finish(job: Job): Promise<void>
  /** The job was cancelled: its final status carries the streams. */
  forget(job: Job): Promise<void>
}

interface Watched {
  readonly job: Job
  readonly target: LiveTarget
  state: LiveState
  dueAtMs: number
  /** The update under way. */
  updating: Promise<void> | undefined
  /** Ends what is under way: the job was cancelled. */
  readonly stopping: AbortController
}

/** Galaxy itself has said that it did not take it. */
function wasRefused(error: unknown): boolean {
  const status = error instanceof TransferError ? error.status : undefined
  return status !== undefined && status !== 502 && status !== 504
}

const BACKOFF_MAX_MS = 300_000
/** A large rest must not hold up the delivery of outputs. */
const LAST_CHUNKS = 8
const IDLE_MS = 1000

export function createLiveOutput(context: ManagerContext): LiveOutput {
  const { liveOutput: config, maximumStreamSizeBytes } = context.config
  if (!config) return { watch: () => {}, finish: async () => {}, forget: async () => {} }
  const { chunkBytes, intervalMs, timeoutMs } = config
  const limitBytes = maximumStreamSizeBytes ?? Number.POSITIVE_INFINITY
  const watched = new Map<string, Watched>()
  const finishing = new Map<string, Watched>()
  /** Per Galaxy that failed: when it may be asked again, and the delay it was given. */
  const backoff = new Map<string, { readonly untilMs: number; readonly delayMs: number }>()
  let looping = false

  /** Galaxy adds what it is sent: only a piece whose fate is known is followed by another, or left out of the final status. */
  async function post(each: Watched, stream: LiveStream, bytes: Buffer): Promise<void> {
    const { state, stopping, job } = each
    const path = job.directory.path
    if (bytes.length > 0 && !state.inDoubt)
      await disk.writeLiveState(path, { ...state, delivered: false, inDoubt: true })
    const limit = limitTime(AbortSignal.any([context.signal, stopping.signal]), timeoutMs)
    try {
      await postChunk(context.http, each.target, stream, bytes, limit.signal)
    } catch (error) {
      if (!wasRefused(error)) each.state = { ...state, delivered: false, inDoubt: true }
      else if (!state.inDoubt) await disk.writeLiveState(path, state)
      throw error
    } finally {
      limit.release()
    }
    each.state = { ...state, [stream]: state[stream] + bytes.length, delivered: !state.inDoubt }
    await disk.writeLiveState(path, each.state)
  }

  /** Sends the next bytes of a stream; says whether there were any, and whether there are more. */
  async function send(each: Watched, stream: LiveStream): Promise<{ sent: boolean; more: boolean }> {
    const offset = each.state[stream]
    const room = Math.min(chunkBytes, limitBytes - offset)
    if (room <= 0) return { sent: false, more: false }
    const bytes = await disk.readChunk(each.job.directory.path, stream, offset, room)
    if (bytes.length === 0) return { sent: false, more: false }
    await post(each, stream, Buffer.from(bytes))
    return { sent: true, more: bytes.length === room }
  }

  async function update(each: Watched): Promise<void> {
    const { host } = each.target
    const held = backoff.get(host)
    if (held && held.untilMs > Date.now()) {
      each.dueAtMs = held.untilMs
      return
    }
    try {
      let more = false
      for (const stream of LIVE_STREAMS) {
        const result = await send(each, stream)
        more ||= result.more
        if (result.sent) backoff.delete(host)
      }
      each.dueAtMs = Date.now() + (more ? 0 : intervalMs)
    } catch (error) {
      if (context.signal.aborted || each.stopping.signal.aborted) return
      const log = context.log.child({ job: each.job.id })
      if (error instanceof TransferError && !error.transient) {
        log.warn(`its output is no longer sent while it runs: ${messageOf(error)}`)
        watched.delete(each.job.id)
        return
      }
      const delayMs = Math.min(BACKOFF_MAX_MS, held ? held.delayMs * 2 : intervalMs)
      each.dueAtMs = Date.now() + delayMs
      backoff.set(host, { untilMs: each.dueAtMs, delayMs })
      log.warn(
        `its output could not be sent, trying again in ${Math.round(delayMs / 1000)} s: ${messageOf(error)}`,
      )
    }
  }

  async function loop(): Promise<void> {
    if (looping) return
    looping = true
    while (watched.size > 0 && !context.signal.aborted) {
      for (const each of [...watched.values()]) {
        if (each.dueAtMs > Date.now() || watched.get(each.job.id) !== each) continue
        // Lost: whoever ended it has told nobody.
        if (isDone(each.job.status)) {
          watched.delete(each.job.id)
          continue
        }
        each.updating = update(each)
        await each.updating
      }
      const next = Math.min(...[...watched.values()].map(({ dueAtMs }) => dueAtMs))
      await pause(Math.max(10, Math.min(IDLE_MS, next - Date.now())), context.signal)
    }
    looping = false
  }

  async function open(job: Job): Promise<Watched | undefined> {
    const target = liveTarget((await readLaunch(job)).remote_staging)
    if (!target) return undefined
    const state = await disk.readLiveState(job.directory.path)
    // Jobs that started together need not report together.
    const dueAtMs = Date.now() + Math.random() * intervalMs
    return { job, target, state, dueAtMs, updating: undefined, stopping: new AbortController() }
  }

  async function begin(job: Job): Promise<void> {
    const each = await open(job)
    if (!each || watched.has(job.id) || job.end || isDone(job.status)) return
    watched.set(job.id, each)
    void loop()
  }

  async function sendRest(each: Watched): Promise<void> {
    let chunks = 0
    for (const stream of LIVE_STREAMS) {
      for (let more = true; more; ) {
        const result = await send(each, stream)
        more = result.more
        if (result.sent && ++chunks >= LAST_CHUNKS && more) throw new Error('too much of it is left')
      }
      // Galaxy reads this file when the status leaves the stream out.
      if (each.state[stream] === 0) await post(each, stream, Buffer.alloc(0))
    }
  }

  const notDelivered = ({ job, state }: Watched): Promise<void> =>
    disk.writeLiveState(job.directory.path, { ...state, delivered: false })

  return {
    watch(job) {
      void begin(job).catch((error: unknown) =>
        context.log.warn({ job: job.id }, `its output is not sent while it runs: ${messageOf(error)}`),
      )
    },
    async finish(job) {
      const each = watched.get(job.id) ?? (await open(job))
      if (!each) return
      watched.delete(job.id)
      finishing.set(job.id, each)
      try {
        await each.updating
        if (each.state.delivered && !job.stopping) await sendRest(each)
      } catch (error) {
        context.log.warn(
          { job: job.id },
          `the rest of its output goes with its final status: ${messageOf(error)}`,
        )
        await notDelivered(each)
      } finally {
        finishing.delete(job.id)
      }
    },
    async forget(job) {
      const each = finishing.get(job.id) ?? watched.get(job.id) ?? (await open(job))
      watched.delete(job.id)
      each?.stopping.abort(new Error('cancelled'))
      await each?.updating
      if (each?.state.delivered) await notDelivered(each)
    },
  }
}
