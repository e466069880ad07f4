import { cp } from 'node:fs/promises'
import { waitFor } from '../helpers/wait-for.js'
import { loadSupervisorctl } from './loaded-supervisorctl.js'
import { type PrivateRoot, startPrivateRoot } from './private-root.js'
import { type PrivateSlurm, startPrivateSlurm } from './private-slurm.js'

/** A machine as an admin finds it: Slurm and Supervisor run, nothing of a Pulsar is there. Root, and a network of its own. */
export interface BareHost {
  readonly root: PrivateRoot
  readonly slurm: PrivateSlurm | undefined
  /** Where a file of it is seen from outside. */
  readonly file: (path: string) => string
  stop(): Promise<void>
}

const SUPERVISOR_CONF = '/etc/supervisor/supervisord.conf'

export async function startBareHost(options: { slurm: boolean; supervisor: boolean }): Promise<BareHost> {
  const root = await startPrivateRoot({ ownNetwork: true })
  try {
    const slurm = options.slurm ? await startPrivateSlurm('/opt/slurm', root) : undefined
    if (slurm) {
      // Where Slurm's commands look by themselves, whoever runs them.
      await root.run(['mkdir', '-p', '/etc/slurm'])
      await cp(`${root.path}${slurm.env.SLURM_CONF}`, `${root.path}/etc/slurm/slurm.conf`)
    } else {
      await root.run(['sh', '-c', 'rm -f "$(command -v sinfo)" "$(command -v sbatch)"'])
    }
    if (options.supervisor) {
      await root.run(['mkdir', '-p', '/var/log/supervisor', '/etc/supervisor/conf.d', '/usr/local/bin'])
      await loadSupervisorctl({
        file: '/usr/local/bin/supervisorctl',
        socket: '/run/supervisorctl-forks',
        outside: (path) => `${root.path}${path}`,
        enter: root.enter,
      })
      const started = await root.run(['supervisord', '-c', SUPERVISOR_CONF])
      if (started.code !== 0) throw new Error(`supervisord: ${started.stdout}${started.stderr}`)
      await waitFor(
        async () => (await root.run(['supervisorctl', '-c', SUPERVISOR_CONF, 'pid'])).code === 0,
        { what: 'supervisord' },
      )
    }
    return { root, slurm, file: (path) => `${root.path}${path}`, stop: () => root.stop() }
  } catch (error) {
    await root.stop()
    throw error
  }
}
