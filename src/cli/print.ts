import { ERRORS } from '../lib/error-table.js'
import { MagnetarError, messageOf } from '../lib/errors.js'

/** Tells a person what went wrong and what to do; no stack trace for what they can fix themselves. */
export function printError(error: unknown): void {
  if (!(error instanceof MagnetarError)) {
    process.stderr.write(
      `magnetar: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`,
    )
    return
  }
  const lines = [`magnetar: ${error.message}`]
  if (error.code === 'INTERNAL' && error.cause !== undefined) lines.push(messageOf(error.cause))
  lines.push(`  Fix: ${error.fix ?? ERRORS[error.code].fix}  [${error.code}]`)
  process.stderr.write(`${lines.join('\n')}\n`)
}
