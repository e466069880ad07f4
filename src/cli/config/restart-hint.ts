import { abortAfter } from '../../lib/time-limit.js'
import { findInstallation } from '../../setup/installation.js'
import { probeSupervisor } from '../../setup/probes/supervisor.js'
import { serviceControl } from '../../setup/services/service-control.js'

const TIMEOUT_MS = 3000

/** What to do so that the server takes a change up: the very command, where setup made the node and its service. */
export async function restartHint(configDirectory: string): Promise<string> {
  const command = await restartCommand(configDirectory).catch(() => undefined)
  return command === undefined
    ? 'The server takes it up when it is restarted.'
    : `The server takes it up when it is restarted: ${command}`
}

/** What a person types to restart the service that setup made; undefined: there is none. */
export async function restartCommand(configDirectory: string): Promise<string | undefined> {
  const found = await findInstallation(configDirectory)
  const service = found?.manifest.answers.service
  if (found === undefined || (service !== 'supervisor' && service !== 'systemd')) return undefined
  const supervisor = service === 'supervisor' ? await probeSupervisor(abortAfter(TIMEOUT_MS)) : undefined
  return serviceControl(service, found.paths, { supervisor }).commandFor('restart') || undefined
}
