import { basename } from 'node:path'
import type { Conflict, ManagedFile } from '../types.js'
import { fingerprint, isFingerprintOf } from './fingerprint.js'

/**
 * How hand edits survive. What setup wants is compared with what is on the disk and with what the manifest says setup wrote last; what
 * somebody else wrote is never taken away silently.
 */

export type KeyValue = string | number | boolean

export interface WantedKey {
  /** What the manifest and conflicts call it: `manager.type`, `[server:main] port`. */
  readonly key: string
  /** What sentences call it, where that is shorter: `port`. */
  readonly label?: string
  /** undefined: the key is not to be there, or is none of setup's business. */
  readonly value: KeyValue | undefined
  /** Somebody asked for this value now. */
  readonly explicit: boolean
  /** Its value appears in no message. */
  readonly secret?: true
  /** Keys of the same group mean one thing: where one of them is a conflict, none is changed. */
  readonly group?: string
}

/** What stands in a file under a key; null: nothing after the colon; undefined: no such key; 'other': no single value. */
export type FoundValue = { readonly value: KeyValue | null } | 'other' | undefined

export interface ManagedKeys<W extends WantedKey> {
  readonly path: string
  readonly wanted: readonly W[]
  read(wanted: W): FoundValue
  /** What the manifest has of the file; undefined: setup never wrote it. */
  readonly written: ManagedFile | undefined
  readonly force: boolean
}

interface Merge {
  readonly conflicts: readonly Conflict[]
  /** For people: what is kept although setup would write something else. */
  readonly notes: readonly string[]
  /** The manifest's entry once the plan is applied. */
  readonly managed: ManagedFile
  /** Something written by hand is replaced. */
  readonly backup: boolean
}

export interface KeyMerge<W extends WantedKey> extends Merge {
  /** To be written, or removed where the value is undefined. */
  readonly edits: readonly W[]
}

/** Decides key by key. Values are compared, not spellings: `8913` is "8913". */
export function mergeKeys<W extends WantedKey>(file: ManagedKeys<W>): KeyMerge<W> {
  const held = heldGroups(file)
  const edits: W[] = []
  const conflicts: Conflict[] = []
  const notes: string[] = []
  const keys: Record<string, string> = {}
  let backup = false
  for (const wanted of file.wanted) {
    const last = file.written?.keys?.[wanted.key]
    const found = file.read(wanted)
    const verdict = judge(wanted, found, last)
    const overruled = verdict === 'by hand' && wanted.explicit && file.force
    if (
      wanted.group !== undefined &&
      held.has(wanted.group) &&
      (verdict === 'write' || verdict === 'remove')
    ) {
      if (last !== undefined) keys[wanted.key] = last
      continue
    }
    if (overruled) backup = true
    if (verdict === 'write' || verdict === 'remove' || overruled) edits.push(wanted)
    if (wanted.value !== undefined && (verdict === 'write' || verdict === 'fine' || overruled))
      keys[wanted.key] = fingerprint(comparable(wanted.value), wanted.secret === true, last)
    if (verdict !== 'by hand' || overruled) continue
    // Stays known as something that setup wrote, so that the next run judges as this one.
    if (last !== undefined) keys[wanted.key] = last
    if (wanted.explicit)
      conflicts.push({
        path: file.path,
        key: wanted.key,
        message: describeConflict(file.path, wanted, found, last),
      })
    else notes.push(describeKept(file.path, wanted, found, last))
  }
  return { edits, conflicts, notes, managed: { keys }, backup }
}

/** Groups that have a conflict in them. */
function heldGroups<W extends WantedKey>(file: ManagedKeys<W>): Set<string> {
  const held = file.wanted.filter((wanted) => {
    const verdict = judge(wanted, file.read(wanted), file.written?.keys?.[wanted.key])
    return verdict === 'by hand' && wanted.explicit && !file.force
  })
  return new Set(held.flatMap(({ group }) => group ?? []))
}

