import { defineStep } from '../define-step.js'
import type { Change } from '../types.js'
import { removeProgram } from './supervisor-program.js'
import { removeUnit } from './systemd-unit.js'

/**
 * A service that an earlier setup made and that is not wanted any more. Goes before the one that is: two of them would want the same
 * port. What an admin installed by hand is left.
 */
export const formerServiceStep = defineStep<readonly Change[]>({
  id: 'former-service',
  title: 'former service',
  async inspect(context) {
    const { service } = context.answers
    const removals = await Promise.all([
      service === 'supervisor' ? [] : removeProgram(context, () => false),
      service === 'systemd' ? [] : removeUnit(context, () => false),
    ])
    return removals.flat()
  },
  plan: (_context, changes) => ({ changes }),
})
