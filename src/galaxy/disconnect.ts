import { refuseEdit } from '../lib/edit/refuse.js'
import type { JobConfEdit } from './connect.js'
import type { JobConf, JobConfFormat } from './job-conf.js'
import type { Marker } from './marker.js'

/**
 * Takes away what connect wrote for a destination, and puts back the mappings of tools that it had commented out. Everything else stays
 * byte for byte, also what was written since; so where nothing was, the file is the one from before.
 * @throws MagnetarError EDIT_REFUSED, with line, when the file is not understood, or something depends on the destination
 */
export function disconnect(
  format: JobConfFormat,
  before: string,
  destination: string,
  file?: string,
): JobConfEdit {
  const changes: string[] = []
  const start = format.read(before)
  expectOnTop(format, start, before, destination, file)
  let text = before
  const take = (marker: Marker, change: string): void => {
    const after = format.takeAway(text, marker)
    if (after === undefined) return
    text = after
    changes.push(change)
  }
  for (const { marker, id } of start.tools.toReversed()) {
    if (marker?.destination !== destination) continue
    const back = marker.remark === undefined ? '' : ', and put its former mapping back'
    take(marker, `take the mapping of ${id} to ${destination} away${back}`)
  }
  const found = start.destinations.find(({ id }) => id === destination)
  const isOurs = found?.marker !== undefined
  if (found?.marker) {
    if (start.default === destination && !isOnlyNeededNow(format, start, before, destination))
      throw refuseEdit(
        { file, line: found.line },
        `${destination} is the default destination, without which Galaxy does not start`,
        'make another one the default first',
      )
    take(found.marker, `take the destination ${destination} away`)
  } else if (found && changes.length === 0)
    throw refuseEdit(
      { file, line: found.line },
      `the destination ${destination} was not written by "magnetar galaxy connect"`,
      'remove it by hand, with what refers to it',
    )
  text = takeShared(format, text, changes)
  return {
    after: text,
    changes,
    notes: [
      ...dependants(format, text, destination, isOurs, file),
      ...strays(format, text, destination, file),
    ],
  }
}

/** Another connection may have put its mapping of a tool on top of one of these. */
function expectOnTop(
  format: JobConfFormat,
  { tools }: JobConf,
  text: string,
  destination: string,
  file: string | undefined,
): void {
  for (const { marker, line } of format.markers(text)) {
    if (marker.what !== 'tool' || marker.destination !== destination) continue
    const same = tools.filter((tool) => tool.marker?.id === marker.id)
    const top = same.find((tool) => tool.marker?.destination !== destination)?.marker?.destination
    if (top === undefined || same.some((tool) => tool.marker?.destination === destination)) continue
    throw refuseEdit(
      { file, line },
      `${marker.id} was connected to ${top} afterwards, on top of this`,
      `take that away first: magnetar galaxy disconnect --destination ${top}`,
    )
  }
}

/** The default was added because there were two destinations, of which one is left. */
function isOnlyNeededNow(
  format: JobConfFormat,
  { destinations }: JobConf,
  text: string,
  id: string,
): boolean {
  const isOurs = format.markers(text).some(({ marker }) => marker.what === 'default' && marker.id === id)
  return isOurs && destinations.length <= 2
}

/** What several destinations use goes with the last of them: the runner, the default that only they made necessary, sections. */
function takeShared(format: JobConfFormat, before: string, changes: string[]): string {
  let text = before
  for (const { marker, id } of format.read(text).runners) {
    const isUsed = format.read(text).destinations.some(({ runner }) => runner === id)
    const after = marker && !isUsed ? format.takeAway(text, marker) : undefined
    if (after === undefined) continue
    text = after
    changes.push(`take the runner ${id} away`)
  }
  const marker = format.markers(text).find((each) => each.marker.what === 'default')?.marker
  const { destinations, default: current } = format.read(text)
  // With one destination Galaxy needs none.
  if (marker && destinations.length < 2) {
    const after = current === marker.id ? format.takeAway(text, marker) : undefined
    if (after !== undefined) changes.push(`take the default ${marker.id} away, which was added for it`)
    text = after ?? format.giveUp(text, marker)
  }
  return tidySections(format, text)
}

function tidySections(format: JobConfFormat, before: string): string {
  let text = before
  for (;;) {
    const empty = format.read(text).sections.findLast((each) => each.isEmpty)
    const after = empty && format.takeAway(text, empty.marker)
    if (after === undefined) break
    text = after
  }
  const kept = format.read(text).sections.filter(({ hasMarkers }) => !hasMarkers)
  return kept.reduce((current, { marker }) => format.giveUp(current, marker), text)
}

function dependants(
  format: JobConfFormat,
  text: string,
  destination: string,
  isGone: boolean,
  file: string | undefined,
): string[] {
  if (!isGone) return []
  const { tools }: JobConf = format.read(text)
  return tools
    .filter((tool) => tool.destination === destination)
    .map(
      ({ id, line }) => `${file ?? 'the file'}:${line}: ${id} is still sent to ${destination}, which is gone`,
    )
}

/** Comments of ours whose thing somebody has removed, or has put another destination on. */
function strays(
  format: JobConfFormat,
  text: string,
  destination: string,
  file: string | undefined,
): string[] {
  return format
    .markers(text)
    .filter(({ marker }) => marker.destination === destination)
    .map(
      ({ marker, line }) =>
        `${file ?? 'the file'}:${line}: the comment about ${marker.id} stays: what it stood above has changed`,
    )
}
