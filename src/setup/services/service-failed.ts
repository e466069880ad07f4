import { MagnetarError } from '../../lib/errors.js'
import type { ServiceControl } from './service-control.js'

const INDENT = '    | '

/** SERVICE_FAILED with what the server wrote last, and the command to repeat once that is mended. */
export async function serviceFailed(
  control: Pick<ServiceControl, 'commandFor' | 'lastLogLines'>,
  message: string,
  signal: AbortSignal,
): Promise<MagnetarError> {
  const lines = await control.lastLogLines(signal)
  const log = lines.length === 0 ? '' : `. Its last lines:\n${lines.map((line) => INDENT + line).join('\n')}`
  const again = control.commandFor('restart')
  return new MagnetarError('SERVICE_FAILED', `${message}${log}`, {
    fix: again === '' ? 'Correct that and run the same command again.' : `Correct that, then: ${again}`,
  })
}
