import { basename, dirname } from 'node:path'
import { MagnetarError } from '../../lib/errors.js'
import { adviseOthers } from './locate-installation.js'
import { type PulsarCommand, readPulsarCommand } from './pulsar-command.js'
import { isBelow, type PythonInstallation } from './python-installation.js'
import { findPythonServers } from './python-servers.js'
import type { ServiceDefinition } from './service-definition.js'

/** The service that runs a Python Pulsar, and how. */
export interface PulsarService {
  readonly definition: ServiceDefinition
  readonly pulsar: PulsarCommand
}

/**
 * The one service that runs the Pulsar of this installation.
 * @param wanted its name, where there are several
 * @throws MagnetarError ADOPT_NOT_FOUND when there is none, or which there are when they are several
 */
export async function findPulsarService(
  installation: PythonInstallation,
  definitions: readonly ServiceDefinition[],
  wanted: string | undefined,
): Promise<PulsarService> {
  const { directory } = installation
  const services = definitions.flatMap((definition) => {
    const found = readService(definition)
    return found && belongsTo(installation, found.pulsar) ? [found] : []
  })
  const named =
    wanted === undefined ? services : services.filter(({ definition }) => definition.name === wanted)
  const [service, ...more] = named
  if (service && more.length === 0) return service
  if (service) {
    const names = named.map(({ definition: { name, file } }) => `\n  ${name} (${file})`).join('')
    throw notFound(`several services run a Pulsar of ${directory}:${names}`, 'Say which: --service NAME')
  }
  if (wanted !== undefined)
    throw notFound(
      `no program of Supervisor and no unit of systemd called ${wanted} runs the Pulsar of ${directory}`,
      'Leave --service out to see which there are.',
    )
  throw await noService(installation, definitions)
}

/** undefined: it starts no Pulsar that can be seen. */
export function readService(definition: ServiceDefinition): PulsarService | undefined {
  const { expanded, directory, env } = definition
  const pulsar = expanded === undefined ? undefined : readPulsarCommand(expanded, { directory, env })
  return pulsar && { definition, pulsar }
}

/** Whether a command runs the Pulsar of this installation. */
export function belongsTo(
  { directory, configDirectories }: PythonInstallation,
  pulsar: PulsarCommand,
): boolean {
  const { configDirectory, program } = pulsar
  return (
    isBelow(configDirectory, directory) ||
    configDirectories.includes(configDirectory) ||
    isBelow(program, directory)
  )
}

async function noService(
  installation: PythonInstallation,
  definitions: readonly ServiceDefinition[],
): Promise<MagnetarError> {
  const { directory, configDirectories, virtualenv } = installation
  if (configDirectories.length === 0 && virtualenv === undefined)
    return notFound(
      `${directory} holds no Python Pulsar: neither app.yml or server.ini (in it, in etc, config or conf) nor a virtualenv with pulsar-app`,
      adviseOthers(definitions.flatMap((definition) => readService(definition)?.pulsar ?? [])),
    )
  // A script of the site's own, for one.
  const strange = definitions.find(({ command }) => command.includes(directory))
  if (strange) {
    const { name, file, command } = strange
    const how = `Have the service start Pulsar itself (for one: ${dirname(command.split(/\s/)[0] ?? '')}/pulsar --config DIR), or let the script end with "exec" of PREFIX/bin/pulsar of a Magnetar that setup made.`
    return notFound(
      `${name} (${file}) starts it by a command in which no Pulsar can be seen: ${command}`,
      how,
    )
  }
  const servers = await findPythonServers({ configDirectories })
  const config = configDirectories[0] ?? directory
  const running = servers.map(({ pid }) => pid).join(', ')
  const what =
    servers.length === 0
      ? `no program of Supervisor and no unit of systemd runs the Pulsar of ${directory}`
      : `the Pulsar of ${directory} runs (process ${running}), but by no program of Supervisor and no unit of systemd`
  return notFound(
    what,
    `Nothing would start it after a reboot. Write a service that runs it as now (pulsar-config --supervisor writes ${config}/supervisor.conf), have it run, and repeat the command. Or without a service: stop it${running === '' ? '' : ` (kill ${running})`}, then start magnetar serve --config ${config} in its place.`,
  )
}

function notFound(message: string, fix: string): MagnetarError {
  return new MagnetarError('ADOPT_NOT_FOUND', message, { fix })
}

/** "pulsar of Supervisor", "the unit pulsar.service" */
export function describeService({ kind, name }: ServiceDefinition): string {
  return kind === 'supervisor' ? `${name} of Supervisor` : `${basename(name)}.service of systemd`
}
