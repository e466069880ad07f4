/** The one package of the npm registry that setup fetches, through the admin's own npm: its registry, proxy and certificates count. */
import { existsSync } from 'node:fs'
import { readdir, rm, stat } from 'node:fs/promises'
import { delimiter, dirname, join } from 'node:path'
import { CommandNotStarted, type CommandResult, runCommand } from '../../lib/exec.js'
import { makeTemporary } from '../../lib/make-temporary.js'
import type { PinnedPackage } from './pinned.js'
import { runtimeUnavailable } from './unavailable.js'

const PROBE_TIMEOUT_MS = 10_000
const FETCH_TIMEOUT_MS = 20 * 60_000
const PROGRESS_MS = 300

interface Npm {
  readonly command: string
  readonly args: readonly string[]
}

/** The npm that runs this (`npm start`), else the one on the PATH, else the one that came with this Node. */
export function findNpm(env: NodeJS.ProcessEnv = process.env): Npm | undefined {
  const running = env.npm_execpath
  if (running !== undefined && /npm-cli\.[cm]?js$/.test(running)) {
    return { command: process.execPath, args: [running] }
  }
  const onPath = (env.PATH ?? '')
    .split(delimiter)
    .some((entry) => entry !== '' && existsSync(join(entry, 'npm')))
  if (onPath) return { command: 'npm', args: [] }
  const beside = join(dirname(process.execPath), '..', 'lib', 'node_modules', 'npm', 'bin', 'npm-cli.js')
  return existsSync(beside) ? { command: process.execPath, args: [beside] } : undefined
}

/**
 * Runs npm with a cache of its own, so that nothing is left in the admin's home, and in /: a .npmrc in a directory of the
 * service's user must not be read by root.
 */
function runNpm(npm: Npm, args: readonly string[], cache: string, timeoutMs: number, signal: AbortSignal) {
  const common = [
    ...args,
    '--cache',
    cache,
    '--ignore-scripts',
    '--no-update-notifier',
    '--loglevel',
    'error',
  ]
  return runCommand(npm.command, [...npm.args, ...common], { timeoutMs, signal, cwd: '/' })
}

/**
 * Why the package cannot be had from the registry, as a clause ("the npm registry did not answer"); undefined: it can. Changes
 * nothing.
 */
export async function whyNotFetchable(
  wanted: PinnedPackage,
  signal: AbortSignal,
  timeoutMs = PROBE_TIMEOUT_MS,
): Promise<string | undefined> {
  const npm = findNpm()
  if (!npm) return 'there is no npm to fetch one with'
  const cache = await makeTemporary('mt-npm-')
  try {
    const args = ['view', `${wanted.name}@${wanted.version}`, 'version', '--fetch-retries', '0']
    const asked = await runNpm(npm, args, cache, timeoutMs, signal)
    if (asked.timedOut) return `the npm registry did not answer within ${timeoutMs / 1000} s`
    if (asked.code !== 0) return explain(asked, wanted)
    return asked.stdout.trim() === wanted.version ? undefined : missing(wanted)
  } catch (error) {
    if (error instanceof CommandNotStarted) return `npm does not start: ${error.errno}`
    throw error
  } finally {
    await rm(cache, { recursive: true, force: true, maxRetries: 3 })
  }
}

function missing({ name, version }: PinnedPackage): string {
  return `the npm registry does not have ${name}@${version}`
}

/** npm's own words may hold the password of a proxy: only its error code is repeated. */
function explain({ stderr, code }: CommandResult, wanted: PinnedPackage): string {
  const said = /\bcode (E[A-Z0-9_]+)/.exec(stderr)?.[1]
  if (said === 'E404' || said === 'ETARGET') return missing(wanted)
  if (said === undefined) return `npm failed with exit code ${code}`
  return /^E4\d\d$/.test(said)
    ? `the npm registry refused (${said})`
    : `the npm registry did not answer (${said})`
}

/**
 * Fetches the tarball of the package into `directory`, which holds nothing else.
 * @returns its path; what it holds is not checked
 * @throws RUNTIME_UNAVAILABLE; the signal's reason
 */
export async function fetchPackage(
  wanted: PinnedPackage,
  directory: string,
  progress: (text: string) => void,
  signal: AbortSignal,
): Promise<string> {
  const npm = findNpm()
  if (!npm) throw runtimeUnavailable('there is no npm to fetch a Node.js with')
  const cache = join(directory, 'cache')
  const timer = setInterval(() => {
    void largestFile(directory).then((bytes) => {
      if (bytes > 0) progress(`${megabytes(Math.min(bytes, wanted.bytes))} of ${megabytes(wanted.bytes)} MB`)
    })
  }, PROGRESS_MS)
  try {
    const args = ['pack', `${wanted.name}@${wanted.version}`, '--pack-destination', directory]
    const packed = await runNpm(npm, args, cache, FETCH_TIMEOUT_MS, signal)
    if (packed.timedOut) {
      const limit = FETCH_TIMEOUT_MS / 60_000
      throw runtimeUnavailable(
        `fetching ${wanted.name} from the npm registry took longer than ${limit} minutes`,
      )
    }
    if (packed.code !== 0) throw runtimeUnavailable(explain(packed, wanted))
  } catch (error) {
    if (error instanceof CommandNotStarted)
      throw runtimeUnavailable(`npm does not start: ${error.errno}`, error)
    throw error
  } finally {
    clearInterval(timer)
  }
  const tarball = (await readdir(directory)).find((name) => name.endsWith('.tgz'))
  if (tarball === undefined) throw runtimeUnavailable(`npm fetched ${wanted.name}, but left no file`)
  return join(directory, tarball)
}

/** npm keeps what arrives in its cache before it writes the tarball; both are one file. */
async function largestFile(directory: string): Promise<number> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true }).catch(() => [])
  const sizes = entries
    .filter((entry) => entry.isFile())
    .map((entry) =>
      stat(join(entry.parentPath, entry.name)).then(
        ({ size }) => size,
        () => 0,
      ),
    )
  return Math.max(0, ...(await Promise.all(sizes)))
}

function megabytes(bytes: number): number {
  return Math.round(bytes / 1e6)
}
