import type { ActionSpec } from '../action.js'
import { TransferError } from '../transfer-error.js'

/**
 * The address of an action that has one.
 * @throws TransferError when it is missing or no http address
 */
export function requireUrl(action: ActionSpec): string {
  const { url } = action
  const protocol = url !== undefined && URL.canParse(url) ? new URL(url).protocol : undefined
  if (url !== undefined && (protocol === 'http:' || protocol === 'https:')) return url
  // The address itself is not repeated: it has the key of the job in it.
  const what = url === undefined ? 'without an address' : 'with an address that is not http or https'
  throw new TransferError(`Galaxy sent a ${action.action_type} action ${what}`, { transient: false })
}
