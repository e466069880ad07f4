import path from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { connectControl } from '../../src/control/client.js'
import { controlPlace } from '../../src/control/socket-path.js'
import type { AuditReport } from '../../src/control/types.js'
import { messageOf } from '../../src/lib/errors.js'
import type { Ending } from './chaos-node.js'
import type { Effect } from './faults/faults.js'
import { type Life, runsOf, type World } from './lives.js'

/** What a true reason says of each effect. */
const REASONS: Readonly<Partial<Record<string, RegExp>>> = {
  ENOSPC: /ENOSPC|no space|disk is full/i,
  EIO: /EIO|i\/o error|input\/output/i,
  EMFILE: /EMFILE|too many open files/i,
  EAGAIN: /EAGAIN|temporarily unavailable|cannot (be )?fork|process/i,
}

export interface Expectation {
  readonly effect: Effect
  /** The tool itself may have met the fault. */
  readonly hitsTool?: boolean
  /** Jobs that ran at that moment are gone with it. */
  readonly power?: boolean
}

const AUDIT_ATTEMPTS = 40
const AUDIT_PAUSE_MS = 200

/** What of a life's end breaks a promise. Files that were downloaded or delivered are judged where that is done. */
export function judgeLife(world: World, life: Life, expected: Expectation): string[] {
  const found = [...life.violations]
  const { end, client } = life
  const runs = runsOf(world, life.id)
  if (runs > 1) found.push(`ran ${runs} times`)
  for (const { call, status, text } of client.errors) {
    if (status < 500) found.push(`${call} was refused: ${status} ${text}`)
    else if (!saysWhat(text)) found.push(`${call}: ${status} does not say what happened: ${anonymous(text)}`)
    else if (expected.effect.startsWith('ENOSPC') && status === 500)
      found.push(`${call}: ${status} for a full disk: ${anonymous(text)}`)
  }
  if (!end) return found
  const { status, returncode } = end
  if (status === 'complete') {
    if (runs !== 1) found.push(`complete, and ran ${runs} times`)
    if (returncode !== 0 && !expected.hitsTool)
      found.push(`complete with return code ${returncode}: ${end.stderr}`)
  } else if (status === 'failed') {
    const reason = REASONS[expected.effect.split(' ')[0] ?? '']
    if (expected.power && !/machine went down/.test(String(end.stderr)))
      found.push(`failed for a reason that is not true: ${end.stderr}`)
    if (reason === undefined && !expected.power && !expected.hitsTool) found.push(`failed: ${end.stderr}`)
    else if (reason && !reason.test(String(end.stderr)))
      found.push(`failed for a reason that is not true: ${end.stderr}`)
  } else if (status === 'lost') {
    if (!expected.power || !/machine went down/.test(String(end.stderr))) found.push(`lost: ${end.stderr}`)
  } else if (status !== 'cancelled' || life.name !== 'cancel') found.push(`ended as ${status}`)
  return [...new Set(found)]
}

/** What the node's own journal says of its jobs, as `magnetar audit` has it; what was said before is not said again. A Python Pulsar has none. */
export async function auditNode({ node, audited }: World): Promise<string[]> {
  if (node.program !== 'magnetar') return []
  const place = controlPlace({
    persistenceDirectory: path.join(node.directory, 'persisted_data'),
    stagingDirectory: path.join(node.directory, 'staging'),
  })
  let report: AuditReport | undefined
  for (let attempt = 1; report === undefined; attempt++) {
    await node.ensureUp()
    try {
      const client = await connectControl(place, AbortSignal.timeout(30_000))
      if (client) report = await client.audit({})
    } catch (error) {
      // It may have been killed just now, and its end not been seen.
      if (attempt === AUDIT_ATTEMPTS) return [`the audit fails: ${messageOf(error)}`]
    }
    if (report) break
    if (attempt === AUDIT_ATTEMPTS) return ['the audit cannot be asked for: nobody listens to admins']
    await Promise.race([node.whenDead(), delay(AUDIT_PAUSE_MS)])
    // A fault at its start may leave it without the socket: it tries again, with pauses that the many faults in a row make long.
    if (attempt === 30 && node.logs().includes('until it has its control socket')) await node.restart()
  }
  const { violations, hasJournal } = report
  if (!hasJournal) return ['the audit finds no journal']
  const found = violations.map(({ rule, job, message, timeline }) => {
    const story = timeline.slice(-8).map(({ text }) => text)
    return `audit: ${rule}: ${job === undefined ? '' : `job ${job} `}${message} [${story.join('; ')}]`
  })
  const news = found.filter((each) => !audited.has(each))
  for (const each of news) audited.add(each)
  return news
}

/** Without what tells one answer from the next. */
function anonymous(text: string): string {
  return text.replace(/,"request":"[^"]*"/, '')
}

function saysWhat(text: string): boolean {
  try {
    const { error, code } = JSON.parse(text) as { error?: string; code?: string }
    return Boolean(error && code) && error !== 'internal error'
  } catch {
    return false
  }
}

/** A server that went by itself: with a sentence is right when it could not start, anything else never. */
export function judgeEnding({ code, signal, logs }: Ending, atStart: boolean): string | undefined {
  const tail = logs.trim().split('\n').slice(-8).join('\n')
  if (signal !== null || code === null) return `the server went with ${signal ?? 'no answer'}: ${tail}`
  if (!atStart) return `the server ended with ${code}: ${tail}`
  if (code === 0) return `the server ended with 0 although it could not start: ${tail}`
  if (/^\s+at .+:\d+:\d+\)?$/m.test(logs)) return `the server ended with a stack trace: ${tail}`
  return undefined
}
