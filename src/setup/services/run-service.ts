import { MagnetarError } from '../../lib/errors.js'
import { CommandNotStarted, type CommandResult, runCommand } from '../../lib/exec.js'

const ASK_TIMEOUT_MS = 15_000

/**
 * Runs a command of a service manager, whatever its exit code.
 * @throws MagnetarError SERVICE_FAILED when it cannot be started or does not end in time; the signal's reason when aborted
 */
export async function runService(
  argv: readonly string[],
  signal: AbortSignal,
  timeoutMs = ASK_TIMEOUT_MS,
): Promise<CommandResult> {
  const [program = '', ...args] = argv
  // What it says is read here, so it is to be in English, and without a pager.
  const env = { ...process.env, LC_ALL: 'C', SYSTEMD_PAGER: '', SYSTEMD_COLORS: '0' }
  const result = await runCommand(program, args, { timeoutMs, signal, env }).catch((error: unknown) => {
    if (!(error instanceof CommandNotStarted)) throw error
    throw new MagnetarError('SERVICE_FAILED', error.message, { cause: error })
  })
  if (!result.timedOut) return result
  throw new MagnetarError(
    'SERVICE_FAILED',
    `${argv.join(' ')} did not end within ${timeoutMs / 1000} s and was stopped`,
    { fix: `Run it by hand and see what it waits for: ${argv.join(' ')}` },
  )
}

/** What a command said, on one line. */
export function wordsOf({ stdout, stderr, code, signal }: CommandResult): string {
  const said = `${stdout}\n${stderr}`.replace(/\s+/g, ' ').trim()
  return said || `it ended with ${signal ?? `exit code ${code}`}`
}
