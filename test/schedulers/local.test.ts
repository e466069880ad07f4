import { silentLogger } from '../../src/lib/log.js'
import { createLocalScheduler } from '../../src/schedulers/local.js'
import { describeScheduler } from '../conformance/scheduler.js'

const options = { killGraceMs: 200, watchIntervalMs: 20 }

describeScheduler('the local scheduler', {
  open: async () => createLocalScheduler({ ...options, limit: 2 }, silentLogger),
  openBlocked: async () => createLocalScheduler({ ...options, limit: 0 }, silentLogger),
  unknownId: 'no-such-job',
  tells: true,
  endsOtherSessions: true,
})
