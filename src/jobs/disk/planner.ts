import { createTaskPool } from '../../lib/task-pool.js'
import { planDelivery } from './delivery.js'

const workerFile = import.meta.url.endsWith('.ts') ? './planner-worker.ts' : './planner-worker.js'

/**
 * Plans deliveries in threads of their own: what a job left, and the patterns it brought, can take seconds and hundreds of megabytes, which
 * no other job's work on the disk is to wait for. At most two at once.
 */
export const planner = createTaskPool(
  new URL(workerFile, import.meta.url),
  { planDelivery },
  { threads: 2, isolated: true, heapMb: 512 },
)
