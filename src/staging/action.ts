import type { Logger } from '../lib/log.js'
import type { HttpClient } from './http-client.js'

/**
 * Words. An *action* says how one file travels (pulsar/client/action_mapper.py); its *action type* is the wire's name. *Stage-in*
 * brings what the job needs, *stage-out* delivers what it made. A *transfer* is one file on its way, with all its attempts.
 */

/** An action as the wire gives it: `action_type` and the keys of that type. */
export interface ActionSpec {
  readonly action_type: string
  readonly path?: string
  readonly url?: string
  readonly contents?: string
  readonly ssh_key?: string
  readonly ssh_user?: string
  readonly ssh_host?: string
  readonly ssh_port?: string | number
}

/** A file below a job directory, named so that no link in between can lead elsewhere (lib/confined-file). */
export interface LocalFile {
  /** Absolute directory of the file's type. */
  readonly base: string
  readonly components: readonly string[]
}

/** What every action may use. */
export interface TransferTools {
  readonly http: HttpClient
  readonly log: Logger
  /** Ends the attempt at once: the job was cancelled, or the node stops. */
  readonly signal: AbortSignal
  /** Bytes that moved since the last call. */
  progress(bytes: number): void
  /** All of a small file has come, and only the disk has to take it: another transfer may begin meanwhile. */
  arrived?(): void
  /**
   * So many bytes of the file are now where the next attempt goes on: on disk here, or at the other end. As long as attempts get
   * further they are not counted; so nothing may be told that the next attempt moves again.
   */
  kept?(bytes: number): void
  /** What an earlier attempt, perhaps of an earlier process, noted about this transfer (the address of an upload that was begun). */
  readonly memory: {
    get(): string | undefined
    set(text: string): Promise<void>
  }
}

export interface Transferred {
  readonly bytes: number
  /** Bytes that an earlier attempt had moved and that were not moved again. */
  readonly resumedFrom: number
}

/** One way for a file to travel. Failures are TransferErrors. */
export interface StagingAction {
  /** The wire's name: "remote_transfer". */
  readonly type: string
  /** Who moves the file: this node, the client over Pulsar's own API, or nobody (a shared path). */
  readonly movedBy: 'node' | 'client' | 'nobody'
  /** Makes `to`, complete or not at all. */
  stageIn?(action: ActionSpec, to: LocalFile, tools: TransferTools): Promise<Transferred>
  /** Delivers `from`; delivering again what was delivered does no harm. */
  stageOut?(action: ActionSpec, from: LocalFile, tools: TransferTools): Promise<Transferred>
}
