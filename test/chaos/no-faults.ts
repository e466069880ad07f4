import type { FaultLayer, Operation } from './faults/faults.js'
import { OPERATIONS } from './faults/faults.js'

/** For nodes whose faults come from outside: nothing lies below the server. `mark` finds its processes and its jobs'. */
export function noFaults(mark: string): FaultLayer {
  const counts = Object.fromEntries(OPERATIONS.map((each) => [each, 0])) as Record<Operation, number>
  return {
    env: { MAGNETAR_FAULTS: mark },
    logDirectory: '',
    reset() {},
    arm() {},
    count() {},
    disarm: () => ({ met: 0, what: '', counts }),
    met: () => false,
    reboot() {},
    close() {},
  }
}
