import type { JobEvent, JournalEvent, NodeEvent, Rotated } from '../journal/event.js'
import { isDone, nextStatus } from '../transitions.js'
import type { JobStatus } from '../types.js'
import { type Life, lifeKey, type Rule, type Violation } from './types.js'

/** What is left when all events of a journal are replayed. */
export interface Replayed {
  readonly lives: ReadonlyMap<string, Life>
  readonly violations: readonly Violation[]
  readonly events: number
  readonly fromMs: number | undefined
  readonly toMs: number | undefined
  readonly isRotated: boolean
  readonly starts: number
  readonly afterCrash: number
  readonly afterReboot: number
}

export interface Replay {
  /** The next event, with its number. */
  add(number: number, event: JournalEvent): void
  result(): Replayed
}

/** Replays a journal, oldest event first, and notes what must not have happened. Knows nothing but the events. */
export function createReplay(rotated: Rotated | undefined): Replay {
  const lives = new Map<string, Life>()
  const violations: Violation[] = []
  /** Who has which of the scheduler's ids now. */
  const holders = new Map<string, Life>()
  let events = 0
  let fromMs: number | undefined
  let toMs: number | undefined
  let last: number | undefined
  let isRotated = false
  let starts = 0
  let afterCrash = 0
  let afterReboot = 0
  let server: { readonly bootId: string; isStopped: boolean } | undefined

  function checkNumber(number: number, atMs: number): void {
    const expected = last === undefined ? (rotated?.below ?? 1) : last + 1
    if (last === undefined) isRotated = number > 1
    if (number > expected) {
      const missing = number - expected
      const which = missing === 1 ? `event ${expected} is` : `events ${expected} to ${number - 1} are`
      const message = `${which} missing, and no rotation took ${missing === 1 ? 'it' : 'them'}`
      violations.push({ rule: 'no-gap', atMs, message })
    }
    last = number
  }

  function addNode(event: NodeEvent): void {
    if (event.kind === 'node-stopped') {
      if (server) server.isStopped = true
      return
    }
    starts++
    if (server && !server.isStopped) {
      afterCrash++
      if (server.bootId !== event.bootId) afterReboot++
    }
    server = { bootId: event.bootId, isStopped: false }
  }

  function claim(life: Life, externalId: string, broken: Broken): void {
    release(life)
    life.externalId = externalId
    // Where the scheduler calls jobs by our ids, those of two managers may be the same.
    if (externalId === life.job) return
    const holder = holders.get(externalId)
    if (holder && holder !== life)
      broken('external-id-once', `has the scheduler's id ${externalId}, which job ${holder.job} has too`)
    holders.set(externalId, life)
  }

  function release(life: Life): void {
    if (life.externalId !== undefined && holders.get(life.externalId) === life)
      holders.delete(life.externalId)
  }

  return {
    add(number, event) {
      checkNumber(number, event.atMs)
      events++
      fromMs ??= event.atMs
      toMs = event.atMs
      if (!('job' in event)) return addNode(event)
      const key = lifeKey(event.manager, event.job)
      const broken: Broken = (rule, message) => {
        violations.push({ rule, manager: event.manager, job: event.job, atMs: event.atMs, message })
      }
      const before = lives.get(key)
      if (event.kind === 'submitted') {
        if (before && !before.cleaned)
          broken('submitted-once', 'was acknowledged a second time, without having been cleaned')
        lives.set(key, newLife(event, true))
        return
      }
      // Files on their way arrive, or do not, also when their job is gone.
      if (!before && LATE.has(event.kind)) return
      const life = before ?? newLife(event, false)
      lives.set(key, life)
      life.atMs = event.atMs
      if (event.kind === 'launched' || event.kind === 'found-again') claim(life, event.externalId, broken)
      live(life, event, broken)
      if (['ran', 'ended', 'stopped', 'taken-over', 'launch-again', 'id-given-again'].includes(event.kind))
        release(life)
    },
    result: () => ({
      ...{ lives, violations, events, fromMs, toMs, isRotated, starts, afterCrash, afterReboot },
    }),
  }
}

type Broken = (rule: Rule, message: string) => void

const LATE: ReadonlySet<JobEvent['kind']> = new Set([
  'fetched',
  'delivered',
  'not-wanted',
  'delivering',
  'handed-over',
  'cleaned',
])

