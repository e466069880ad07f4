import path from 'node:path'
import { lstatIfThere } from '../../lib/lstat-if-there.js'
import { MARKER } from '../directory.js'

/**
 * A job of a Python server that is in none of its indexes, and of which its directory says that it was handed over: a Python server that
 * is started while its local jobs run drops them (pulsar/managers/queued.py:_recover_active_job), and they go on.
 */
export type StrayProbe =
  /** No end of it was recorded. */
  | 'under way'
  /** No end of it was recorded, and it was cancelled. */
  | 'cancelled'
  /** Its end was recorded as well; something of it may run all the same, when it was cancelled while its worker was starting it. */
  | 'cancelled and over'

/** Each is written when its launch has begun, or later. */
const PYTHON_FLAGS = ['preprocessed', 'submitted']
/** The same, and we write them too: of our own jobs the store knows more. */
const SHARED_FLAGS = ['pid', 'external_id', 'return_code']

/**
 * Looks at the directory of a job that nobody knows; a few names, the disk is only read. undefined: it is over, could not be launched,
 * or is being set up.
 */
export function probeStray(directory: string): StrayProbe | undefined {
  const has = (name: string): boolean => lstatIfThere(path.join(directory, name)) !== undefined
  // First: of many jobs that wait to be collected each costs little more than this.
  if (has('final_status')) return has('pid') && has('cancelled') ? 'cancelled and over' : undefined
  if (!has('launch_config') || has('preprocessing_failed')) return undefined
  const isHandedOver = PYTHON_FLAGS.some(has) || (!has(MARKER) && SHARED_FLAGS.some(has))
  if (has('cancelled') && (isHandedOver || !has(MARKER))) return 'cancelled'
  return isHandedOver ? 'under way' : undefined
}

export interface FoundStray {
  readonly jobId: string
  readonly found: StrayProbe
}

/** Those among these names in a staging directory. Of one that may not be entered nothing is known. */
export function findStrays(stagingDirectory: string, names: readonly string[]): FoundStray[] {
  return names.flatMap((jobId) => {
    try {
      const found = probeStray(path.join(stagingDirectory, jobId))
      return found === undefined ? [] : [{ jobId, found }]
    } catch {
      return []
    }
  })
}
