import { join } from 'node:path'
import type { ExaminationResult } from '../../doctor/run-doctor.js'
import { findProgram } from '../../lib/find-program.js'
import { quoteForShell } from '../../lib/shell.js'

/** How this program is called in a command to be typed: by its path where it is not on PATH. */
export async function programName(env: NodeJS.ProcessEnv): Promise<string> {
  const prefix = env.MAGNETAR_PREFIX
  if (!prefix || (await findProgram('magnetar', env.PATH)) !== undefined) return 'magnetar'
  return quoteForShell(join(prefix, 'bin', 'magnetar'))
}

/** The findings with commands that work when typed here. */
export function nameProgram(result: ExaminationResult, program: string): ExaminationResult {
  if (program === 'magnetar') return result
  const findings = result.findings.map((finding) => {
    const { fix } = finding
    if (fix?.command === undefined) return finding
    const command = fix.command.replace(
      /(^|\s)magnetar (?=[a-z])/g,
      (_all, before: string) => `${before}${program} `,
    )
    return { ...finding, fix: { ...fix, command } }
  })
  return { ...result, findings }
}
