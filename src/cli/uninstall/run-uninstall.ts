import { type ApplyResult, applyPlan } from '../../setup/apply/apply.js'
import { ApplyError, nameChange } from '../../setup/apply/apply-error.js'
import { listPlan, summarizePlan } from '../../setup/diff.js'
import { gatherFacts } from '../../setup/facts.js'
import { locateNode } from '../../setup/locate-node.js'
import { lockNode } from '../../setup/lock.js'
import { steps } from '../../setup/steps/index.js'
import type { Facts, Manifest, NodePaths } from '../../setup/types.js'
import { planUninstall, type UninstallPlan } from '../../setup/uninstall.js'
import { confirm } from '../confirm.js'
import { exitCodeOf } from '../exit-code-of.js'
import { EXIT } from '../exit-codes.js'
import { SIGNS } from '../palette.js'
import { printError } from '../print.js'
import { watchInterrupts } from '../setup/interrupts.js'
import { createOutput, type Output } from '../setup/output.js'
import { planEvent, showRemarks } from '../setup/show-plan.js'
import type { UninstallCommandLine } from '../uninstall.js'

/** `magnetar uninstall`: resolves with the exit code. */
export async function runUninstallCommand(line: UninstallCommandLine): Promise<number> {
  const output = createOutput({ json: line.json, quiet: false, verbose: false })
  const interrupts = watchInterrupts((text) => output.warn(text))
  const { signal } = interrupts
  try {
    const facts = await gatherFacts(signal)
    const wanted = { prefix: line.prefix, instance: line.instance }
    const { paths, manifest } = await locateNode(wanted, process.env, facts.account)
    const unlock = await lockNode(paths.prefix, signal)
    try {
      return await uninstall(line, { paths, manifest, facts, signal }, output)
    } finally {
      await unlock()
    }
  } catch (error) {
    return report(error, signal, output)
  } finally {
    interrupts.dispose()
  }
}

interface Node {
  readonly paths: NodePaths
  readonly manifest: Manifest | undefined
  readonly facts: Facts
  readonly signal: AbortSignal
}

async function uninstall(line: UninstallCommandLine, node: Node, output: Output): Promise<number> {
  const { paths, signal } = node
  const { purge, force } = line
  const planned = await planUninstall({ ...node, purge, force }, steps)
  const { plan } = planned
  output.event('plan', planEvent(plan))
  if (plan.changes.length === 0) {
    showRemarks(plan, output)
    output.say(
      `${output.palette.green(SIGNS.done)} Nothing to do: there is nothing of a node to remove in ${paths.prefix}.`,
    )
    output.event('result', { result: 'nothing to do', prefix: paths.prefix })
    return EXIT.ok
  }
  output.say(`Plan for ${paths.prefix}: remove ${summarizePlan(plan)}`)
  for (const text of listPlan(plan)) output.say(`  ${text}`, '    ')
  showRemarks(plan, output)
  if (line.plan) return EXIT.ok
  if (!line.yes) {
    const answer = await confirm('Remove it? [y/N] ', signal, output)
    if (answer !== 'yes') return answer === 'no' ? EXIT.failed : EXIT.usage
  }
  const result = await carryOut(planned, node, output)
  for (const warning of result.warnings) output.warn(warning)
  if (result.interrupted) {
    showInterrupted(result, output)
    return EXIT.interrupted
  }
  output.say(`${output.palette.green(SIGNS.done)} Removed from ${paths.prefix}: ${summarizePlan(plan)}`)
  output.event('result', { result: 'removed', prefix: paths.prefix, purged: purge })
  return EXIT.ok
}

function carryOut({ plan, manifestFile }: UninstallPlan, node: Node, output: Output): Promise<ApplyResult> {
  return applyPlan(plan, {
    prefix: node.paths.prefix,
    manifestFile,
    keep: false,
    signal: node.signal,
    onEvent: ({ type, change, index, total, ms, text }) => {
      output.event('change', { state: type, ...nameChange(change), index, total, ms, text })
      const { green, red } = output.palette
      if (type === 'done') output.say(`${green(SIGNS.done)} ${change.title}`, '    ')
      if (type === 'failed') output.say(`${red(SIGNS.failed)} ${change.title}`, '    ')
      if (type === 'undo-done') output.say(`  undone: ${change.title}`, '    ')
    },
  })
}

function showInterrupted({ done, cutOff, left }: ApplyResult, output: Output): void {
  const lines = [
    `Interrupted. Done: ${done.length} of ${done.length + left.length + (cutOff ? 1 : 0)}; nothing was undone.`,
  ]
  if (cutOff) lines.push(`  ${SIGNS.failed} ${cutOff.title} (cut off)`)
  for (const { title } of left) lines.push(`    ${title} (not begun)`)
  lines.push('The same command goes on from there.')
  output.warn(lines.join('\n'))
  output.event('result', { result: 'interrupted', done, cutOff, left })
}

function report(error: unknown, signal: AbortSignal, output: Output): number {
  if (signal.aborted && !(error instanceof ApplyError)) {
    output.warn('Interrupted; nothing was changed.')
    output.event('result', { result: 'interrupted', done: [], left: [] })
    return EXIT.interrupted
  }
  printError(error)
  output.event('result', {
    result: 'failed',
    code: (error as { code?: unknown }).code,
    message: error instanceof Error ? error.message : String(error),
  })
  return exitCodeOf(error)
}
