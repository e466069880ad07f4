import type { NodeConfig } from '../../config/types.js'
import { connectControl } from '../../control/client.js'
import { controlPlace } from '../../control/socket-path.js'
import type { RecordsLook } from '../../doctor/types.js'
import { MagnetarError } from '../../lib/errors.js'
import { limitTime } from '../../lib/time-limit.js'
import { openRecords } from '../../node/records.js'

const TIMEOUT_MS = 3000

/**
 * Whether the next start will be able to open the records. Those of a server that runs, or that may only hang, are left alone: a copy
 * of what is being written may be torn. @throws the signal's reason; what is no MagnetarError
 */
export async function lookAtRecords(config: NodeConfig, signal: AbortSignal): Promise<RecordsLook> {
  if (config.persistenceDirectory === null) return { state: 'none' }
  const place = controlPlace(config)
  const limit = limitTime(signal, TIMEOUT_MS)
  const runs = await connectControl(place, limit.signal).then(
    (client) => client !== undefined,
    () => true,
  )
  limit.release()
  signal.throwIfAborted()
  if (runs) return { state: 'in-use' }
  try {
    const records = await openRecords(config, signal)
    try {
      const { directoriesWithoutJournal: lost = 0 } = await records.audit({})
      return { state: 'readable', lost }
    } finally {
      await records.close()
    }
  } catch (error) {
    signal.throwIfAborted()
    if (!(error instanceof MagnetarError)) throw error
    return { state: 'unreadable', error }
  }
}
