import { arch, availableParallelism } from 'node:os'
import { limitTime } from '../lib/time-limit.js'
import { accountWithoutGroup, probeAccount } from './probes/account.js'
import type { ExistingNode } from './probes/existing-node.js'
import { probeModules } from './probes/modules.js'
import { kernelName, probeOsName } from './probes/os-release.js'
import { probeSlurm } from './probes/slurm.js'
import { probeSupervisor } from './probes/supervisor.js'
import { probeSystemd } from './probes/systemd.js'
import type { Facts } from './types.js'

/** What one probe may take: a name service, a controller or a file system may be dead. */
const PROBE_TIMEOUT_MS = 5000

/**
 * What the machine is and has, asked all at once within 5 s. Nothing is changed, and a probe that fails or hangs finds nothing.
 * @throws the signal's reason when aborted
 */
export async function gatherFacts(signal: AbortSignal): Promise<Facts> {
  const time = limitTime(signal, PROBE_TIMEOUT_MS)
  const limit = time.signal
  const [name, account, slurm, supervisor, systemd, modules] = await Promise.all([
    within(limit, probeOsName(limit), kernelName()),
    within(limit, probeAccount(limit), accountWithoutGroup()),
    within(limit, probeSlurm(limit), { found: false, why: 'sinfo did not answer' } as const),
    within(limit, probeSupervisor(limit), undefined),
    within(limit, probeSystemd(limit), undefined),
    within(limit, probeModules(), undefined),
  ])
  time.release()
  signal.throwIfAborted()
  return {
    os: { name, arch: arch() },
    account,
    slurm,
    supervisor,
    systemd,
    modules: modules !== undefined,
    node: { path: process.execPath, version: process.versions.node },
    cpus: availableParallelism(),
  }
}

/** What a probe found, or `otherwise` when it failed or has not ended when `limit` is up. */
function within<T, O>(limit: AbortSignal, probe: Promise<T>, otherwise: O): Promise<T | O> {
  return new Promise((resolve) => {
    const giveUp = (): void => resolve(otherwise)
    if (limit.aborted) giveUp()
    limit.addEventListener('abort', giveUp, { once: true })
    probe.then(resolve, giveUp).finally(() => limit.removeEventListener('abort', giveUp))
  })
}

/** What else the line can tell once it is known which node is meant. */
export interface MoreFacts {
  readonly port?: { readonly number: number; readonly free: boolean }
  readonly existing?: ExistingNode
}

/** "Debian 12 · root · Slurm 22.05.8 (partition debug, 1 node) · supervisor 4.2.5 running · no systemd · port 8913 free · …" */
export function describeFacts(facts: Facts, more: MoreFacts = {}): string {
  const pieces = [
    facts.os.name,
    facts.account.user,
    describeSlurm(facts.slurm),
    describeSupervisor(facts.supervisor),
    describeSystemd(facts.systemd),
  ]
  if (facts.modules) pieces.push('environment modules')
  if (more.port) pieces.push(`port ${more.port.number} ${more.port.free ? 'free' : 'in use'}`)
  if (more.existing) pieces.push(EXISTING[more.existing])
  return pieces.join(' · ')
}

const EXISTING: Readonly<Record<ExistingNode, string>> = {
  none: 'no Pulsar here yet',
  magnetar: 'set up here before',
  'python-pulsar': 'a Python Pulsar is here',
  'other files': 'other files are here',
}

const MAX_SHOWN = 3

function describeSlurm(slurm: Facts['slurm']): string {
  if (!slurm.found) return slurm.why.startsWith('there is no') ? 'no Slurm' : `no usable Slurm (${slurm.why})`
  const partitions = [...slurm.partitions]
    .sort((one, other) => Number(other.isDefault) - Number(one.isDefault))
    .slice(0, MAX_SHOWN)
    .map(({ name, nodes }) => `partition ${name}, ${nodes} node${nodes === 1 ? '' : 's'}`)
  const rest = slurm.partitions.length - MAX_SHOWN
  if (rest > 0) partitions.push(`${rest} more`)
  return `Slurm ${slurm.version} (${partitions.join('; ')})`
}

function describeSupervisor(supervisor: Facts['supervisor']): string {
  if (supervisor === undefined) return 'no supervisor'
  return `supervisor ${supervisor.version} ${supervisor.running ? 'running' : 'not running'}`
}

function describeSystemd(systemd: Facts['systemd']): string {
  return systemd?.running ? `systemd ${systemd.version}` : 'no systemd'
}
