import { lookUpGroup, lookUpUser } from '../../lib/accounts.js'
import { MagnetarError } from '../../lib/errors.js'
import type { Owner } from '../types.js'

export interface Ids {
  readonly uid: number
  readonly gid: number
}

/** Turns names into numbers, and remembers them until `forget`: a command of the plan may make or change accounts. */
export interface OwnerLookUp {
  /** @throws MagnetarError SETUP_FAILED when there is no such user or group */
  find(owner: Owner, signal: AbortSignal): Promise<Ids>
  forget(): void
}

/** An OwnerLookUp that knows nothing yet. */
export function createOwnerLookUp(): OwnerLookUp {
  const known = new Map<string, Ids>()
  return {
    async find(owner, signal): Promise<Ids> {
      const key = `${owner.user}:${owner.group}`
      const found = known.get(key) ?? (await resolveOwner(owner, signal))
      known.set(key, found)
      return found
    },
    forget: () => known.clear(),
  }
}

/**
 * User and group as numbers.
 * @throws MagnetarError SETUP_FAILED when there is no such user or group, or the machine cannot say
 */
export async function resolveOwner({ user, group }: Owner, signal: AbortSignal): Promise<Ids> {
  const foundUser = await lookUpUser(user, signal)
  if (!foundUser) throw new MagnetarError('SETUP_FAILED', `there is no user ${JSON.stringify(user)}`)
  const foundGroup = await lookUpGroup(group, signal)
  if (!foundGroup) throw new MagnetarError('SETUP_FAILED', `there is no group ${JSON.stringify(group)}`)
  return { uid: foundUser.uid, gid: foundGroup.gid }
}
