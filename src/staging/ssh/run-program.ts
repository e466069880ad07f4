import { CommandNotStarted, type CommandResult, runCommand } from '../../lib/exec.js'
import { TransferError } from '../transfer-error.js'
import { programFailure } from './failure.js'

export interface ProgramRun {
  readonly program: 'rsync' | 'scp' | 'ssh'
  readonly args: readonly string[]
  /** "rsync from host:/path", for messages. */
  readonly doing: string
  /** Names of files, which may look like words of an error. */
  readonly names: readonly string[]
  readonly timeoutMs: number
  readonly signal: AbortSignal
}

const MAX_OUTPUT_BYTES = 64 * 1024
const KILL_GRACE_MS = 2000

/**
 * Runs rsync, scp or ssh to its end; they end with this process too. @returns standard output
 * @throws TransferError; the signal's reason
 */
export async function runProgram(run: ProgramRun): Promise<string> {
  const { program, args, timeoutMs, signal } = run
  const prefix = await endWithUs()
  const [file = program, ...all] = [...prefix, program, ...args]
  let result: CommandResult
  try {
    result = await runCommand(file, all, {
      timeoutMs,
      killGraceMs: KILL_GRACE_MS,
      signal,
      env: environment(),
      maxOutputBytes: MAX_OUTPUT_BYTES,
    })
  } catch (error) {
    if (!(error instanceof CommandNotStarted)) throw error
    if (error.errno === 'ENOENT') throw notInstalled(program, error)
    throw new TransferError(error.message, { transient: error.errno !== 'EACCES', cause: error })
  }
  if (result.code === 127 && result.stderr.startsWith('setpriv:')) throw notInstalled(program)
  if (result.code === 0) return result.stdout
  throw programFailure(result, run)
}

/** Messages in English; and rsync's own variables would change what the options mean. */
function environment(): NodeJS.ProcessEnv {
  const own = Object.entries(process.env).filter(([name]) => !name.startsWith('RSYNC_'))
  return { ...Object.fromEntries(own), LC_ALL: 'C' }
}

function notInstalled(program: string, cause?: unknown): TransferError {
  const fix = program === 'rsync' ? 'install the package rsync' : 'install the package openssh-client'
  return new TransferError(`there is no ${program} on this node: ${fix}`, { transient: false, cause })
}

let prefix: Promise<readonly string[]> | undefined

/** What lets a program end when this process does, even by SIGKILL: it would go on by itself, beside the transfer's next attempt. */
function endWithUs(): Promise<readonly string[]> {
  prefix ??= findPrefix()
  return prefix
}

async function findPrefix(): Promise<readonly string[]> {
  const words = ['--pdeathsig', 'TERM', '--']
  try {
    const tried = await runCommand('setpriv', [...words, 'true'], { timeoutMs: 10_000 })
    return tried.code === 0 ? ['setpriv', ...words] : []
  } catch {
    return []
  }
}