function newLife(event: JobEvent, isWhole: boolean): Life {
  const isSubmit = event.kind === 'submitted'
  return {
    manager: event.manager,
    job: event.job,
    isWhole,
    foreign: false,
    stagesOut: isSubmit && event.stagesOut === true,
    status: isSubmit ? 'preprocessing' : undefined,
    hasRun: false,
    end: undefined,
    stopped: false,
    cleaned: false,
    launches: 0,
    launchesAgain: 0,
    externalId: undefined,
    due: undefined,
    settled: new Set(),
    fetched: new Map(),
    atMs: event.atMs,
  }
}

/** What one event does to a job. */
function live(life: Life, event: JobEvent, broken: Broken): void {
  switch (event.kind) {
    case 'state':
      changeState(life, event.to, broken)
      return
    case 'ran':
      changeState(life, 'postprocessing', broken)
      return
    case 'launched':
      if (life.stopped || life.cleaned || (life.end !== undefined && life.end !== 'cancelled'))
        broken('launched-once', 'was launched after it was over')
      if (++life.launches > 1 + life.launchesAgain) broken('launched-once', 'was launched a second time')
      return
    case 'found-again':
      life.launches = Math.max(1, life.launches)
      return
    case 'launch-again':
      // A process of this machine is seen as soon as it is there, and may be killed before its script begins.
      if (event.killed || event.local) life.hasRun = false
      if (event.began || life.hasRun)
        broken('launched-once', 'was to be launched again after a restart, although it had begun to run')
      life.launchesAgain++
      return
    case 'fetched':
      life.fetched.set(event.file, event.bytes)
      return
    case 'delivering':
      life.due = event.due
      return
    case 'delivered':
    case 'not-wanted':
      life.settled.add(event.file)
      return
    case 'ended':
      end(life, event, broken)
      return
    case 'cancelled':
      if (life.end !== undefined) broken('one-end', `was cancelled after it had ended as ${life.end}`)
      life.end = 'cancelled'
      return
    case 'stopped':
      if (life.end !== 'cancelled' && life.isWhole && !life.foreign)
        broken('one-end', 'was stopped, although nobody had cancelled it')
      life.end = 'cancelled'
      life.stopped = true
      return
    case 'cleaned':
      if (life.end === undefined && life.isWhole && !life.foreign)
        broken('nobody-vanished', 'was removed while it was alive')
      life.cleaned = true
      return
    case 'retry-stage-out':
      if (life.end !== 'failed' && life.isWhole)
        broken('never-backwards', 'was delivered again, although it had not failed')
      Object.assign(life, { end: undefined, status: 'postprocessing', due: undefined })
      life.settled.clear()
      return
    case 'taken-over':
      Object.assign(life, { foreign: true, status: event.status, launches: 0, launchesAgain: 0 })
      Object.assign(life, { hasRun: false, cleaned: false, stopped: false })
      life.end = isDone(event.status) ? event.status : undefined
      return
  }
}

function changeState(life: Life, to: JobStatus, broken: Broken): void {
  if (life.end !== undefined) broken('never-backwards', `became ${to} after it had ended as ${life.end}`)
  else if (life.status !== undefined && life.status !== to && !nextStatus(life.status, to))
    broken('never-backwards', `went from ${life.status} back to ${to}`)
  life.status = to
  if (to === 'running') life.hasRun = true
}

function end(life: Life, event: JobEvent & { readonly kind: 'ended' }, broken: Broken): void {
  const { status, returnCode, reason } = event
  if (life.end !== undefined) broken('one-end', `ended as ${status} after it had ended as ${life.end}`)
  else if (!isDone(status)) broken('one-end', `ended as ${status}, which is no end`)
  life.end = status
  if (!life.isWhole || life.foreign) return
  if (status === 'complete' && returnCode === undefined)
    broken('end-explained', 'is complete, and nobody knows its return code')
  if ((status === 'failed' || status === 'lost') && !reason)
    broken('end-explained', `is ${status}, and nothing says why`)
  if (status !== 'complete' || !life.stagesOut) return
  if (life.due === undefined)
    broken('delivered-first', 'is complete, and nobody looked which outputs are to be delivered')
  else if (life.settled.size < life.due)
    broken('delivered-first', `is complete with ${life.settled.size} of its ${life.due} outputs delivered`)
}
