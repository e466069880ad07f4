import { syncDirectory } from '../../../lib/atomic-file.js'
import type { ChangeTools, Undo } from './change-kind.js'
import type { Place } from './place.js'

/** Makes a change at the place outlast a power cut; when that fails, it is taken back. */
export async function makeDurable(place: Place, undo: Undo, tools: ChangeTools): Promise<Undo> {
  try {
    syncDirectory(place.directory, tools.fs)
    return undo
  } catch (error) {
    await undo.restore().catch(() => {})
    throw error
  }
}
