import { MagnetarError } from '../../lib/errors.js'
import type { Conflict, ManagedFile } from '../types.js'
import { type FoundValue, mergeKeys, type WantedKey } from './managed-file.js'

/** How one kind of file is read and edited key by key. */
export interface Dialect<W extends WantedKey> {
  /** @throws MagnetarError EDIT_REFUSED */
  read(text: string, wanted: W): FoundValue
  /** Only what is asked for changes. @throws MagnetarError EDIT_REFUSED */
  edit(text: string, edits: readonly W[]): string
}

export interface ConfigText<W extends WantedKey> {
  readonly path: string
  /** undefined: there is no such file. */
  readonly current: string | undefined
  /** The whole of a new file. */
  readonly fresh: string
  readonly wanted: readonly W[]
  readonly dialect: Dialect<W>
  readonly written: ManagedFile | undefined
  readonly force: boolean
}

export interface MergedText {
  readonly text: string
  readonly conflicts: readonly Conflict[]
  readonly notes: readonly string[]
  readonly managed: ManagedFile
  readonly backup: boolean
}

/**
 * The text that a file is to have: a new one from its template, one that is there edited key by key. One that cannot be edited without
 * risk is a conflict, and is written anew with force.
 */
export function mergeText<W extends WantedKey>(file: ConfigText<W>): MergedText {
  const { current, fresh, path } = file
  if (current === undefined) return merge(file, fresh, undefined)
  try {
    return merge(file, current, file.written)
  } catch (error) {
    if (!isEditRefused(error)) throw error
    if (file.force) return { ...merge(file, fresh, undefined), backup: true }
    const message = [
      `${path} cannot be edited: ${error.message}`,
      error.fix ?? 'Correct it by hand, or let --force write the file anew',
    ].join('. ')
    const conflict = { path, key: undefined, message }
    return { text: current, conflicts: [conflict], notes: [], managed: file.written ?? {}, backup: false }
  }
}

function merge<W extends WantedKey>(
  { path, wanted, dialect, force }: ConfigText<W>,
  base: string,
  written: ManagedFile | undefined,
): MergedText {
  const read = (key: W): FoundValue => dialect.read(base, key)
  const { edits, ...merged } = mergeKeys({ path, wanted, read, written, force })
  return { ...merged, text: edits.length === 0 ? base : dialect.edit(base, edits) }
}

export function isEditRefused(error: unknown): error is MagnetarError {
  return error instanceof MagnetarError && error.code === 'EDIT_REFUSED'
}
