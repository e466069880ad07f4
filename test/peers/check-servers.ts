import type { ServerProcess } from '../helpers/server-process.js'
import { startMagnetar } from './magnetar-server.js'
import type { NodeOptions } from './pulsar-config.js'
import { type PulsarVenv, withPython } from './pulsar-venv.js'
import { startPythonPulsar } from './python-pulsar.js'

export interface CheckedServer {
  readonly name: string
  start(venv: PulsarVenv, options: NodeOptions): Promise<ServerProcess>
}

/** The two servers that the real client's check is run on: what passes on the first must pass on ours. */
export const checkedServers: readonly CheckedServer[] = [
  { name: 'Python Pulsar', start: startPythonPulsar },
  {
    name: 'Magnetar',
    start: (venv, options) => startMagnetar({ ...options, env: withPython(venv, options.env) }),
  },
]

export const checkedSchedulers = [
  { name: 'the local scheduler', manager: { type: 'queued_python', num_concurrent_jobs: 2 }, slurm: false },
  {
    name: 'Slurm',
    manager: { type: 'queued_cli', job_plugin: 'Slurm', shell_plugin: 'LocalShell' },
    slurm: true,
  },
]
