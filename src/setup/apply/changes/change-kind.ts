import type { FileSystem } from '../../../lib/atomic-file.js'
import type { Change, Owner } from '../../types.js'
import type { Ids } from '../owner.js'

/** What a change works with. Tests give other ones, to end the process at any call. */
export interface ChangeTools {
  readonly fs: FileSystem
  /** Below it no link is followed that somebody else could have put there. */
  readonly prefix: string
  /** Of this process; 0 is root. */
  readonly uid: number
  readonly signal: AbortSignal
  /** What has been kept aside in this run, by its path: that name is taken. */
  readonly asides: Set<string>
  /** undefined for undefined: the owner does not matter. */
  findIds(owner: Owner | undefined): Promise<Ids | undefined>
  /** Accounts may have changed. */
  forgetIds(): void
  /** A sentence fragment about the change under way. */
  progress(text: string): void
  /** Puts a whole tree on the disk, so that a power cut does not leave files without content below its final name. */
  flushTree(path: string): Promise<void>
  /** Removes whatever is there, or as much as the time allows: false when something is left. Nothing there is no error. */
  removeTree(path: string, budgetMs?: number): Promise<boolean>
}

/** How a change that was made is taken back. Exactly one of the two is called, once. */
export interface Undo {
  /** Puts back what was: bytes, mode, owner, the target of a link, absence. */
  restore(): Promise<void>
  /** The plan is done: what was kept aside for restore goes. False when the time was not enough for all of it. */
  discard?(budgetMs: number): Promise<boolean>
}

/** Makes the change; undefined when nothing has to be taken back, as when it was so already. */
export type ApplyChange<C extends Change> = (change: C, tools: ChangeTools) => Promise<Undo | undefined>
