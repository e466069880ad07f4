import { dirname } from 'node:path'
import { splitCommand } from './command-words.js'
import type { AdoptionRecord } from './record.js'
import { withoutComment } from './supervisor-definitions.js'

/**
 * A command of Supervisor, as it stands in the file, with the Python program in the place of ours; the same text when ours is not in it.
 * @param command as adopt changed it
 * @returns undefined: it was edited so that nobody can tell what the Python Pulsar's would be. Pure.
 */
export function putProgramBack(current: string, command: AdoptionRecord['command']): string | undefined {
  if (current === command.after) return command.before
  const [now, before, after] = [current, command.before, command.after].map(withoutComment) as [
    string,
    string,
    string,
  ]
  const [own, ...ownRest] = splitCommand(after) ?? []
  const [first] = splitCommand(before) ?? []
  if (own === undefined || first === undefined) return undefined
  const words = splitCommand(now)
  const places = (words ?? []).filter(({ text }) => text === own.text)
  const [place, ...more] = places
  if (place === undefined) return now.includes(`${dirname(dirname(own.text))}/`) ? undefined : current
  if (more.length > 0 || words === undefined) return undefined
  const rest = after.slice(own.end)
  // One program for another, and the words behind it as they were.
  if (before.endsWith(rest)) {
    const program = before.slice(first.start, before.length - rest.length)
    return current.slice(0, place.start) + program + current.slice(place.end)
  }
  // uwsgi: the words behind were written anew, so they have to be those still.
  const same =
    [own, ...ownRest].map(({ text }) => text).join('\0') === words.map(({ text }) => text).join('\0')
  return same ? before + current.slice(now.length) : undefined
}
