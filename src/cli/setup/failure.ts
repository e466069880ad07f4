import { ERRORS } from '../../lib/error-table.js'
import { MagnetarError, messageOf } from '../../lib/errors.js'
import { ApplyError } from '../../setup/apply/apply-error.js'
import { exitCodeOf } from '../exit-code-of.js'
import { EXIT } from '../exit-codes.js'
import { printError } from '../print.js'
import { PromptInterrupted } from '../prompts/outcome.js'
import { showWaysOut } from './results.js'
import type { Run } from './run-setup.js'

/** Tells what ended a setup, and how to go on. The exit code. */
export function tellFailure(error: unknown, run: Run): number {
  const { output, interrupts, applying } = run
  if (!applying && (error instanceof PromptInterrupted || interrupts.signal.aborted)) {
    output.warn('Interrupted. Nothing was changed.')
    output.event('result', { result: 'interrupted', exitCode: EXIT.interrupted, done: [] })
    return EXIT.interrupted
  }
  printError(applying ? inMidRun(error) : error)
  const exitCode = exitCodeOf(error)
  output.event('result', { result: 'failed', exitCode, error: describe(error) })
  if (applying && isLeftBehind(error)) {
    const { prepared, input } = applying
    showWaysOut(prepared.context.answers.prefix, input.given, run.words, output)
  }
  return exitCode
}

/** "Nothing was changed", as the table of errors says of configurations, would be wrong by now. */
function inMidRun(error: unknown): unknown {
  if (!(error instanceof MagnetarError) || !error.code.startsWith('CONFIG_')) return error
  const fix = 'The node is set up, but cannot start with that. Correct it, then run the same command again.'
  return new MagnetarError(error.code, error.message, { fix, cause: error })
}

/** Something of this run is on the disk: it was kept, could not be undone, or only the service or the job did not work. */
function isLeftBehind(error: unknown): boolean {
  if (error instanceof ApplyError) return error.details.kept.length + error.details.notUndone.length > 0
  return error instanceof MagnetarError
}

function describe(error: unknown): Record<string, unknown> {
  if (!(error instanceof MagnetarError)) return { code: 'INTERNAL', message: messageOf(error) }
  const { code, message, fix = ERRORS[code].fix } = error
  return { code, message, fix, ...(error instanceof ApplyError ? { details: error.details } : {}) }
}
