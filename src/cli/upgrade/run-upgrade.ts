import { access, constants } from 'node:fs/promises'
import { resolve } from 'node:path'
import { MagnetarError } from '../../lib/errors.js'
import { ownershipOf } from '../../setup/accounts/ownership.js'
import { refuseAdopted } from '../../setup/adopt/record.js'
import { gatherFacts } from '../../setup/facts.js'
import { locateNode } from '../../setup/locate-node.js'
import { lockNode } from '../../setup/lock.js'
import { readPackageManifest } from '../../setup/release/closure.js'
import { createMoveActions, type NodeAnswers, readNodeAnswers } from '../../setup/release/move-actions.js'
import { type MoveActions, moveRelease } from '../../setup/release/move-release.js'
import {
  planRollback,
  planUpgrade,
  type ReleaseMove,
  resumeMove,
  type UpgradeContext,
} from '../../setup/release/upgrade.js'
import type { Facts, Manifest, NodePaths } from '../../setup/types.js'
import { isUnproved, markUnproved } from '../../setup/verify/unproved.js'
import { confirm } from '../confirm.js'
import { exitCodeOf } from '../exit-code-of.js'
import { EXIT } from '../exit-codes.js'
import { packageRoot } from '../package.js'
import { watchInterrupts } from '../setup/interrupts.js'
import { createOutput, type Output } from '../setup/output.js'
import type { UpgradeCommandLine } from '../upgrade.js'
import { handOver } from './hand-over.js'
import { createStages, showFailure, showMove, showNothingToDo, showResult } from './report.js'

/** `magnetar upgrade` and `magnetar rollback`: resolves with the exit code. */
export async function runUpgradeCommand(line: UpgradeCommandLine): Promise<number> {
  const output = createOutput({ json: line.json, quiet: false, verbose: false })
  if (line.command === 'upgrade' && line.to !== undefined) {
    try {
      return await handOver(line.to, argumentsFor(line))
    } catch (error) {
      showFailure(error, output)
      return exitCodeOf(error)
    }
  }
  const interrupts = watchInterrupts((text) => output.warn(text))
  const { signal } = interrupts
  try {
    return await run(line, output, signal)
  } catch (error) {
    if (error === signal.reason) {
      output.warn('Interrupted; nothing was changed.')
      output.event('result', { result: 'interrupted' })
      return EXIT.interrupted
    }
    showFailure(error, output)
    return exitCodeOf(error)
  } finally {
    interrupts.dispose()
  }
}

/** What another package's own `upgrade` is to be called with. */
function argumentsFor({ prefix, instance, yes, verify, json }: UpgradeCommandLine): string[] {
  return [
    ...(prefix === undefined ? [] : ['--prefix', resolve(prefix)]),
    ...(instance === undefined ? [] : ['--instance', instance]),
    ...(yes ? ['--yes'] : []),
    ...(verify ? [] : ['--no-verify']),
    ...(json ? ['--json'] : []),
  ]
}

async function run(line: UpgradeCommandLine, output: Output, signal: AbortSignal): Promise<number> {
  const facts = await gatherFacts(signal)
  const locate = () => locateNode(line, process.env, facts.account)
  const { prefix } = (await locate()).paths
  const unlock = await lockNode(prefix, signal)
  try {
    const { paths, manifest } = await locate()
    await refuseAdopted(
      prefix,
      (adopted) => `From the checkout or package of the other release: bin/magnetar.js adopt ${adopted}`,
    )
    if (!manifest) throw notFound(prefix)
    await demandWritable(paths)
    return await upgrade(line, { paths, manifest, facts, signal }, output)
  } finally {
    await unlock()
  }
}

interface Node {
  readonly paths: NodePaths
  readonly manifest: Manifest
  readonly facts: Facts
  readonly signal: AbortSignal
}

async function upgrade(line: UpgradeCommandLine, node: Node, output: Output): Promise<number> {
  const { paths, manifest, facts, signal } = node
  const answers = readNodeAnswers(manifest, facts)
  const context = await contextOf(node, answers)
  let move = line.command === 'upgrade' ? await planUpgrade(context) : await planRollback(context, line.to)
  if (move.plan.changes.length === 0) {
    if (!line.verify || !(await isUnproved(paths))) {
      showNothingToDo(move.to, HINTS[line.command], output)
      return EXIT.ok
    }
    move = await resumeMove(context, move)
  }
  const stages = createStages(output)
  const { actions, notes } = await createMoveActions({
    ...{ paths, answers, facts, signal },
    verify: line.verify,
    onChange: stages.change,
    onStatus: stages.status,
  })
  showMove(move, notes, whatFollows(paths, move, actions), output)
  if (!line.yes) {
    const answer = await confirm('Go on? [y/N] ', signal, output)
    if (answer !== 'yes') return answer === 'no' ? EXIT.failed : EXIT.usage
  }
  // A run that is killed is gone on with by the next one.
  if (actions.verify) await markUnproved(paths)
  try {
    const result = await moveRelease(move, actions, signal, stages.begin)
    stages.end(true)
    showResult(move, result, paths.prefix, output)
    if (result.kind === 'moved') return EXIT.ok
    return result.interrupted ? EXIT.interrupted : EXIT.verification
  } catch (error) {
    stages.end(false)
    throw error
  }
}

const HINTS: Readonly<Record<UpgradeCommandLine['command'], string>> = {
  upgrade: 'For a newer one, run upgrade from its checkout, or name it: --to DIRECTORY_OR_TARBALL',
  rollback: 'Another one is named with --to.',
}

function notFound(prefix: string): MagnetarError {
  return new MagnetarError('NODE_NOT_FOUND', `setup has made no node in ${prefix}`, {
    fix: `Name the right one with --prefix or --instance, or make one: magnetar setup --prefix ${prefix}`,
  })
}

async function demandWritable({ lib }: NodePaths): Promise<void> {
  await access(lib, constants.W_OK).catch((error: unknown) => {
    throw new MagnetarError('NOT_PERMITTED', `this user may not write to ${lib}`, {
      fix: 'Run it as root, or as the user that the node belongs to.',
      cause: error,
    })
  })
}

async function contextOf(
  { paths, manifest, facts, signal }: Node,
  answers: NodeAnswers,
): Promise<UpgradeContext> {
  const root = packageRoot()
  return {
    paths,
    manifest,
    signal,
    owner: ownershipOf(answers, facts.account).code,
    runtime: { node: 'download', tarball: undefined, keep: answers.ownRuntime },
    source: { root, version: (await readPackageManifest(root)).version },
    node: facts.node,
  }
}

function whatFollows({ serviceName }: NodePaths, { from, to }: ReleaseMove, actions: MoveActions): string[] {
  const follows = [
    ...(actions.restart ? [`restart ${serviceName}`] : []),
    ...(actions.verify ? ['send a job through the node'] : []),
  ]
  if (follows.length === 0) return []
  const other = from === to ? 'it is taken back' : `${from} is put back`
  return [`${follows.join(', ')}; if that fails, ${other}`]
}
