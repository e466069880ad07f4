import type { JobRecord } from '../record.js'
import { isDone } from '../transitions.js'
import type { Replayed } from './replay.js'
import type { Life, Rule, Violation } from './types.js'

/** The records of jobs, by manager and id. */
export interface Records {
  readonly active: ReadonlyMap<string, JobRecord>
  readonly ended: ReadonlyMap<string, JobRecord>
}

/** Where the journal and the records, read at one moment, do not say the same. */
export function compareRecords(replayed: Replayed, records: Records): Violation[] {
  const violations: Violation[] = []
  const add = (key: string, atMs: number, rule: Rule, message: string): void => {
    const at = key.indexOf('/')
    violations.push({ rule, manager: key.slice(0, at), job: key.slice(at + 1), atMs, message })
  }
  const byExternalId = new Map<string, string>()
  for (const [key, record] of records.active) {
    const life = replayed.lives.get(key)
    const say = (rule: Rule, message: string): void => add(key, atOf(life, record), rule, message)
    if (records.ended.has(key))
      say('records-agree', 'is among the unfinished jobs and among the finished ones')
    checkSubmit(replayed, life, record, say)
    if (life) checkActive(life, record, say)
    if (record.externalId === undefined || record.externalId === record.id || record.idGivenAgain) continue
    const other = byExternalId.get(record.externalId)
    if (other !== undefined)
      say('external-id-once', `has the scheduler's id ${record.externalId}, which job ${other} has too`)
    byExternalId.set(record.externalId, record.id)
  }
  for (const [key, record] of records.ended) {
    const life = replayed.lives.get(key)
    const say = (rule: Rule, message: string): void => add(key, atOf(life, record), rule, message)
    checkSubmit(replayed, life, record, say)
    if (life) checkEnded(life, record, say)
  }
  for (const [key, life] of replayed.lives) {
    if (life.cleaned || records.active.has(key) || records.ended.has(key)) continue
    add(key, life.atMs, 'nobody-vanished', 'was acknowledged and never cleaned, and there is no record of it')
  }
  return violations
}

type Say = (rule: Rule, message: string) => void

function atOf(life: Life | undefined, record: JobRecord): number {
  return life?.atMs ?? record.history?.at(-1)?.atMs ?? record.submittedAtMs
}

/** A job that is older than the journal has no submit in it. */
function checkSubmit(replayed: Replayed, life: Life | undefined, record: JobRecord, say: Say): void {
  if (life?.isWhole || life?.foreign) return
  if (replayed.fromMs === undefined || record.submittedAtMs < replayed.fromMs) return
  say('records-agree', 'is in the records, and the journal has no submit of it')
}

function checkActive(life: Life, record: JobRecord, say: Say): void {
  if (life.stopped || (life.end !== undefined && life.end !== 'cancelled'))
    say('records-agree', `has ended as ${life.end}, and is still among the unfinished jobs`)
  else if (life.end === 'cancelled' && record.status !== 'cancelled')
    say('records-agree', `was cancelled, and its record says ${record.status}`)
  else if (life.end === undefined && isDone(record.status) && life.isWhole)
    say('records-agree', `is alive, and its record says ${record.status}`)
  if (life.cleaned && !record.cleaned) say('records-agree', 'was cleaned, and its record does not say so')
}

function checkEnded(life: Life, record: JobRecord, say: Say): void {
  if (life.cleaned) say('records-agree', 'was cleaned, and is still in the records')
  if (life.end !== record.status && (life.isWhole || life.end !== undefined))
    say('records-agree', `is ${record.status} in the records, and ${life.end ?? 'alive'} in the journal`)
}
