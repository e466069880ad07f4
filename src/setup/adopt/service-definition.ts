import { MagnetarError } from '../../lib/errors.js'
import { readFileState } from '../files/file-state.js'

/** A program of Supervisor or a unit of systemd that starts something, as its files say. */
export interface ServiceDefinition {
  readonly kind: 'supervisor' | 'systemd'
  /** Of the program, or of the unit without .service. */
  readonly name: string
  /** The file that says the command; of a unit the drop-in, if one does. */
  readonly file: string
  /** As it stands there. */
  readonly command: string
  /** As it is meant, with what Supervisor and systemd put in; undefined: it holds what is not known before the start. */
  readonly expanded: string | undefined
  /** What our drop-in has a unit run instead. */
  readonly given?: string | undefined
  /** undefined: whoever runs the service manager. */
  readonly user: string | undefined
  readonly group: string | undefined
  /** Absolute. */
  readonly directory: string
  readonly env: Readonly<Record<string, string>>
  /** What must be told before it is taken over. */
  readonly obstacles: readonly string[]
  readonly notes: readonly string[]
}

/** Where a service keeps what is changed: of Supervisor the program's own file, of systemd a drop-in beside the unit. */
export interface ServiceEdit {
  readonly path: string
  /** undefined: there is no such file before. */
  readonly before: string | undefined
  readonly after: string
}

/** The text of a file of a service manager; undefined: there is none that this user can read. */
export async function readDefinition(path: string, signal: AbortSignal): Promise<string | undefined> {
  const state = await readFileState(path, signal).catch((error: unknown) => {
    if (error instanceof MagnetarError) return undefined
    throw error
  })
  return state?.kind === 'file' ? state.text : undefined
}
