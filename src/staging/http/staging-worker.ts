import { serveTasks } from '../../lib/serve-tasks.js'
import { diskTasks } from './disk-tasks.js'

serveTasks(diskTasks)
