import { runCommand } from '../../lib/exec.js'
import { EXIT } from '../exit-codes.js'
import { SIGNS } from '../palette.js'
import type { Output } from '../setup/output.js'

/** Galaxy with many handlers takes its time. */
const TIMEOUT_MS = 10 * 60_000
const SHOWN_LINES = 20

/** Runs what the admin gave, in a shell, as it would be typed; without it, says that Galaxy is to be restarted. The exit code. */
export async function restartGalaxy(
  command: string | undefined,
  signal: AbortSignal,
  output: Output,
): Promise<number> {
  const { green, red } = output.palette
  if (command === undefined) {
    output.say('Galaxy takes it up when it is restarted.')
    return EXIT.ok
  }
  const { code, timedOut, stdout, stderr } = await output.during(`Running ${command}`, () =>
    runCommand('sh', ['-c', command], { timeoutMs: TIMEOUT_MS, signal }),
  )
  output.event('restart', { command, code, timedOut })
  for (const line of `${stdout}${stderr}`.trimEnd().split('\n').slice(-SHOWN_LINES))
    if (line !== '') output.print(`  | ${line}`)
  if (code === 0 && !timedOut) {
    output.say(`${green(SIGNS.done)} Restarted: ${command}`)
    return EXIT.ok
  }
  const how = timedOut
    ? `did not end within ${TIMEOUT_MS / 60_000} minutes`
    : `ended with ${code ?? 'a signal'}`
  output.warn(`${red(SIGNS.failed)} The file is changed, but the restart failed: ${command} ${how}`)
  return EXIT.failed
}
