import type { NodeConfig } from '../../config/types.js'
import { connectControl } from '../../control/client.js'
import { controlPlace } from '../../control/socket-path.js'
import type { ManagerStatus } from '../../control/types.js'
import { messageOf } from '../../lib/errors.js'
import { abortAfter } from '../../lib/time-limit.js'

const LIMIT_MS = 40_000

/** What the node that has just been started says of schedulers that it cannot use: its address answers all the same. Never throws. */
export async function findSilentManagers(config: NodeConfig): Promise<string[]> {
  try {
    const control = await connectControl(controlPlace(config), abortAfter(LIMIT_MS))
    return control === undefined ? [] : describeSilent((await control.status()).managers)
  } catch (error) {
    return [`whether its managers can run jobs was not seen: ${messageOf(error)}`]
  }
}

/** Pure. */
export function describeSilent(
  managers: readonly Pick<ManagerStatus, 'name' | 'type' | 'scheduler'>[],
): string[] {
  return managers.flatMap(({ name, type, scheduler }) => {
    if (scheduler?.ok === true) return []
    const { summary, detail } = scheduler ?? { summary: 'nobody could be asked', detail: undefined }
    const why = detail === undefined ? summary : `${summary}: ${detail}`
    return [`manager ${name} (${type}) cannot run jobs now: ${why}`]
  })
}
