import { access, copyFile, mkdtemp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { type CommandResult, runCommand } from '../../lib/exec.js'
import { makeTemporary } from '../../lib/make-temporary.js'
import { quoteForShell } from '../../lib/shell.js'
import { hideSecrets } from './explain-conda.js'
import type { CondaSettings } from './settings.js'

export interface CondaCommand {
  readonly exec: string
  readonly args: readonly string[]
  readonly timeoutMs: number
  readonly signal: AbortSignal
  /** Locks that last as long as the command, also when this process is killed. */
  readonly passFds?: readonly number[]
  /** Where its HOME is made; the default is that for temporary files, where a kill leaves it. */
  readonly homeBelow?: string
}

/** How the names of these homes begin. */
export const HOME_PREFIX = 'conda_exec_home_'

/** conda ends downloads and removes what it has begun when it is asked to. */
const KILL_GRACE_MS = 10_000
/** Of each stream; an error is at the end. --debug writes tens of megabytes. */
const OUTPUT_BYTES = 4 * 1024 * 1024
const DEBUG_OUTPUT_BYTES = 64 * 1024 * 1024

/**
 * Runs conda with a HOME of its own, as Galaxy does: ~/.conda may not be writable, and its settings are not those of the node.
 * @throws CommandNotStarted; the signal's reason
 */
export async function runConda(settings: CondaSettings, command: CondaCommand): Promise<CommandResult> {
  const { exec, args, homeBelow, ...options } = command
  const home = await (homeBelow === undefined
    ? makeTemporary(HOME_PREFIX)
    : mkdtemp(join(homeBelow, HOME_PREFIX)))
  try {
    return await runCommand(exec, args, {
      ...options,
      cwd: home,
      killGraceMs: KILL_GRACE_MS,
      maxOutputBytes: settings.debug ? DEBUG_OUTPUT_BYTES : OUTPUT_BYTES,
      keep: 'ends',
      env: {
        ...settings.env,
        HOME: home,
        CONDARC: await condarcOf(settings, home),
        MAMBA_ROOT_PREFIX: settings.prefix,
        // Colours, bars and questions are for people at a terminal.
        NO_COLOR: '1',
      },
    })
  } finally {
    await rm(home, { recursive: true, force: true }).catch(() => {})
  }
}

/** conda reads a file of the name _condarc, which is Galaxy's, only under another name. */
async function condarcOf({ condarc }: CondaSettings, home: string): Promise<string> {
  const there = await access(condarc).then(
    () => true,
    () => false,
  )
  if (!there) return condarc
  const copy = join(home, '.condarc')
  await copyFile(condarc, copy)
  return copy
}

/** The command as a person would type it, without passwords. */
export function showCommand(exec: string, args: readonly string[]): string {
  return hideSecrets([exec, ...args].map(quoteForShell).join(' '))
}
