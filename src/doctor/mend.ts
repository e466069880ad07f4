import { runCommand } from '../lib/exec.js'
import type { ExaminationResult } from './run-doctor.js'
import type { Mend } from './types.js'

const TIMEOUT_MS = 60_000

/** What doctor may mend of what was found. */
export function mendsOf(results: readonly ExaminationResult[]): Mend[] {
  return results.flatMap(({ findings }) => findings.flatMap(({ fix }) => fix?.mends ?? []))
}

/** How many findings of these would be gone. */
export function countMendable(results: readonly ExaminationResult[]): number {
  return results.flatMap(({ findings }) => findings).filter(({ fix }) => (fix?.mends?.length ?? 0) > 0).length
}

/** Runs the command of a mend; undefined: done, else why not. @throws the signal's reason when aborted */
export async function applyMend({ argv }: Mend, signal: AbortSignal): Promise<string | undefined> {
  const [program = '', ...args] = argv
  try {
    const { code, stderr } = await runCommand(program, args, { timeoutMs: TIMEOUT_MS, signal })
    return code === 0 ? undefined : stderr.trim().split('\n')[0] || `${program} ended with ${code}`
  } catch (error) {
    signal.throwIfAborted()
    return error instanceof Error ? error.message : String(error)
  }
}
