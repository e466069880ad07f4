import { serveTasks } from '../../lib/serve-tasks.js'
import { diskTasks } from './tasks.js'

serveTasks(diskTasks)
