import { setImmediate as nextTurn } from 'node:timers/promises'
import type { RetryConfig } from '../config/types.js'
import { messageOf } from '../lib/errors.js'
import type { ActionSpec, LocalFile, Transferred, TransferTools } from '../staging/action.js'
import { DEFAULT_RETRIES, type RetryPolicy } from '../staging/retry-policy.js'
import { TransferError } from '../staging/transfer-error.js'
import type { Transfer } from '../staging/transfer-queue.js'
import type { Job, ManagerContext } from './job.js'
import { journaled } from './journal/note.js'
import { openTransferNotes, transferName } from './transfer-notes.js'
import { addBytes, describeEnd, formatBytes, reportProgress, startProgress } from './transfer-progress.js'

/** So many files get their names between two turns of others. */
const NAMED_AT_ONCE = 500

/** One file of a job that is to travel. */
export interface FileToMove {
  readonly action: ActionSpec
  readonly local: LocalFile
  /** For people: "input dataset_1.dat". */
  readonly what: string
  readonly move: (action: ActionSpec, local: LocalFile, tools: TransferTools) => Promise<Transferred>
  /** Instead of ending the whole: the file could not be moved for good. */
  readonly onGiveUp?: (error: unknown) => void
}

export function retryPolicy(config: RetryConfig): RetryPolicy {
  const { maxRetries, ...intervals } = config
  // A number that was set is meant as it is; without one a day is the limit.
  return maxRetries === undefined
    ? { ...DEFAULT_RETRIES, ...intervals }
    : { ...intervals, maxRetries, limitMs: Number.POSITIVE_INFINITY }
}

/**
 * Moves the files of one job through the node's queue; those that were moved before a restart are left out. Says in the log how
 * it goes. @throws the error of the first file that could not be moved for good and has no onGiveUp; the signal's reason
 */
export async function moveFiles(
  context: ManagerContext,
  job: Job,
  direction: 'in' | 'out',
  files: readonly FileToMove[],
  signal: AbortSignal,
): Promise<void> {
  const log = context.log.child({ job: job.id })
  const notes = await openTransferNotes(context.store, context.config.name, job.id)
  const open: (FileToMove & { readonly name: string })[] = []
  for (const [at, file] of files.entries()) {
    // Ten thousand hashes take 50 ms: other jobs have their turn in between.
    if (at % NAMED_AT_ONCE === 0) await nextTurn()
    const name = nameOf(direction, file.action, file.local)
    if (!notes.isDone(name)) open.push({ ...file, name })
  }
  if (open.length === 0) return
  const progress = startProgress(direction, open.length)
  log.info(beginning(direction, open.length, files.length))
  job.progress = progress
  const stopReporting = reportProgress(log, progress)
  const retries = retryPolicy(
    direction === 'in' ? context.config.stageInRetries : context.config.stageOutRetries,
  )
  let resumed = 0
  const transfers = open.map(({ name, action, local, what, move, onGiveUp }): Transfer => {
    let reason = ''
    let moved = 0
    return {
      retries,
      async attempt(attemptSignal, leavePlace, kept) {
        progress.retrying.delete(name)
        progress.underWay.set(name, otherEnd(direction, action))
        const before = moved
        const tools: TransferTools = {
          http: context.http,
          log,
          signal: attemptSignal,
          progress: (bytes) => {
            moved += bytes
            addBytes(progress, bytes)
          },
          arrived: leavePlace,
          kept,
          memory: { get: () => notes.text(name), set: (text) => notes.setText(name, text) },
        }
        const done = await move(action, local, tools)
          .catch((error: unknown) => {
            reason = messageOf(error)
            throw onGiveUp ? error : withSubject(what, error)
          })
          .finally(() => progress.underWay.delete(name))
        resumed += done.resumedFrom
        await notes.setDone(
          name,
          journaled(context, job.id, {
            kind: direction === 'in' ? 'fetched' : 'delivered',
            file: name,
            name: what,
            bytes: done.bytes,
          }),
        )
        progress.filesDone++
        progress.fileBytes += done.bytes
        // The rest was moved for nothing: attempts began anew.
        const ofUse = done.bytes - done.resumedFrom + Math.min(before, done.resumedFrom)
        progress.lostBytes += Math.max(0, moved - ofUse)
      },
      onRetry(_error, delayMs) {
        progress.retrying.set(name, Date.now() + delayMs)
        progress.lastError = `${what}: ${reason}`
        progress.attemptsFailed++
        context.retries.failed(job.id, what, reason, delayMs)
      },
      ...(onGiveUp
        ? {
            onGiveUp(error) {
              progress.filesFailed++
              progress.lostBytes += moved
              onGiveUp(error)
            },
          }
        : {}),
    }
  })
  try {
    await context.transfers.run(transfers, signal)
  } finally {
    stopReporting()
    context.retries.ended(job.id)
    job.progress = undefined
  }
  const saved = resumed > 0 ? `, ${formatBytes(resumed)} kept from an earlier attempt` : ''
  log.info(`${direction === 'in' ? 'inputs fetched' : 'outputs delivered'}: ${describeEnd(progress)}${saved}`)
}

/** "fetching 12 inputs"; after a restart "fetching 3 inputs, 9 are there". */
function beginning(direction: 'in' | 'out', open: number, all: number): string {
  const noun = `${direction === 'in' ? 'input' : 'output'}${open === 1 ? '' : 's'}`
  const rest =
    all - open === 0 ? '' : `, ${all - open} ${direction === 'in' ? 'are there' : 'were delivered'}`
  return `${direction === 'in' ? 'fetching' : 'delivering'} ${open} ${noun}${rest}`
}

/** At whom a transfer waits: a host, or a path that Galaxy shares. Galaxy's key stands behind the host. */
function otherEnd(direction: 'in' | 'out', { url, path, ssh_host: host }: ActionSpec): string {
  if (url !== undefined && URL.canParse(url)) return new URL(url).host
  if (host === undefined) return path ?? 'this node'
  // rsync and scp tell at the end how much they sent.
  return direction === 'in' ? host : `${host} (what is on its way there is not known before the end)`
}

/** The name of a transfer in a job's notes. */
export function nameOf(direction: 'in' | 'out', action: ActionSpec, local: LocalFile): string {
  const remote = action.url ?? action.path ?? ''
  return transferName(
    direction,
    `${local.base}/${local.components.join('/')}`,
    `${action.action_type} ${remote}`,
  )
}

/** What went wrong, as a job's reason says it. */
export function reasonOf(what: string, error: unknown): string {
  if (error instanceof TransferError) return `${what}: ${error.message}`
  return `${what}: ${messageOf(error)}`
}

/** The reason must say which file it was. */
function withSubject(what: string, error: unknown): unknown {
  return error instanceof TransferError ? error.reworded(reasonOf(what, error)) : error
}
