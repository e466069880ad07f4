import type { ErrorCode } from '../lib/error-table.js'
import { MagnetarError } from '../lib/errors.js'
import { EXIT } from './exit-codes.js'

const CODES: Partial<Record<ErrorCode, number>> = {
  ANSWER_INVALID: EXIT.usage,
  ANSWERS_MISSING: EXIT.usage,
  NOT_PERMITTED: EXIT.notPermitted,
  VERIFY_FAILED: EXIT.verification,
  ADOPT_REFUSED: EXIT.drift,
  ADOPT_FAILED: EXIT.verification,
  CONFIG_INVALID: EXIT.config,
  CONFIG_UNREADABLE: EXIT.config,
}

/** The exit code for what ended a command. */
export function exitCodeOf(error: unknown): number {
  return (error instanceof MagnetarError ? CODES[error.code] : undefined) ?? EXIT.failed
}
