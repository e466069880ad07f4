import { basename, dirname } from 'node:path'
import { splitCommand } from './command-words.js'
import { belongsTo, type PulsarService, readService } from './find-service.js'
import { adoptedPrefix, type PythonInstallation } from './python-installation.js'
import { isLive, readRecords } from './record.js'
import type { ServiceDefinition } from './service-definition.js'

/**
 * Where Magnetar is, or goes: the prefix whose program a service of this installation was given, which a record there has to say; else the
 * usual place. So --prefix has to be said once.
 * @param wanted the service's name, where there are several
 * @throws MagnetarError as readRecords
 */
export async function findPrefix(
  installation: PythonInstallation,
  definitions: readonly ServiceDefinition[],
  wanted: string | undefined,
): Promise<string> {
  const prefixes = new Set<string>()
  for (const definition of definitions) {
    const { kind, name } = definition
    const service = readService(definition)
    if (!service || !belongsTo(installation, service.pulsar) || (wanted ?? name) !== name) continue
    const prefix = prefixOf(service)
    const records = prefix === undefined ? [] : await readRecords(prefix)
    const isOfService = records.some(
      (each) => isLive(each) && each.service.kind === kind && each.service.name === name,
    )
    if (prefix !== undefined && isOfService) prefixes.add(prefix)
  }
  const [prefix, ...more] = prefixes
  return prefix !== undefined && more.length === 0 ? prefix : adoptedPrefix(installation)
}

/** Of the program that the service has now, were it ours. */
function prefixOf({ definition, pulsar }: PulsarService): string | undefined {
  const program =
    definition.kind === 'supervisor' ? pulsar.program : splitCommand(definition.given ?? '')?.[0]?.text
  const bin = dirname(program ?? '')
  return basename(bin) === 'bin' ? dirname(bin) : undefined
}
