import type { ExaminationResult } from '../../doctor/run-doctor.js'

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
