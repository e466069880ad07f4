import { lookUpUser } from '../../lib/accounts.js'
import { MagnetarError } from '../../lib/errors.js'
import { CommandNotStarted, runCommand } from '../../lib/exec.js'
import type { FoundPulsar } from './adoption.js'
import { asUser } from './as-user.js'
import { splitCommand } from './command-words.js'
import { serviceEnvironment } from './demands-of-start.js'

/** More than the server gives local_env.sh, so that it says itself what did not end. */
const LIMIT_MS = 75_000
const MAX_LINES = 12
/** Of an earlier adoption, or a node that was there before. */
const RECORDS_FIX =
  'Correct that; or, when nobody needs these records any more, move magnetar-store away: the jobs that the Python Pulsar has are taken over without it. Then run the command again.'

/**
 * Has Magnetar itself say whether it would start: the service's command, as its user, in its directory and environment, with a variable
 * that makes the server look at everything and serve nothing. The program has to be in its place.
 * @throws MagnetarError ADOPT_REFUSED with what it said
 */
export async function tryService(
  { service, prefix, pid }: Pick<FoundPulsar, 'service' | 'prefix' | 'pid'>,
  signal: AbortSignal,
): Promise<void> {
  const { definition, pulsar } = service
  const { expanded, directory, user: name } = definition
  // What only its manager can fill in, nobody else can start.
  if (expanded === undefined) return
  const command = pulsar.rewrite(expanded, `${prefix}/bin`, (text) => text)
  const words = (splitCommand(command) ?? []).map(({ text }) => text)
  const user = name === undefined ? undefined : await lookUpUser(name, signal)
  const [program, ...args] = asUser(user, words)
  const env = { ...(await serviceEnvironment(definition.env, pid)), MAGNETAR_TRY_START: '1' }
  const options = { timeoutMs: LIMIT_MS, signal, cwd: directory, env }
  const result = await runCommand(program, args, options).catch((error: unknown) => {
    if (error instanceof CommandNotStarted) return error
    throw error
  })
  if (!(result instanceof CommandNotStarted) && result.code === 0) return
  const why =
    result instanceof CommandNotStarted
      ? result.message
      : result.timedOut
        ? `it did not say so within ${LIMIT_MS / 1000} s. Its last words:\n${lastLines(`${result.stdout}\n${result.stderr}`)}`
        : lastLines(`${result.stdout}\n${result.stderr}`) || `it ended with ${result.signal ?? result.code}`
  throw new MagnetarError(
    'ADOPT_REFUSED',
    `Magnetar would not start as ${user?.name ?? 'the service'} does; the service was not touched:\n${why}`,
    { fix: why.includes('[STORE_BROKEN]') ? RECORDS_FIX : 'Correct that and run the command again.' },
  )
}

function lastLines(text: string): string {
  const lines = text.split('\n').filter((line) => line.trim() !== '')
  return lines
    .slice(-MAX_LINES)
    .map((line) => `  | ${line}`)
    .join('\n')
}