function judge(
  wanted: WantedKey,
  found: FoundValue,
  last: string | undefined,
): 'write' | 'remove' | 'fine' | 'leave' | 'by hand' {
  const current = typeof found === 'object' ? comparable(found.value) : undefined
  if (wanted.value !== undefined && current === comparable(wanted.value)) return 'fine'
  if (found === undefined && wanted.value !== undefined) return last === undefined ? 'write' : 'by hand'
  const isOurs =
    last !== undefined && current !== undefined && isFingerprintOf(last, current, wanted.secret === true)
  if (wanted.value === undefined) return isOurs ? 'remove' : 'leave'
  return isOurs ? 'write' : 'by hand'
}

/** The text by which two values are the same. */
function comparable(value: KeyValue | null): string {
  const text = value === null ? '' : String(value)
  return /^(true|false)$/i.test(text) ? text.toLowerCase() : text
}

function describeKept(path: string, wanted: WantedKey, found: FoundValue, last: string | undefined): string {
  const { key, label = key, secret, value } = wanted
  const file = basename(path)
  const wish = secret ? '' : `; setup would write ${value}`
  if (found === undefined) return `kept: no ${label} in ${file} (removed by hand${wish})`
  const shown = secret ? label : `${label} = ${show(found)}`
  return `kept: ${shown} in ${file} (${authorOf(last)}${wish})`
}

function describeConflict(
  path: string,
  wanted: WantedKey,
  found: FoundValue,
  last: string | undefined,
): string {
  const { key, label = key, secret, value } = wanted
  const asked = secret ? 'another one is asked for' : `${value} is asked for`
  const state =
    found === undefined
      ? `${label} was removed by hand from ${path}`
      : `${path} has ${secret ? `a ${label}` : `${label} = ${show(found)}`}, ${authorOf(last)}`
  return `${state}, but ${asked}. It is left as it is; --force writes it and keeps a backup`
}

function authorOf(last: string | undefined): string {
  return last === undefined ? 'not written by setup' : 'edited by hand'
}

function show(found: Exclude<FoundValue, undefined>): string {
  if (found === 'other') return 'more than a single value'
  return found.value === null || found.value === '' ? 'nothing' : String(found.value)
}

export interface ManagedWhole {
  readonly path: string
  /** undefined: there is no such file. */
  readonly current: string | undefined
  /** undefined: it is not to be there. */
  readonly wanted: string | undefined
  readonly explicit: boolean
  readonly written: ManagedFile | undefined
  readonly force: boolean
}

export interface WholeMerge extends Merge {
  readonly action: 'write' | 'remove' | 'none'
}

/**
 * Decides about a file that has no keys setup could tell apart. Where only the hand edit is new, it stays, whoever asks again for what
 * setup wrote before it.
 */
export function mergeWhole(file: ManagedWhole): WholeMerge {
  const { path, current, wanted, explicit, force } = file
  const last = file.written?.whole
  const nothing = { action: 'none', conflicts: [], notes: [], managed: {}, backup: false } as const
  const isOurs = current !== undefined && last !== undefined && isFingerprintOf(last, current, false)
  if (wanted === undefined) {
    if (current === undefined) return nothing
    if (isOurs) return { ...nothing, action: 'remove' }
    // Not of an earlier setup: none of its business.
    return last === undefined
      ? nothing
      : { ...nothing, notes: [`kept: ${path} (edited by hand; not used any more)`] }
  }
  const managed = { whole: fingerprint(wanted, false) }
  if (current === wanted) return { ...nothing, managed }
  if (current === undefined || isOurs) return { ...nothing, action: 'write', managed }
  if (explicit && force) return { ...nothing, action: 'write', managed, backup: true }
  const kept = { ...nothing, managed: last === undefined ? {} : { whole: last } }
  if (!explicit || (last !== undefined && isFingerprintOf(last, wanted, false)))
    return { ...kept, notes: [`kept: ${path} (${authorOf(last)})`] }
  const state = last === undefined ? 'was there before, with other content' : 'was edited by hand'
  const message = `${path} ${state}, and something else is asked for now. It is left as it is; --force replaces it and keeps a backup`
  return { ...kept, conflicts: [{ path, key: undefined, message }] }
}
