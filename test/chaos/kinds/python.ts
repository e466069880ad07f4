import { join } from 'node:path'
import { findPulsarVenv, withPython } from '../../peers/pulsar-venv.js'
import type { ServerProgram } from '../chaos-node.js'
import type { Effect, Operation } from '../faults/faults.js'
import { KILLS, runFaults } from './faults.js'
import type { ChaosKind, ChaosRun } from './kind.js'
import { runNetwork } from './network.js'
import { runPower } from './power.js'
import { runSlurm } from './slurm.js'

/** The same schedules with the Python Pulsar as the server: run by name only. */
export const PYTHON_KINDS: readonly ChaosKind[] = [
  python('python-kills', (options, program) =>
    runFaults(options, (operation) => (operation === 'open' ? [] : KILLS), program, ['push']),
  ),
  python('python-full', (options, program) => runFaults(options, fullDisk, program, ['push'])),
  python('python-power', (options, program) => runPower(options, program, ['push'])),
  python('python-network', (options, program) =>
    runNetwork(options, { program, waitsForServer: false, lives: ['push', 'push', 'cancel'] }),
  ),
  python('python-slurm', (options, program) =>
    runSlurm(options, {
      program,
      manager: { type: 'queued_cli', job_plugin: 'Slurm', shell_plugin: 'LocalShell' },
      lives: ['push', 'push', 'push', 'cancel'],
    }),
  ),
]

function fullDisk(operation: Operation): readonly Effect[] {
  return ['create', 'write', 'mkdir'].includes(operation) ? ['ENOSPC'] : []
}

function python(
  name: string,
  run: (options: ChaosRun, program: ServerProgram) => ReturnType<ChaosKind['run']>,
): ChaosKind {
  return {
    name,
    about: 'the Python Pulsar',
    missing: () => findPulsarVenv().missing,
    run(options) {
      const { venv, missing } = findPulsarVenv()
      if (!venv) throw new Error(missing)
      return run(options, {
        name: 'pulsar',
        command: (directory) => [join(venv.bin, 'pulsar-serve'), join(directory, 'server.ini')],
        env: withPython(venv),
      })
    },
  }
}
