import { resolve } from 'node:path'
import type { AppOptions } from '../peers/pulsar-config.js'
import type { ServerProgram } from './chaos-node.js'

/** Magnetar as it is built. */
export const magnetarProgram: ServerProgram = {
  name: 'magnetar',
  command: (directory, port) => [
    process.execPath,
    resolve('bin', 'magnetar.js'),
    'serve',
    '--config',
    directory,
    '--host',
    '127.0.0.1',
    '--port',
    String(port),
  ],
}

const RETRIES = { max_retries: 20, interval_start: 0.05, interval_step: 0, interval_max: 0.05 }
const retries = (prefix: string) =>
  Object.fromEntries(Object.entries(RETRIES).map(([name, value]) => [`${prefix}_${name}`, value]))

/** A local manager whose transfers are tried again at once. */
export const QUICK_RETRIES: AppOptions = {
  managers: {
    _default_: {
      type: 'queued_python',
      num_concurrent_jobs: 4,
      ...retries('preprocess_action'),
      ...retries('postprocess_action'),
    },
  },
}
