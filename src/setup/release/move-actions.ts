import { MagnetarError } from '../../lib/errors.js'
import { type ApplyEvent, applyPlan } from '../apply/apply.js'
import { serviceControl } from '../services/service-control.js'
import type { Answers, Facts, Manifest, NodePaths, ServiceChoice } from '../types.js'
import { readNodeAccess } from '../verify/node-access.js'
import { clearUnproved } from '../verify/unproved.js'
import { type VerifyResult, verifyNode } from '../verify/verify.js'
import { askHealth, waitHealthy } from '../verify/wait-healthy.js'
import type { MoveActions } from './move-release.js'

/** What the last setup answered, as far as another release needs it. */
export type NodeAnswers = Pick<Answers, 'instance' | 'user' | 'group' | 'separatePrivileges' | 'service'> & {
  /** The admin chose the runtime: a program or a tarball, not the registry's. */
  readonly ownRuntime: boolean
}

/** Of a manifest; what it does not have is as for a node of whoever runs this, without a service. */
export function readNodeAnswers({ answers }: Manifest, { account }: Pick<Facts, 'account'>): NodeAnswers {
  const text = (value: unknown): string | undefined => (typeof value === 'string' ? value : undefined)
  const service: ServiceChoice =
    answers.service === 'supervisor' || answers.service === 'systemd' ? answers.service : 'none'
  const user = text(answers.user) ?? account.user
  return {
    instance: text(answers.instance),
    user,
    group: text(answers.group) ?? (user === account.user ? account.group : user),
    separatePrivileges: answers.separatePrivileges === true,
    service,
    ownRuntime:
      text(answers.runtimeTarball) !== undefined || (text(answers.node) ?? 'download') !== 'download',
  }
}

export interface MoveActionsOptions {
  readonly paths: NodePaths
  readonly answers: NodeAnswers
  readonly facts: Facts
  readonly verify: boolean
  readonly signal: AbortSignal
  readonly onChange: (event: ApplyEvent) => void
  readonly onStatus: (status: string) => void
}

/** How a move is done on this machine, and what will not be done, as sentences. */
export async function createMoveActions(
  options: MoveActionsOptions,
): Promise<{ readonly actions: MoveActions; readonly notes: readonly string[] }> {
  const { paths, answers, facts, onChange } = options
  const control = serviceControl(answers.service, paths, facts)
  const status = answers.service === 'none' ? 'stopped' : await control.status(options.signal)
  const runsByHand = answers.service === 'none' && (await isAnswering(paths, options.signal))
  const isStopped = answers.service !== 'none' && status === 'stopped'
  const notes = [
    ...(runsByHand
      ? ['the node runs without a service: stop it and start it again for the other release to run']
      : []),
    ...(isStopped ? [`${paths.serviceName} is stopped, and stays so: no job is sent through it`] : []),
  ]
  const actions: MoveActions = {
    async apply(plan, signal) {
      const applied = await applyPlan(plan, {
        prefix: paths.prefix,
        manifestFile: paths.manifest,
        keep: false,
        signal,
        onEvent: onChange,
      })
      if (applied.interrupted) throw signal.reason
    },
    restart:
      answers.service === 'none' || isStopped
        ? undefined
        : async (signal) => {
            await control.restart(signal)
            await waitHealthy({ paths, control, signal })
          },
    verify: !options.verify || runsByHand || isStopped ? undefined : (signal) => verify(options, signal),
  }
  return { actions, notes }
}

async function verify(options: MoveActionsOptions, signal: AbortSignal): Promise<VerifyResult> {
  const { paths, answers, facts, onStatus } = options
  const result = await verifyNode({
    paths,
    answers: { service: answers.service, user: answers.user, start: true },
    facts,
    signal,
    onStatus,
  })
  if (result.ran) await clearUnproved(paths)
  return result
}

async function isAnswering(paths: NodePaths, signal: AbortSignal): Promise<boolean> {
  try {
    return (await askHealth(await readNodeAccess(paths, signal), signal)) === undefined
  } catch (error) {
    // A configuration that cannot be read must not keep anybody from going back to another release.
    if (error instanceof MagnetarError) return false
    throw error
  }
}
