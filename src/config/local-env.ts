import { spawn } from 'node:child_process'
import { access } from 'node:fs/promises'
import { messageOf } from '../lib/errors.js'
import { limitTime } from '../lib/time-limit.js'
import { ConfigError } from './problems.js'

const TIMEOUT_MS = 60_000
const MAX_OUTPUT_BYTES = 1024 * 1024
const MAX_STDERR_CHARACTERS = 4000

// What the file prints is not ours to read, so the variables come through descriptor 3. A last line such as
// `[ -f x ] && . x` ends with status 1 and is no mistake; a syntax error is, and `.` alone would go on after it.
const SCRIPT = 'bash -n "$1" || exit 2; . "$1" >/dev/null 3>&-; /usr/bin/env -0 >&3'

/** Set by bash itself, whatever the file does. */
const OF_THE_SHELL = new Set(['_', 'SHLVL', 'PWD', 'OLDPWD'])

/**
 * Runs local_env.sh with bash and returns the variables it set or changed; none when there is no such file. For the classic
 * launcher only (bin/pulsar of the real one sources the file; its other programs never read it).
 * @throws ConfigError LOCAL_ENV_FAILED with what the file wrote to stderr: a syntax error, `exit`, more than 60 s or 1 MiB.
 */
export async function readLocalEnv(
  file: string,
  env: Readonly<Record<string, string | undefined>>,
  signal: AbortSignal,
): Promise<Record<string, string>> {
  const isThere = await access(file).then(
    () => true,
    () => false,
  )
  if (!isThere) return {}
  const changed: Record<string, string> = {}
  for (const [name, value] of parseEnvironment(await runFile(file, env, signal))) {
    if (env[name] !== value && !OF_THE_SHELL.has(name)) changed[name] = value
  }
  return changed
}

function parseEnvironment(output: string): (readonly [string, string])[] {
  return output.split('\0').flatMap((entry) => {
    const at = entry.indexOf('=')
    return at > 0 ? [[entry.slice(0, at), entry.slice(at + 1)] as const] : []
  })
}

function runFile(
  file: string,
  env: Readonly<Record<string, string | undefined>>,
  signal: AbortSignal,
): Promise<string> {
  return new Promise((resolve, reject) => {
    // A group of its own, so that what the file started is stopped with it.
    const child = spawn('bash', ['-c', SCRIPT, 'bash', file], {
      env: { ...env },
      stdio: ['ignore', 'ignore', 'pipe', 'pipe'],
      detached: true,
    })
    const limit = limitTime(signal, TIMEOUT_MS)
    const chunks: Buffer[] = []
    let bytes = 0
    let stderr = ''
    let reason: string | undefined

    function stop(why: string): void {
      reason ??= why
      if (child.pid === undefined) return
      try {
        process.kill(-child.pid, 'SIGKILL')
      } catch {
        // It ended by itself in the meantime.
      }
    }
    const onAbort = (): void =>
      stop(
        signal.aborted
          ? 'was still running when the start was stopped'
          : `did not end within ${TIMEOUT_MS / 1000} s`,
      )
    limit.signal.addEventListener('abort', onAbort, { once: true })
    if (limit.signal.aborted) onAbort()

    child.stderr?.on('data', (chunk: Buffer) => {
      stderr = `${stderr}${chunk}`.slice(-MAX_STDERR_CHARACTERS)
    })
    const output = child.stdio[3]
    output?.on('data', (chunk: Buffer) => {
      bytes += chunk.length
      if (bytes > MAX_OUTPUT_BYTES) stop('set variables of more than 1 MiB')
      else chunks.push(chunk)
    })
    child.on('error', (error) => finish(`cannot be run with bash: ${messageOf(error)}`))
    child.on('close', (code, killed) => {
      finish(reason ?? (code === 0 ? undefined : `ended with ${killed ?? `exit code ${code}`}`))
    })

    function finish(failure: string | undefined): void {
      limit.release()
      if (failure === undefined && bytes > 0) {
        resolve(Buffer.concat(chunks).toString('utf8'))
        return
      }
      const said = stderr.trim()
      const message = `${failure ?? 'ended before its last line (exit)'}${said === '' ? '' : `:\n${said}`}`
      reject(new ConfigError([{ file, key: '', message }], 'LOCAL_ENV_FAILED'))
    }
  })
}
