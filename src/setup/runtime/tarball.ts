/** Tarballs that hold a Node.js: the npm package (package/bin/node) and those of nodejs.org (node-v24.…/bin/node). */
import { lstat, mkdir } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { messageOf } from '../../lib/errors.js'
import { CommandNotStarted, type CommandResult, runCommand } from '../../lib/exec.js'
import { integrityOf, OF_TARBALLS } from './integrity.js'
import { PINNED_PACKAGES, type PinnedPackage } from './pinned.js'
import { runtimeUnavailable } from './unavailable.js'

const TIMEOUT_MS = 5 * 60_000

export interface RuntimeTarball {
  readonly file: string
  /** The directory that all of it is in: "package", "node-v24.21.0-linux-x64". */
  readonly top: string
  readonly version: string
  readonly integrity: string
  /** It is the pinned package, byte for byte. */
  readonly verified: boolean
}

/**
 * What a tarball holds, without unpacking it.
 * @throws RUNTIME_UNAVAILABLE when it cannot be read, holds no Node.js, or has a pinned package's name but not its content
 */
export async function inspectTarball(
  file: string,
  signal: AbortSignal,
  packages: readonly PinnedPackage[] = PINNED_PACKAGES,
): Promise<RuntimeTarball> {
  const integrity = await integrityOf(file, OF_TARBALLS, signal).catch((error: unknown) => {
    signal.throwIfAborted()
    throw runtimeUnavailable(`the runtime tarball cannot be read: ${messageOf(error)}`, error)
  })
  const pinned = packages.find((known) => known.integrity === integrity)
  if (pinned) return { file, top: 'package', version: pinned.version, integrity, verified: true }
  if (packages.some(({ name, version }) => basename(file) === `${name}-${version}.tgz`)) {
    throw runtimeUnavailable(
      `${file} is not what its name says: it is damaged or incomplete (its sha512 is wrong)`,
    )
  }
  const top = await firstDirectory(file, signal)
  const version =
    /^node-v(\d+\.\d+\.\d+[^/]*?)(?:-[a-z]+-[a-z0-9]+)?$/.exec(top)?.[1] ??
    (await npmVersion(file, top, signal))
  return { file, top, version, integrity, verified: false }
}

async function firstDirectory(file: string, signal: AbortSignal): Promise<string> {
  // head ends the listing at once: the whole of it would be decompressed to the end.
  const script = 'tar -tf "$1" | head -n 1'
  const listed = await runTool('sh', ['-c', script, 'sh', file], signal)
  const top = /^(?:\.\/)?([^/\n]+)\//.exec(listed.stdout)?.[1]
  if (top !== undefined) return top
  const words = listed.stderr.trim().split('\n')[0]
  throw runtimeUnavailable(`${file} is no tarball that can be read${words ? ` (${words})` : ''}`)
}

async function npmVersion(file: string, top: string, signal: AbortSignal): Promise<string> {
  const printed = await runTool('tar', ['-xOf', file, `${top}/package.json`], signal)
  const version = /"version"\s*:\s*"(\d+\.\d+\.\d+[^"]*)"/.exec(printed.stdout)?.[1]
  if (printed.code === 0 && version !== undefined) return version
  throw runtimeUnavailable(
    `${file} holds no Node.js as npm or nodejs.org pack it: ${top}/package.json cannot be read from it`,
  )
}

/**
 * Unpacks the binary and its licence to `target`, an existing directory.
 * @throws RUNTIME_UNAVAILABLE when the tarball ends early or has no bin/node; the signal's reason
 */
export async function unpackTarball(
  { file, top }: Pick<RuntimeTarball, 'file' | 'top'>,
  target: string,
  signal: AbortSignal,
): Promise<void> {
  const members = [`${top}/bin/node`, `${top}/LICENSE`]
  await mkdir(join(target, 'bin'), { recursive: true })
  const ran = await runTool('tar', ['-xof', file, '-C', target, '--strip-components=1', ...members], signal)
  const node = await lstat(join(target, 'bin', 'node')).catch(() => undefined)
  if (ran.code === 0 && node?.isFile()) return
  const words = ran.stderr.trim().split('\n')[0]
  throw runtimeUnavailable(`${file} could not be unpacked${words ? `: ${words}` : ', it holds no bin/node'}`)
}

async function runTool(
  command: string,
  args: readonly string[],
  signal: AbortSignal,
): Promise<CommandResult> {
  try {
    const ran = await runCommand(command, args, { timeoutMs: TIMEOUT_MS, signal })
    if (ran.timedOut) throw runtimeUnavailable(`${command} did not end within ${TIMEOUT_MS / 60_000} minutes`)
    return ran
  } catch (error) {
    if (error instanceof CommandNotStarted) throw runtimeUnavailable(messageOf(error), error)
    throw error
  }
}
