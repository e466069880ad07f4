import { resolve } from 'node:path'
import { MagnetarError, messageOf } from '../../lib/errors.js'
import { quoteForShell } from '../../lib/shell.js'
import { refuseUnsafeStart } from '../../node/exposure.js'
import { countNotHandedOver } from '../../node/handed-over.js'
import { probeManagers } from '../../node.js'
import {
  type AdoptionRequest,
  type FoundPulsar,
  findPulsar,
  GIVE_BACK,
  portOf,
  prepareAdoption,
  refuseDemands,
} from '../../setup/adopt/adoption.js'
import { adopt, type CarryOutOptions, giveBack } from '../../setup/adopt/carry-out.js'
import { demandsOfReturn } from '../../setup/adopt/demands-of-return.js'
import { describeLeft } from '../../setup/adopt/hand-over.js'
import { isLive, readRecords } from '../../setup/adopt/record.js'
import { countRunners } from '../../setup/adopt/runners.js'
import { demandsOfPort } from '../../setup/adopt/server-port.js'
import { planReturn, undoOf } from '../../setup/adopt/service-edit.js'
import { gatherFacts } from '../../setup/facts.js'
import { lockNode } from '../../setup/lock.js'
import { probeSupervisor } from '../../setup/probes/supervisor.js'
import { readPackageManifest } from '../../setup/release/closure.js'
import type { AdoptCommandLine } from '../adopt.js'
import { readLibrary } from '../config/validate.js'
import { confirm } from '../confirm.js'
import { exitCodeOf } from '../exit-code-of.js'
import { EXIT } from '../exit-codes.js'
import { packageRoot } from '../package.js'
import { SIGNS } from '../palette.js'
import { printError } from '../print.js'
import { watchInterrupts } from '../setup/interrupts.js'
import { createOutput, type Output } from '../setup/output.js'
import {
  createStageLines,
  jobsRow,
  sawOf,
  showAdoptionPlan,
  showFound,
  showReturnPlan,
  visible,
} from './report.js'
import { findSilentManagers } from './silent-managers.js'

/** `magnetar adopt`: resolves with the exit code. */
export async function runAdoptCommand(line: AdoptCommandLine): Promise<number> {
  const output = createOutput({ json: line.json, quiet: false, verbose: false })
  const interrupts = watchInterrupts((text) => output.warn(text))
  const { signal } = interrupts
  const unlocks: (() => Promise<void>)[] = []
  try {
    const root = packageRoot()
    const { version } = await readPackageManifest(root)
    const facts = await gatherFacts(signal)
    const request: AdoptionRequest = {
      directory: resolve(line.directory),
      prefix: line.prefix === undefined ? undefined : resolve(line.prefix),
      service: line.service,
      runtime: {
        node: line.node ?? 'download',
        tarball: line.runtimeTarball,
        keep: line.node === undefined && line.runtimeTarball === undefined,
      },
      facts: { ...facts, supervisor: facts.supervisor ?? (await probeSupervisor(signal, true)) },
      source: { root, version },
      signal,
      refuseStart: refuseUnsafeStart,
      probeManagers: async (config, { configDirectory, env }) =>
        probeManagers(config, env.DRMAA_LIBRARY_PATH || (await readLibrary(configDirectory))),
      countNotHandedOver,
      lock: async (place) => void unlocks.push(await lockNode(place, signal)),
    }
    return await (line.undo ? runUndo : runAdopt)(line, request, output)
  } catch (error) {
    return report(error, signal, output)
  } finally {
    for (const unlock of unlocks) await unlock()
    interrupts.dispose()
  }
}

async function runAdopt(line: AdoptCommandLine, request: AdoptionRequest, output: Output): Promise<number> {
  const { signal } = request
  const prepared = await prepareAdoption(request)
  const { service, prefix, program, isDone } = prepared
  const { name } = service.definition
  showFound(prepared, jobsRow(prepared), output)
  if (isDone) {
    output.say(`${output.palette.green(SIGNS.done)} Nothing to do: ${name} runs Magnetar ${program.release}.`)
    output.event('result', { result: 'nothing to do', prefix, service: name })
    return EXIT.ok
  }
  showAdoptionPlan(prepared, line.diff, output)
  refuseDemands(prepared.demands, line.force)
  for (const loss of prepared.demands.losses) output.warn(`! accepted with --force: ${loss}`)
  if (line.plan || line.diff) return EXIT.ok
  const refused = await ask(line, signal, output)
  if (refused !== undefined) return refused
  const done = await inStages(output, signal, (options) => adopt(prepared, options))
  if (!done) {
    output.warn('Interrupted; the service was not touched. The same command goes on from what is there.')
    output.event('result', { result: 'interrupted' })
    return EXIT.interrupted
  }
  const { directory } = prepared.installation
  const silent = await findSilentManagers(prepared.config)
  for (const text of silent) output.warn(`! ${visible(text)}`)
  output.say(`${name} runs Magnetar ${program.release}, on the same configuration.`)
  output.say(`  look at it:  ${prefix}/bin/magnetar status --config ${service.pulsar.configDirectory}`)
  const others = (await readRecords(prefix)).filter((each) => isLive(each) && each.service.name !== name)
  const named = others.length > 0 ? { ...line, service: name } : line
  output.say(`  back:        ${backCommand(named, directory, prefix)}`)
  output.event('result', {
    result: 'adopted',
    prefix,
    service: name,
    release: program.release,
    warnings: silent,
  })
  return EXIT.ok
}

