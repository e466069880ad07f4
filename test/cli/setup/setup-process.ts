import { spawn } from 'node:child_process'
import { chmod } from 'node:fs/promises'
import { userInfo } from 'node:os'
import { join, resolve } from 'node:path'
import { freePort } from '../../helpers/free-port.js'
import { tempDirectory } from '../../helpers/temp-directory.js'

export interface SetupRun {
  readonly exitCode: number | null
  readonly stdout: string
  readonly stderr: string
}

/** A directory for a node that the user who is to run it may enter. */
export async function nodeDirectory(): Promise<string> {
  const directory = await tempDirectory()
  await chmod(directory, 0o755)
  return directory
}

/** Flags for a node that changes nothing of the machine: no user is made, no service set up, no network needed. */
export async function harmless(directory: string): Promise<string[]> {
  const user = userInfo().uid === 0 ? ['--user', 'nobody'] : []
  const prefix = ['--prefix', join(directory, 'node'), '--port', String(await freePort())]
  return [...prefix, ...user, '--manager', 'local', '--no-conda', '--no-service', '--node', process.execPath]
}

/** Runs `magnetar setup …` without a terminal. */
export function runSetup(
  words: readonly string[],
  options: { readonly input?: string; readonly env?: NodeJS.ProcessEnv; readonly cwd?: string } = {},
): Promise<SetupRun> {
  return new Promise((done, fail) => {
    // Without a Supervisor that may be on this machine: it is asked each time.
    const none = '/nonexistent/supervisord.conf'
    const env = { ...process.env, MAGNETAR_PREFIX: '', MAGNETAR_SETUP_SUPERVISOR_CONF: none, ...options.env }
    const child = spawn(process.execPath, [resolve('bin/magnetar.js'), 'setup', ...words], {
      env,
      cwd: options.cwd,
      stdio: 'pipe',
      timeout: 60_000,
      killSignal: 'SIGKILL',
    })
    let [stdout, stderr] = ['', '']
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout += text
    })
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text
    })
    child.stdin.on('error', () => {})
    child.stdin.end(options.input ?? '')
    child.once('error', fail)
    child.once('close', (exitCode) => done({ exitCode, stdout, stderr }))
  })
}

export interface SetupRecord {
  readonly event: string
  readonly [key: string]: unknown
}

/** The events of --json; every line has to be one. */
export function eventsOf({ stdout }: SetupRun): SetupRecord[] {
  return stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as SetupRecord)
}
