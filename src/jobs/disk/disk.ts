import { createTaskPool } from '../../lib/task-pool.js'
import { diskTasks } from './tasks.js'

/** The disk, as seen from the server's own thread: every task of diskTasks, run elsewhere. */
const workerFile = import.meta.url.endsWith('.ts') ? './worker.ts' : './worker.js'

export const disk = createTaskPool(new URL(workerFile, import.meta.url), diskTasks)
