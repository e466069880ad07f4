import { serveTasks } from '../../lib/serve-tasks.js'
import { copyTasks } from './copy-tasks.js'

serveTasks(copyTasks)
