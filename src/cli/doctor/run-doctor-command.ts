import { readTarget } from '../../check/target.js'
import { EXAMINATIONS } from '../../doctor/examinations/index.js'
import { gatherDoctorFacts } from '../../doctor/gather.js'
import { applyMend, mendsOf } from '../../doctor/mend.js'
import { type DoctorRun, runDoctor } from '../../doctor/run-doctor.js'
import { openConfig } from '../config/config-directory.js'
import { say, type Terminal } from '../config/terminal.js'
import { confirm } from '../confirm.js'
import type { DoctorLine } from '../doctor.js'
import { exitCodeOf } from '../exit-code-of.js'
import { EXIT } from '../exit-codes.js'
import { ownCommands, programName } from '../own-command.js'
import { createPalette, SIGNS } from '../palette.js'
import { printError } from '../print.js'
import { watchInterrupts } from '../setup/interrupts.js'
import { createOutput } from '../setup/output.js'
import { lookAtRecords } from './look-at-records.js'
import { nameProgram } from './program-name.js'
import { createDoctorLines, summarize } from './render.js'

interface Mended {
  readonly title: string
  /** null: done. */
  readonly error: string | null
}

/** `magnetar doctor`: resolves with the exit code. */
export async function runDoctorCommand(line: DoctorLine, terminal: Terminal): Promise<number> {
  const { stdout, stderr } = terminal
  const interrupts = watchInterrupts((text) => say(stderr, text))
  const { signal } = interrupts
  try {
    // Before anything is looked at: a wrong URL is a mistake of the command line.
    if (line.galaxyUrl !== undefined) readTarget(line.galaxyUrl)
    const { configDirectory } = await openConfig(line.config, terminal)
    const show = !line.json && !line.quiet
    if (show) say(stdout, `The node of ${configDirectory}`)
    const examine = (isShown: boolean): Promise<DoctorRun> =>
      examineNode(line, configDirectory, terminal, signal, isShown)
    const first = await examine(!line.json)
    const fixCommand = (await ownCommands(terminal.env, line.config))('doctor --fix')
    if (show) say(stdout, summarize(first, fixCommand))
    if (!line.fix) return finish(line, configDirectory, first, [], terminal)
    const mended = await mend(line, first, terminal, signal)
    if (mended === undefined)
      return line.json ? finish(line, configDirectory, first, [], terminal) : exitCodeFor(first)
    // What is true is what a second look finds.
    if (mended.length > 0 && show) say(stdout, '\nOnce more:')
    const last = mended.length > 0 ? await examine(!line.json) : first
    if (mended.length > 0 && show) say(stdout, summarize(last, fixCommand))
    return finish(line, configDirectory, last, mended, terminal)
  } catch (error) {
    if (signal.aborted) return EXIT.interrupted
    printError(error)
    return exitCodeOf(error)
  } finally {
    interrupts.dispose()
  }
}

async function examineNode(
  line: DoctorLine,
  configDirectory: string,
  terminal: Terminal,
  signal: AbortSignal,
  isShown: boolean,
): Promise<DoctorRun> {
  const { env, stdout } = terminal
  const { galaxyUrl, job: sendsJob, quiet } = line
  const facts = await gatherDoctorFacts({ configDirectory, env, galaxyUrl, sendsJob, lookAtRecords, signal })
  const program = await programName(env)
  const lines = createDoctorLines(stdout, env, quiet)
  const run = await runDoctor(EXAMINATIONS, facts, signal, (result) => {
    if (isShown) lines.add(nameProgram(result, program))
  })
  return { ...run, results: run.results.map((result) => nameProgram(result, program)) }
}

/** Shows, asks, mends. undefined: nothing was to be done, or not wanted. */
async function mend(
  line: DoctorLine,
  run: DoctorRun,
  { stdout, stderr, env }: Terminal,
  signal: AbortSignal,
): Promise<Mended[] | undefined> {
  const mends = mendsOf(run.results)
  const talk = line.json ? stderr : stdout
  const output = createOutput({ json: line.json, quiet: line.quiet, verbose: false })
  const palette = createPalette(talk, env)
  if (mends.length === 0) {
    if (!line.quiet) say(talk, 'Nothing that --fix may mend.')
    return undefined
  }
  if (!line.quiet) say(talk, `\nTo do:\n${mends.map(({ title }) => `  ${title}`).join('\n')}`)
  if (!line.yes && (await confirm('Do this? [y/N] ', signal, output)) !== 'yes') return undefined
  const done: Mended[] = []
  for (const each of mends) {
    const error = (await applyMend(each, signal)) ?? null
    done.push({ title: each.title, error })
    const sign = error === null ? palette.green(SIGNS.done) : palette.red(SIGNS.failed)
    if (error !== null || !line.quiet)
      say(talk, `  ${sign} ${each.title}${error === null ? '' : `: ${error}`}`)
  }
  return done
}

function exitCodeFor({ results }: DoctorRun): number {
  return results.some(({ findings }) => findings.some(({ state }) => state === 'fail'))
    ? EXIT.failed
    : EXIT.ok
}

function finish(
  line: DoctorLine,
  configDirectory: string,
  run: DoctorRun,
  mended: readonly Mended[],
  { stdout }: Terminal,
): number {
  const exitCode = exitCodeFor(run)
  if (line.json)
    stdout.write(`${JSON.stringify(toJson(configDirectory, run, mended, exitCode), undefined, 2)}\n`)
  return exitCode
}

function toJson(
  config: string,
  { results, ms }: DoctorRun,
  mended: readonly Mended[],
  exitCode: number,
): unknown {
  const findings = results.flatMap(({ examination, findings: found, ms: took }) =>
    found.map(({ id, state, message, fix }) => ({
      id,
      examination: examination.id,
      group: examination.group,
      state,
      message,
      fix: fix?.text ?? null,
      command: fix?.command ?? null,
      mends: (fix?.mends ?? []).map(({ title }) => title),
      ms: took,
    })),
  )
  const count = (state: string): number => findings.filter((each) => each.state === state).length
  return {
    config,
    ok: exitCode === EXIT.ok,
    exitCode,
    ms,
    problems: count('fail'),
    warnings: count('warn'),
    mended,
    findings,
  }
}
