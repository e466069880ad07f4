import { type FileState, readFileState } from '../files/file-state.js'
import { isFingerprintOf } from '../files/fingerprint.js'
import type { Change, Conflict, FileChange, Manifest, Owner } from '../types.js'

/** The file by which a service manager starts the node: outside of the prefix, root's where root sets up, readable for all. */
export interface ServiceFile {
  readonly step: string
  readonly path: string
  /** For titles: "the program of Supervisor". */
  readonly what: string
  readonly isRoot: boolean
}

const MODE = 0o644
const ROOT: Owner = { user: 'root', group: 'root' }

/** Pure. `backup`: what is there was not written by setup. */
export function planServiceFile(
  file: ServiceFile,
  state: FileState,
  text: string,
  backup: boolean,
): { readonly changes: readonly Change[]; readonly conflicts: readonly Conflict[] } {
  const { path } = file
  const link = state.kind === 'file' && state.link ? 'is a symbolic link' : undefined
  const why = state.kind === 'unusable' ? state.why : link
  if (why !== undefined) {
    const message = `${path} ${why}. Setup writes a file of that name: move it away`
    return { changes: [], conflicts: [{ path, key: undefined, message }] }
  }
  const before = state.kind === 'file' ? state.text : undefined
  return { changes: before === text ? [] : [write(file, path, before, text, backup)], conflicts: [] }
}

export interface WrittenService {
  readonly manifest: Manifest | undefined
  /** Whether a file of this text starts this node: for one that a killed setup wrote and did not come to remember. */
  starts(text: string): boolean
  readonly signal: AbortSignal
}

/**
 * Removes the file of this node; one that was edited by hand is kept beside it as NAME.bak. undefined: setup never had one, and what is
 * there starts something else.
 */
export async function planServiceFileRemoval(
  file: ServiceFile,
  { manifest, starts, signal }: WrittenService,
): Promise<readonly Change[] | undefined> {
  const { step, path, what } = file
  const written = manifest?.files[path]
  const state = await readFileState(path, signal)
  if (state.kind !== 'file') return written && []
  if (!written && !starts(state.text)) return undefined
  const remove: Change = { kind: 'remove', step, title: `remove ${path}, ${what}`, counts: 'file', path }
  // Without any manifest there was one setup only, and nobody edited what it wrote before it was killed.
  const isOurs = written?.whole === undefined ? !manifest : isFingerprintOf(written.whole, state.text, false)
  if (state.link || isOurs) return [remove]
  const copy = `${path}.bak`
  const old = await readFileState(copy, signal)
  const before = old.kind === 'file' ? old.text : undefined
  const title = `keep ${path}, which was edited by hand, as ${copy}`
  return before === state.text
    ? [remove]
    : [{ ...write(file, copy, before, state.text, false), title }, remove]
}

function write(
  { step, what, isRoot }: ServiceFile,
  path: string,
  before: string | undefined,
  after: string,
  backup: boolean,
): FileChange {
  return {
    kind: 'file',
    step,
    title: `${before === undefined ? 'create' : 'change'} ${path}, ${what}`,
    counts: 'file',
    path,
    mode: MODE,
    owner: isRoot ? ROOT : undefined,
    before,
    after,
    secretKeys: [],
    backup: backup && before !== undefined,
  }
}
