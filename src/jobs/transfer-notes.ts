import { createHash } from 'node:crypto'
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Store, StoreChange } from '../store/store.js'

/**
 * What is known of the transfers of one job: which are done, so that none is repeated after a restart, and what an unfinished one
 * noted (the address of an upload that was begun). In the store until the job is over.
 */
export interface TransferNotes {
  isDone(transfer: string): boolean
  text(transfer: string): string | undefined
  setText(transfer: string, text: string): Promise<void>
  /** @param news written together with the note */
  setDone(transfer: string, news: StoreChange): Promise<void>
}

interface Note {
  readonly done?: true
  readonly text?: string
}

/** Names a transfer of a job: the same file of the same job has the same name after a restart. */
export function transferName(direction: 'in' | 'out', local: string, remote: string): string {
  return createHash('sha256')
    .update(JSON.stringify([direction, local, remote]))
    .digest('base64url')
    .slice(0, 22)
}

export async function openTransferNotes(
  store: Store,
  manager: string,
  jobId: string,
): Promise<TransferNotes> {
  const prefix = notesPrefix(manager, jobId)
  const notes = new Map<string, Note>()
  for await (const [key, note] of store.entries<Note>(prefix)) notes.set(key.slice(prefix.length), note)
  let waiting: { readonly changes: StoreChange[]; readonly written: Promise<void> } | undefined
  // Files are stored several at a time: what is noted of them in one turn is one write.
  const put = (transfer: string, note: Note, ...news: StoreChange[]): Promise<void> => {
    notes.set(transfer, note)
    waiting ??= begin()
    waiting.changes.push({ type: 'put', key: `${prefix}${transfer}`, value: note }, ...news)
    return waiting.written
  }
  const begin = (): { changes: StoreChange[]; written: Promise<void> } => {
    const changes: StoreChange[] = []
    const written = nextTurn().then(() => {
      waiting = undefined
      // Without waiting for the disk: what a power cut forgets is moved once more, which does no harm.
      return store.write(changes, { lazy: true })
    })
    return { changes, written }
  }
  return {
    isDone: (transfer) => notes.get(transfer)?.done ?? false,
    text: (transfer) => notes.get(transfer)?.text,
    setText: (transfer, text) => put(transfer, { text }),
    setDone: (transfer, news) => put(transfer, { done: true }, news),
  }
}

/** Forgets the transfers of a job, or only some of them, before another one of the same id or when it is over. */
export async function forgetTransfers(
  store: Store,
  manager: string,
  jobId: string,
  options: { readonly lazy?: boolean; readonly only?: ReadonlySet<string> } = {},
): Promise<void> {
  const keys: string[] = []
  const prefix = notesPrefix(manager, jobId)
  for await (const [key] of store.entries(prefix)) {
    if (options.only?.has(key.slice(prefix.length)) ?? true) keys.push(key)
  }
  if (keys.length > 0)
    await store.write(
      keys.map((key) => ({ type: 'del' as const, key })),
      options,
    )
}

/** Forgets what is noted of jobs that are over: a server that was killed had no time to. */
export async function forgetStrayNotes(
  store: Store,
  manager: string,
  isAlive: (jobId: string) => boolean,
): Promise<void> {
  const prefix = notesPrefix(manager, '').slice(0, -1)
  const stray = new Set<string>()
  for await (const [key] of store.entries(prefix)) {
    const jobId = key.slice(prefix.length).split('/', 1)[0] ?? ''
    if (!isAlive(jobId)) stray.add(jobId)
  }
  for (const jobId of stray) await forgetTransfers(store, manager, jobId, { lazy: true })
}

/** An id may contain no slash, so this is no other job's prefix. */
function notesPrefix(manager: string, jobId: string): string {
  return `moved/${manager}/${jobId}/`
}
