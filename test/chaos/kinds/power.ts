import { mkdirSync } from 'node:fs'
import path from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { startJobFilesServer } from '../../helpers/job-files-server.js'
import { createRandom, type Random } from '../../peers/random.js'
import { createChaosNode, type ServerProgram } from '../chaos-node.js'
import { compileFaults, createFaultLayer, missingCompiler, type Operation } from '../faults/faults.js'
import { type DiskModel, losePower, readDurable } from '../faults/rebuild.js'
import { auditNode, judgeEnding, judgeLife } from '../judge.js'
import { LIFE_NAMES, type Life, type LifeName, live, newLife, takeAway, type World } from '../lives.js'
import { magnetarProgram, QUICK_RETRIES } from '../programs.js'
import { tally } from './faults.js'
import { type ChaosKind, type ChaosResult, type ChaosRun, isOver, noCounts, type Violation } from './kind.js'

const CHANGES: readonly Operation[] = [
  'create',
  'write',
  'sync',
  'rename',
  'unlink',
  'mkdir',
  'rmdir',
  'link',
  'truncate',
]
const MODELS: readonly DiskModel[] = ['ordered', 'strict']
/** Calls of three lives and a start, about: later ones are met by nobody. */
const CALLS = 420

export const powerKind: ChaosKind = {
  name: 'power',
  about: 'the power is lost at some call: what was not synced is gone, there in part, or there',
  missing: missingCompiler,
  run: (options) => runPower(options, magnetarProgram),
}

/** Each trial has a node of its own, and its own seed: seed and serial number. */
export async function runPower(
  options: ChaosRun,
  program: ServerProgram,
  names: readonly LifeName[] = LIFE_NAMES,
): Promise<ChaosResult> {
  const counts = noCounts()
  const violations: Violation[] = []
  const tallies: Record<string, number> = {}
  const compiled = compileFaults(options.directory)
  if (compiled.missing !== undefined) return { counts, violations, tallies: { skipped: 1 } }
  const galaxy = await startJobFilesServer()
  const only = options.point === undefined ? undefined : Number(options.point)
  for (
    let serial = only ?? 0;
    !isOver(options, serial - (only ?? 0)) && (only === undefined || serial === only);
    serial++
  ) {
    const beside = path.join(options.directory, `trial-${serial}`)
    const directory = path.join(beside, 'node')
    mkdirSync(directory, { recursive: true })
    const random = createRandom(options.seed * 100_003 + serial)
    const model = MODELS[serial % MODELS.length] ?? 'strict'
    const at = 1 + random.below(CALLS)
    const layer = createFaultLayer(compiled.library, beside, directory)
    let losses = 0
    let durable: ReturnType<typeof readDurable> | undefined
    const node = await createChaosNode(program, directory, layer, QUICK_RETRIES, {
      logsChanges: true,
      async beforeStart(killAll) {
        if (durable !== undefined) {
          await killAll()
          losePower(directory, durable, layer.logDirectory, model, random)
          layer.reboot()
          losses += 1
        }
        durable = readDurable(directory)
      },
    })
    const world: World = {
      node,
      galaxy,
      runsDirectory: path.join(beside, 'runs'),
      beginsAgain: true,
      audited: new Set(),
    }
    const lives: Life[] = []
    try {
      await node.ensureUp({
        operations: CHANGES,
        at,
        effect: random.chance(0.5) ? 'kill before' : 'kill after',
        scope: 'all',
        power: true,
      })
      for (const name of names) lives.push(newLife(world, name, `${name}-${serial}`))
      await liveAll(world, lives, random)
      if (losses === 0) {
        // Not met: after all is over, then.
        await node.kill()
        await node.ensureUp()
      }
      for (const what of await judge(world, lives))
        violations.push({ point: String(serial), what: `${model}, call ${at}: ${what}` })
    } catch (error) {
      violations.push({
        point: String(serial),
        what: `${model}, call ${at}: ${error instanceof Error ? error.message : String(error)}`,
      })
    } finally {
      await node.close()
    }
    for (const ending of node.endings) {
      if (ending.signal === 'SIGKILL') continue
      const wrong = judgeEnding(ending, false)
      if (wrong) violations.push({ point: String(serial), what: `${model}, call ${at}: ${wrong}` })
    }
    counts.kills += losses
    counts.jobs += lives.length
    counts.restarts += node.starts - 1
    tally(tallies, `losses of power, ${model}`)
    for (const { end } of lives) {
      if (end) tally(tallies, `jobs ${end.status}`)
    }
  }
  await galaxy.close()
  return { counts, violations, tallies }
}

/** One after the other and overlapping, so that some are over and some have just begun at any moment. */
async function liveAll(world: World, lives: readonly Life[], random: Random): Promise<void> {
  const living: Promise<void>[] = []
  for (const life of lives) {
    const one = live(world, life)
    living.push(one)
    await Promise.race([one, delay(random.below(700))])
  }
  await Promise.all(living)
}

/** Calls again for what clients have in hand. */
async function judge(world: World, lives: readonly Life[]): Promise<string[]> {
  const found: string[] = []
  for (const life of lives) {
    const { end } = life
    if (end) {
      const now = await life.client.status(life.id)
      // The return code of a cancelled job comes when it has stopped.
      const code = end.status === 'cancelled' ? now.returncode : end.returncode
      if (now.status !== end.status || now.returncode !== code)
        life.violations.push(`was ${end.status} ${end.returncode}, is ${now.status} ${now.returncode}`)
      // Its script may have been cut off before its first line.
      if (end.status === 'lost' && String(end.stderr).includes('directory is gone'))
        life.violations.push(`lost: ${end.stderr}`)
    }
    await takeAway(life)
    found.push(
      ...judgeLife(world, life, { effect: 'kill after', power: true }).map((what) => `${life.name}: ${what}`),
    )
    found.push(...(await auditNode(world)))
  }
  return found
}