async function runUndo(line: AdoptCommandLine, request: AdoptionRequest, output: Output): Promise<number> {
  const { signal } = request
  const found = await findPulsar(request)
  const { record, service, prefix, status, runsMagnetar } = found
  const { name } = service.definition
  showFound(found, undefined, output)
  if (record === undefined || !isLive(record)) {
    if (runsMagnetar || (record === undefined && line.service !== undefined))
      throw new MagnetarError(
        'ADOPT_NOT_FOUND',
        runsMagnetar
          ? `${prefix} does not say what ${name} ran before Magnetar; nothing was touched`
          : `${name} was never taken over with ${prefix}; nothing was touched`,
        {
          fix: 'Where adopt was called with --prefix, and the file of the service has been changed since, --undo needs the same.',
        },
      )
    output.say(
      `${output.palette.green(SIGNS.done)} Nothing to do: ${name} was not taken over, or was given back.`,
    )
    output.event('result', { result: 'nothing to do', prefix, service: name, status })
    return EXIT.ok
  }
  const left = await countLeft(found, signal, output)
  const changes = await planReturn(found, record, signal)
  showReturnPlan(found, changes, left, line.force, output)
  // A stranger on the port would keep either server from starting.
  const { obstacles } = await demandsOfPort(portOf(found), signal)
  const losses = await demandsOfReturn(found, await undoOf(changes, record, signal), signal)
  refuseDemands({ obstacles, losses }, line.force, GIVE_BACK)
  for (const loss of losses) output.warn(`! accepted with --force: ${loss}`)
  if (line.plan || line.diff) return EXIT.ok
  const refused = await ask(line, signal, output)
  if (refused !== undefined) return refused
  await inStages(output, signal, (options) => giveBack(found, record, { ...options, abandon: line.force }), {
    verify: sawOf(found),
  })
  const others = (await readRecords(prefix)).filter(isLive).map((each) => each.service.name)
  const remain = line.force ? await countLeft(found, signal, output, true) : 0
  const use =
    others.length > 0 ? `${prefix} is still used by ${others.join(', ')}` : await removal(prefix, remain)
  output.say(`${name} runs the Python Pulsar again. ${use}`)
  output.event('result', { result: 'given back', prefix, service: name })
  return EXIT.ok
}

/** Jobs that only Magnetar knows. While it runs nobody can say, and its stop will tell. `isOver`: it does not run now. */
async function countLeft(
  found: FoundPulsar,
  signal: AbortSignal,
  output: Output,
  isOver = false,
): Promise<number> {
  const { config, runsMagnetar, countNotHandedOver: count } = found
  if (config === undefined || (runsMagnetar && !isOver)) return 0
  try {
    return await count(config, signal)
  } catch (error) {
    signal.throwIfAborted()
    output.warn(`! Whether Magnetar has handed over its jobs cannot be seen: ${messageOf(error)}`)
    return 0
  }
}

/** When the program may go. */
async function removal(prefix: string, left: number): Promise<string> {
  const remove = `rm -r ${quoteForShell(prefix)}`
  if (left > 0)
    return `${describeLeft(left)}. Keep ${prefix}: the same command without --undo goes on with them.`
  const running = await countRunners(prefix)
  if (running === 0) return `Nothing uses ${prefix} any more: ${remove}`
  const jobs =
    running === 1
      ? 'the job that was started from there has'
      : `the ${running} jobs that were started from there have`
  return `When ${jobs} ended, nothing uses ${prefix} any more: ${remove}`
}

/** What ends the command, if it is not wanted. */
async function ask(line: AdoptCommandLine, signal: AbortSignal, output: Output): Promise<number | undefined> {
  if (line.yes) return undefined
  const answer = await confirm('Go on? [y/N] ', signal, output)
  return answer === 'yes' ? undefined : answer === 'no' ? EXIT.failed : EXIT.usage
}

async function inStages<T>(
  output: Output,
  signal: AbortSignal,
  work: (options: CarryOutOptions) => Promise<T>,
  done: Parameters<typeof createStageLines>[1] = {},
): Promise<T> {
  const stages = createStageLines(output, done)
  try {
    const result = await work({ signal, onStage: stages.begin })
    // false: interrupted in the middle of it.
    stages.end(result !== false)
    return result
  } catch (error) {
    stages.fail(!/did not work either/.test(messageOf(error)))
    throw error
  }
}

/** By the program that was just put there: the one that runs may be a checkout. */
function backCommand(
  { service, prefix: given }: AdoptCommandLine,
  directory: string,
  prefix: string,
): string {
  const words = [quoteForShell(`${prefix}/bin/magnetar`), 'adopt', quoteForShell(directory), '--undo']
  if (service !== undefined) words.push('--service', quoteForShell(service))
  if (given !== undefined) words.push('--prefix', quoteForShell(prefix))
  return words.join(' ')
}

function report(error: unknown, signal: AbortSignal, output: Output): number {
  const isTold = error instanceof MagnetarError
  if (signal.aborted && !isTold) {
    output.warn('Interrupted; the service was not touched.')
    output.event('result', { result: 'interrupted' })
    return EXIT.interrupted
  }
  printError(error)
  output.event('result', {
    result: 'failed',
    code: isTold ? error.code : 'INTERNAL',
    message: messageOf(error),
  })
  return signal.aborted ? EXIT.interrupted : exitCodeOf(error)
}
