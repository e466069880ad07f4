import { basename, resolve } from 'node:path'
import type { JobConfEdit } from '../../galaxy/connect.js'
import { formatOf } from '../../galaxy/format-of.js'
import type { JobConfFormat } from '../../galaxy/job-conf.js'
import { MagnetarError } from '../../lib/errors.js'
import { quoteForShell } from '../../lib/shell.js'
import { confirm } from '../confirm.js'
import { exitCodeOf } from '../exit-code-of.js'
import { EXIT } from '../exit-codes.js'
import type { GalaxyCommandLine } from '../galaxy.js'
import { SIGNS } from '../palette.js'
import { printError } from '../print.js'
import { watchInterrupts } from '../setup/interrupts.js'
import { createOutput, type Output } from '../setup/output.js'
import { type JobConfFile, readJobConf, writeJobConf } from './job-conf-file.js'
import { restartGalaxy } from './restart.js'
import { showFileDiff } from './show-diff.js'

/** What a run has, and whether the file is another one by now. */
export interface Run {
  readonly output: Output
  readonly signal: AbortSignal
  changed: boolean
}

/** Runs a command of `magnetar galaxy` with what it speaks through; resolves with the exit code. */
export async function withRun(
  line: GalaxyCommandLine,
  action: (run: Run) => Promise<number>,
): Promise<number> {
  const output = createOutput({ json: line.json === true, quiet: false, verbose: false })
  const interrupts = watchInterrupts((text) => output.warn(text))
  const run: Run = { output, signal: interrupts.signal, changed: false }
  try {
    return await action(run)
  } catch (error) {
    if (run.signal.aborted) {
      output.warn(
        run.changed
          ? `Interrupted. ${line.jobConf ?? ''} was changed; Galaxy was not restarted.`
          : 'Interrupted. Nothing was changed.',
      )
      output.event('result', { result: 'interrupted', exitCode: EXIT.interrupted, changed: run.changed })
      return EXIT.interrupted
    }
    printError(error)
    const { code, message } =
      error instanceof MagnetarError ? error : { code: 'INTERNAL', message: 'internal error' }
    output.event('result', {
      result: 'failed',
      exitCode: exitCodeOf(error),
      code,
      message,
      changed: run.changed,
    })
    return exitCodeOf(error)
  } finally {
    interrupts.dispose()
  }
}

/** Reads the file, shows what is to change, asks, writes, and restarts Galaxy; resolves with the exit code. */
export async function changeFile(
  line: GalaxyCommandLine & { readonly jobConf: string },
  run: Run,
  make: (format: JobConfFormat, file: JobConfFile) => JobConfEdit,
  /** What is asked before a change is shown; it only warns. */
  check: () => Promise<void> = async () => {},
): Promise<number> {
  const { output, signal } = run
  const file = await readJobConf(resolve(line.jobConf), signal)
  const { path } = file
  const { after, changes, notes } = make(formatOf(file.text, path), file)
  const { palette } = output
  output.event('plan', { path, changes, notes })
  if (after === file.text) {
    output.say(`${palette.green(SIGNS.done)} Nothing to do: ${path} is as wanted.`)
    for (const note of notes) output.say(`${palette.dim('·')} ${note}`)
    output.event('result', { result: 'nothing to do', exitCode: EXIT.ok, path })
    return EXIT.ok
  }
  await check()
  output.say(palette.bold(path))
  for (const change of changes) output.say(`  ${change}`, '    ')
  for (const note of notes) output.say(`${palette.yellow('!')} ${note}`)
  const isOnlyShown = line.plan === true || line.diff === true
  if (line.diff || !(isOnlyShown || line.yes)) showFileDiff(path, file.text, after, output)
  if (isOnlyShown) {
    output.event('result', { result: 'would change', exitCode: EXIT.ok, path })
    return EXIT.ok
  }
  if (!line.yes) {
    const answer = await confirm('Change it? [y/N] ', signal, output)
    if (answer !== 'yes') {
      const exitCode = answer === 'no' ? EXIT.failed : EXIT.usage
      output.event('result', { result: 'not wanted', exitCode, path })
      return exitCode
    }
  }
  const backup = await writeJobConf(file, after, signal)
  run.changed = true
  output.say(`${palette.green(SIGNS.done)} Changed. The file from before: ${basename(backup)}`)
  output.event('changed', { path, backup })
  warnOfReaders(file, after, backup, output)
  const exitCode = await restartGalaxy(line.restart, signal, output)
  output.event('result', { result: 'changed', exitCode, path })
  return exitCode
}

/** A token in a file that everybody may read is none; the mode is the admin's to choose. */
function warnOfReaders(
  { path, mode, text }: JobConfFile,
  after: string,
  backup: string,
  output: Output,
): void {
  const holds = [after.includes(TOKEN) ? path : [], text.includes(TOKEN) ? backup : []].flat()
  if ((mode & 0o004) === 0 || holds.length === 0) return
  const names = holds.map((each) => basename(each)).join(' and ')
  const command = `chmod o-r ${holds.map(quoteForShell).join(' ')}`
  const sign = output.palette.yellow('!')
  output.warn(`${sign} Every user of this machine can read ${names}, with a token in it:\n  ${command}`)
}

const TOKEN = 'private_token'
