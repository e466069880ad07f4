import { serveTasks } from '../../lib/serve-tasks.js'
import { planDelivery } from './delivery.js'

serveTasks({ planDelivery })
