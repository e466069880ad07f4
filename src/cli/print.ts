import { ERRORS } from '../lib/error-table.js'
import { errnoOf, MagnetarError, messageOf, toMagnetarError } from '../lib/errors.js'

/** Tells a person what went wrong and what to do; no stack trace for what they can fix themselves. */
export function printError(error: unknown): void {
  const errno = errnoOf(error)
  // What the system refused is no fault of the program: its words say more than the place where they arrived.
  if (!(error instanceof MagnetarError) && errno !== undefined && /^E[A-Z0-9]+$/.test(errno)) {
    const { code } = toMagnetarError(error)
    const fix = code === 'INTERNAL' ? '' : `  Fix: ${ERRORS[code].fix}  [${code}]\n`
    process.stderr.write(`magnetar: ${messageOf(error)}\n${fix}`)
    return
  }
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
