import fs from 'node:fs'
import path from 'node:path'
import { readOwnFile, replaceOwnFile } from '../lib/own-file.js'

/** A path of the system's error, and what it is about. */
const LONGEST_REASON = 1000

/** Beside the index of a Python server: the store may be what could not be written. */
function fileName(manager: string): string {
  return `${manager}-not-left.json`
}

/**
 * Keeps why the last stop of this manager could not leave jobs to a Python server, for adopt --undo; undefined: it could. Best effort:
 * where there is no room for this either, the log alone tells.
 */
export function noteNotLeft(persistenceDirectory: string, manager: string, reason: string | undefined): void {
  try {
    if (reason === undefined) fs.rmSync(path.join(persistenceDirectory, fileName(manager)), { force: true })
    else replaceOwnFile(persistenceDirectory, fileName(manager), JSON.stringify({ reason }))
  } catch {
    // The log has it.
  }
}

/** Why the last stop could not leave jobs to a Python server, in the system's words; undefined: no reason is known. */
export function probeNotLeft(
  persistenceDirectory: string | null,
  managers: readonly { readonly name: string }[],
): string | undefined {
  if (persistenceDirectory === null) return undefined
  for (const { name } of managers) {
    try {
      const { reason } = JSON.parse(readOwnFile(path.join(persistenceDirectory, fileName(name))) ?? '{}')
      // The user of the node can write there what root is shown.
      if (typeof reason === 'string') return reason.replace(/\p{Cc}+/gu, ' ').slice(0, LONGEST_REASON)
    } catch {
      // Cut off, or not to be read.
    }
  }
  return undefined
}
