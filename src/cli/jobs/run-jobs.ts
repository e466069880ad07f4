import type { ExpireAnswer, JobAction } from '../../control/client.js'
import type { JobFilter, JobStatus } from '../../control/types.js'
import { MagnetarError } from '../../lib/errors.js'
import type { Terminal } from '../config/terminal.js'
import { confirm } from '../confirm.js'
import { exitCodeOf } from '../exit-code-of.js'
import { EXIT } from '../exit-codes.js'
import { controlOf, type NodeView, openNode, sayStopped, viewNode } from '../node/open-node.js'
import { parseDuration, plain, showAge } from '../node/show.js'
import { ownCommands } from '../own-command.js'
import { printError } from '../print.js'
import { watchInterrupts } from '../setup/interrupts.js'
import { createOutput, type Output } from '../setup/output.js'
import { terminalWidth } from '../wrap.js'
import { nearIds } from './near-ids.js'
import { renderJob } from './show.js'
import { isOver, isStatus, renderFooter, renderTable, STATUS_WORDS } from './table.js'
import { watchJobs } from './watch.js'

export type JobsTask = 'list' | 'show' | 'expire' | JobAction

/** What the command line of `magnetar jobs` said. */
export interface JobsLine {
  readonly task: JobsTask
  readonly ids: readonly string[]
  readonly config?: string | undefined
  readonly manager?: string | undefined
  readonly state?: string | undefined
  readonly limit?: string | undefined
  readonly olderThan?: string | undefined
  readonly watch?: boolean | undefined
  readonly json?: boolean | undefined
  readonly plan?: boolean | undefined
  readonly yes?: boolean | undefined
}

interface Room {
  readonly line: JobsLine
  /** To be typed next. */
  readonly command: (words: string) => string
  readonly node: NodeView
  readonly output: Output
  readonly terminal: Terminal
  readonly signal: AbortSignal
}

/** `magnetar jobs …`: resolves with the exit code. */
export async function runJobs(line: JobsLine, terminal: Terminal): Promise<number> {
  const output = createOutput({ json: line.json === true, quiet: false, verbose: false })
  const interrupts = watchInterrupts((text) => (line.watch ? undefined : output.warn(text)))
  const { signal } = interrupts
  let node: NodeView | undefined
  try {
    node = await openNode(line.config, terminal, signal)
    const command = await ownCommands(terminal.env, line.config)
    const room = { line, command, node, output, terminal, signal }
    if (line.task === 'list') return line.watch ? await watch(room) : await list(room)
    if (line.task === 'show') return await show(room)
    if (line.task === 'expire') return await expire(room)
    return await actOnAll(room, line.task)
  } catch (error) {
    if (signal.aborted) return line.watch ? EXIT.ok : EXIT.interrupted
    printError(error)
    return exitCodeOf(error)
  } finally {
    interrupts.dispose()
    await node?.close()
  }
}

function filterOf({ state, limit, manager }: JobsLine, node: NodeView): JobFilter {
  if (manager !== undefined && !node.config.managers.some(({ name }) => name === manager))
    throw new MagnetarError('ANSWER_INVALID', `there is no manager ${manager}`, {
      fix: `Name one of: ${node.config.managers.map(({ name }) => name).join(', ')}`,
    })
  const words = state?.split(',').map((word) => word.trim().toLowerCase()) ?? []
  const wrong = words.find((word) => word !== 'all' && !isStatus(word))
  if (wrong !== undefined)
    throw new MagnetarError('ANSWER_INVALID', `--state ${wrong}: there is no such state`, {
      fix: `The states are ${STATUS_WORDS}; several with commas, or all.`,
    })
  if (limit !== undefined && !/^\d{1,5}$/.test(limit))
    throw new MagnetarError('ANSWER_INVALID', `--limit ${limit} is no number of jobs`, { fix: '--limit 500' })
  const states = words.includes('all') || words.length === 0 ? undefined : (words as JobStatus[])
  // Without a wish: what is under way, and the last that ended.
  const ended = limit === undefined ? (words.length === 0 ? 20 : 1000) : Number(limit)
  return { ended, ...(states ? { states } : {}), ...(manager === undefined ? {} : { manager }) }
}

async function list({ line, node, output, terminal }: Room): Promise<number> {
  const found = await node.jobs(filterOf(line, node))
  const { stdout, stderr } = terminal
  if (line.json) {
    stdout.write(`${JSON.stringify(found, undefined, 2)}\n`)
    return EXIT.ok
  }
  if (!found.running) stderr.write(`${sayStopped(found)}\n`)
  if (found.jobs.length > 0) {
    const width = stdout.isTTY ? terminalWidth(stdout) : undefined
    const style = { palette: output.palette, width, managers: hasManagers(node), nowMs: Date.now() }
    for (const row of renderTable(found.jobs, style)) stdout.write(`${row}\n`)
  } else if (line.state !== undefined && line.state !== 'all')
    stderr.write(`No job is ${line.state.split(',').join(' or ')}. In all: `)
  for (const row of renderFooter(found)) stderr.write(`${row}\n`)
  return EXIT.ok
}

async function watch({ line, node, terminal, signal }: Room): Promise<number> {
  const filter = filterOf(line, node)
  await watchJobs({
    stdout: terminal.stdout,
    env: terminal.env,
    json: line.json === true,
    managers: hasManagers(node),
    signal,
    async read() {
      const now = await viewNode(node.config, signal)
      try {
        return await now.jobs(filter)
      } finally {
        await now.close()
      }
    },
  })
  return EXIT.ok
}

