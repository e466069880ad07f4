import path from 'node:path'
import { stripVTControlCharacters } from 'node:util'
import { MagnetarError } from '../../../lib/errors.js'
import { CommandNotStarted, runCommand } from '../../../lib/exec.js'
import { quoteForShell } from '../../../lib/shell.js'
import type { CommandChange } from '../../types.js'
import type { ApplyChange } from './change-kind.js'

const LINES_SHOWN = 5
const EXPLAINING_LINES = 10
const EXPLAIN_TIMEOUT_MS = 10_000
/** Where useradd and its like are; root's PATH after a plain `su` does not have them. */
const SYSTEM_DIRECTORIES = ['/usr/local/sbin', '/usr/sbin', '/sbin']

/** Runs a command; its undo is another. */
export const applyCommand: ApplyChange<CommandChange> = async (change, tools) => {
  const { argv, timeoutMs, undo } = change
  try {
    await run(argv, timeoutMs, tools.signal)
  } catch (error) {
    if (tools.signal.aborted || !(error instanceof MagnetarError)) throw error
    throw await withExplanation(error, change.explain, tools.signal)
  } finally {
    tools.forgetIds()
  }
  return undo && { restore: () => run(undo, timeoutMs, undefined).finally(tools.forgetIds) }
}

/** The error with what `explain` prints: a log says more than an exit code. */
async function withExplanation(
  error: MagnetarError,
  explain: readonly string[] | undefined,
  signal: AbortSignal,
): Promise<MagnetarError> {
  const [program, ...args] = explain ?? []
  if (program === undefined) return error
  const options = { timeoutMs: EXPLAIN_TIMEOUT_MS, signal, env: environment() }
  const said = await runCommand(program, args, options).catch(() => undefined)
  const lines = said
    ? lastLines(said.stdout, EXPLAINING_LINES) || lastLines(said.stderr, EXPLAINING_LINES)
    : ''
  if (lines === '') return error
  return new MagnetarError(error.code, `${error.message}\n${lines}\n`, { cause: error })
}

/** Runs what takes a command back after everything else is undone; undefined when there is nothing of that kind. */
export function undoLastOf(change: CommandChange): (() => Promise<void>) | undefined {
  const { undoLast, timeoutMs } = change
  return undoLast && (() => run(undoLast, timeoutMs, undefined))
}

/** @throws MagnetarError SETUP_FAILED with the last lines of what it said; the signal's reason */
async function run(
  argv: readonly string[],
  timeoutMs: number,
  signal: AbortSignal | undefined,
): Promise<void> {
  const [program = '', ...args] = argv
  const command = argv.map(quoteForShell).join(' ')
  try {
    const result = await runCommand(program, args, {
      timeoutMs,
      env: environment(),
      ...(signal ? { signal } : {}),
    })
    if (result.code === 0 && !result.timedOut) return
    const said = lastLines(result.stderr, LINES_SHOWN) || lastLines(result.stdout, LINES_SHOWN)
    const how = result.timedOut
      ? `did not end within ${timeoutMs / 1000} s`
      : `ended with ${result.code === null ? result.signal : `exit code ${result.code}`}`
    throw new MagnetarError('SETUP_FAILED', `"${command}" ${how}${said && `: ${said}`}`)
  } catch (error) {
    if (!(error instanceof CommandNotStarted)) throw error
    throw new MagnetarError('SETUP_FAILED', error.message, { cause: error })
  }
}

function environment(): NodeJS.ProcessEnv {
  const searched = [...(process.env.PATH ?? '').split(path.delimiter), ...SYSTEM_DIRECTORIES]
  return { ...process.env, PATH: [...new Set(searched)].join(path.delimiter) }
}

function lastLines(output: string, count: number): string {
  return stripVTControlCharacters(output).trim().split('\n').slice(-count).join('\n')
}
