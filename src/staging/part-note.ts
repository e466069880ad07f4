import { messageOf } from '../lib/errors.js'
import type { TransferTools } from './action.js'

/** Who collects the bytes of a part: what one of them left is of no use to another. */
type PartOwner = 'copy' | 'rsync' | 'scp'

/** The name of the part that an earlier attempt noted for this transfer, perhaps one of an earlier process. */
export function readPartNote(tools: TransferTools, owner: PartOwner): string | undefined {
  const [noted, name] = (tools.memory.get() ?? '').split(' ')
  return noted === owner && name !== undefined && /^[0-9a-f]{16,64}$/.test(name) ? name : undefined
}

/** Notes a part for later attempts. That this fails costs them no more than a new beginning. */
export async function writePartNote(tools: TransferTools, owner: PartOwner, name: string): Promise<void> {
  const text = `${owner} ${name}`
  if (tools.memory.get() === text) return
  try {
    await tools.memory.set(text)
  } catch (error) {
    tools.log.warn({ reason: messageOf(error) }, 'what is there of a file could not be noted')
  }
}