function hasManagers({ config }: NodeView): boolean {
  return config.managers.length > 1
}

async function show(room: Room): Promise<number> {
  const { line, command, node, output, terminal } = room
  const [id = ''] = line.ids
  const job = await node.job(id, line.manager).catch((error: unknown) => unknownJob(room, id, error))
  if (line.json) {
    terminal.stdout.write(
      `${JSON.stringify({ running: node.control !== undefined, ...job }, undefined, 2)}\n`,
    )
    return EXIT.ok
  }
  if (!node.control) terminal.stderr.write(`${sayStopped({ silent: node.silence !== undefined })}\n`)
  for (const text of renderJob(job, output.palette, Date.now(), command)) output.say(text, ' '.repeat(13))
  return EXIT.ok
}

/** With the ids that were perhaps meant. */
async function unknownJob({ node, command }: Room, id: string, error: unknown): Promise<never> {
  if (!(error instanceof MagnetarError) || error.code !== 'JOB_UNKNOWN') throw error
  const { jobs } = await node.jobs({ ended: 10_000 })
  const near = nearIds(
    id,
    jobs.map((job) => job.id),
  ).map(plain)
  const meant = near.length > 0 ? `. Is ${near.join(' or ')} meant?` : ''
  throw new MagnetarError('JOB_UNKNOWN', `there is no job ${plain(id)}${meant}`, {
    fix: `List them: ${command('jobs --state all')}`,
  })
}

const DONE: Readonly<Record<JobAction, string>> = {
  cancel: 'cancelled',
  clean: 'removed',
  'retry-stage-out': 'its outputs are delivered again',
}

async function actOnAll(room: Room, action: JobAction): Promise<number> {
  const { line, command, node, output, terminal, signal } = room
  const control = await controlOf(node)
  if (action === 'clean' && !line.yes) {
    const answer = await confirm(
      `Remove ${line.ids.length === 1 ? `job ${line.ids[0]}` : `${line.ids.length} jobs`} with all files, also what still runs? [y/N] `,
      signal,
      output,
    )
    if (answer !== 'yes') return answer === 'no' ? EXIT.failed : EXIT.usage
  }
  const results: { id: string; ok: boolean; message: string }[] = []
  let worst: number = EXIT.ok
  for (const id of line.ids) {
    signal.throwIfAborted()
    try {
      const before = action === 'cancel' ? await control.job(id, line.manager) : undefined
      await control.act(action, id, line.manager)
      const over = before && isOver(before.status)
      const done =
        action === 'retry-stage-out'
          ? `${DONE[action]}; follow it: ${command(`jobs show ${plain(id)}`)}`
          : DONE[action]
      results.push({ id, ok: true, message: over ? `is ${before.status} already` : done })
      output.say(`${plain(id)}: ${results.at(-1)?.message}`)
    } catch (thrown) {
      signal.throwIfAborted()
      const error = await unknownJob(room, id, thrown).catch((better: unknown) => better)
      results.push({ id, ok: false, message: error instanceof Error ? error.message : String(error) })
      printError(error)
      worst = exitCodeOf(error)
    }
  }
  if (line.json) terminal.stdout.write(`${JSON.stringify({ action, results })}\n`)
  return worst
}

/** Jobs that are named one by one. */
const SHOWN = 20

async function expire({ line, node, output, terminal, signal }: Room): Promise<number> {
  const ms = parseDuration(line.olderThan ?? '')
  if (!ms)
    throw new MagnetarError('ANSWER_INVALID', `--older-than ${line.olderThan}: expected a length of time`, {
      fix: 'For example: --older-than 7d',
    })
  const control = await controlOf(node)
  const { jobs } = await control.expire(ms, true)
  let done: Pick<ExpireAnswer, 'removed' | 'kept'> = { removed: 0, kept: [] }
  if (jobs.length === 0) output.say(`Nothing to do: no job has been over for ${showAge(ms)}.`)
  else {
    const nowMs = Date.now()
    for (const { id, status, sinceMs } of jobs.slice(0, SHOWN))
      output.print(`  ${plain(id)}  ${status} for ${showAge(nowMs - sinceMs)}`)
    if (jobs.length > SHOWN) output.print(`  … and ${jobs.length - SHOWN} more`)
    if (line.plan)
      output.say(
        `${jobs.length === 1 ? '1 job' : `${jobs.length} jobs`} would be removed with ${jobs.length === 1 ? 'its directory' : 'their directories'}. Nothing was changed.`,
      )
    else {
      if (!line.yes) {
        const answer = await confirm(
          jobs.length === 1
            ? 'Remove this job with its files? [y/N] '
            : `Remove these ${jobs.length} jobs with their files? [y/N] `,
          signal,
          output,
        )
        if (answer !== 'yes') return answer === 'no' ? EXIT.failed : EXIT.usage
      }
      done = await control.expire(ms, false)
      output.say(`Removed: ${done.removed}`)
      for (const { id, why } of done.kept.slice(0, SHOWN)) output.say(`  ${plain(id)} stays: ${why}`)
      if (done.kept.length > SHOWN) output.say(`  … and ${done.kept.length - SHOWN} more stay`)
    }
  }
  if (line.json) terminal.stdout.write(`${JSON.stringify({ jobs, ...done })}\n`)
  return EXIT.ok
}
