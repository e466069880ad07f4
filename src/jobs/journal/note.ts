import { messageOf } from '../../lib/errors.js'
import type { Logger } from '../../lib/log.js'
import type { Store, StoreChange } from '../../store/store.js'
import { JOURNAL, type JobEvent, type JobNews, type JournalEvent } from './event.js'

/** Texts that come from elsewhere are cut: the size of the journal is bounded by the number of its events. */
const LONGEST_TEXT = 300

interface JournalingContext {
  readonly config: { readonly name: string }
  readonly store: Store
  readonly log: Logger
}

/** The event as a change of the store, to be written together with what it tells of. */
export function journaled(context: JournalingContext, jobId: string, news: JobNews): StoreChange {
  const event = { atMs: Date.now(), manager: context.config.name, job: jobId, ...short(news) } as JobEvent
  return appendEvent(event)
}

export function appendEvent(event: JournalEvent): StoreChange {
  return { type: 'append', log: JOURNAL, value: event }
}

/** Tells what has no record of its own; goes to disk with the next write, within a tenth of a second. Returns at once. */
export function noteEvent(context: JournalingContext, jobId: string, news: JobNews): void {
  context.store.write([journaled(context, jobId, news)], { later: true }).catch((error: unknown) => {
    context.log.debug({ job: jobId }, `not in the journal: ${news.kind}: ${messageOf(error)}`)
  })
}

function short(news: JobNews): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(news).flatMap(([key, value]: [string, unknown]) => {
      if (value === undefined) return []
      return [[key, typeof value === 'string' ? clip(withoutQueries(value)) : value]]
    }),
  )
}

function clip(text: string): string {
  return text.length > LONGEST_TEXT ? `${text.slice(0, LONGEST_TEXT - 1)}…` : text
}

/** Galaxy's keys for files stand in the queries of addresses. */
function withoutQueries(text: string): string {
  return text.replace(/(\b[a-z][a-z0-9+.-]*:\/\/[^\s?"']*)\?[^\s"']*/gi, '$1')
}
