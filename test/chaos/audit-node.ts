import { resolve } from 'node:path'
import { runCommand } from '../../src/lib/exec.js'

interface Report {
  readonly violations: readonly { readonly rule: string; readonly job?: string; readonly message: string }[]
  readonly examined: { readonly jobs: number; readonly events: number }
}

/** What `magnetar audit` finds broken on a node, running or not; each with the rule and the job. */
export async function auditNode(directory: string): Promise<string[]> {
  const args = [resolve('bin', 'magnetar.js'), 'audit', '--json', '--config', directory]
  const { stdout, stderr, code } = await runCommand(process.execPath, args, {
    timeoutMs: 60_000,
    maxOutputBytes: 64 * 1024 * 1024,
  })
  try {
    const { violations, examined } = JSON.parse(stdout) as Report
    if (examined.jobs === 0) return ['the audit saw no job']
    return violations.map(({ rule, job, message }) => `audit, ${rule}, job ${job}: ${message}`)
  } catch {
    return [`the audit ended with ${code}: ${stderr.trim()}`]
  }
}
