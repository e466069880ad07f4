/** `upgrade --to`: another package is installed by its own program, which knows best what belongs to it. */
import { spawn } from 'node:child_process'
import { readdir, readFile, rm, stat } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { errnoOf, MagnetarError, messageOf } from '../../lib/errors.js'
import { CommandNotStarted, runCommand } from '../../lib/exec.js'
import { makeTemporary } from '../../lib/make-temporary.js'
import { readPackageManifest } from '../../setup/release/closure.js'
import { listReleaseFiles } from '../../setup/release/contents.js'
import { isAtLeast } from '../../setup/runtime/pinned.js'
import { EXIT } from '../exit-codes.js'

const UNPACK_TIMEOUT_MS = 120_000

/**
 * Runs `magnetar upgrade ARGS` of the package at `to`, a directory or a tarball, with this Node; resolves with its exit code.
 * @throws RELEASE_UNKNOWN when there is no complete package
 */
export async function handOver(to: string, args: readonly string[]): Promise<number> {
  const path = resolve(to)
  const found = await stat(path).catch((error: unknown) => {
    const isMissing = ['ENOENT', 'ENOTDIR'].includes(errnoOf(error) ?? '')
    const message = isMissing
      ? `there is no such file or directory: ${path}`
      : `cannot read ${path}: ${messageOf(error)}`
    throw new MagnetarError('RELEASE_UNKNOWN', message, { cause: error })
  })
  if (found.isDirectory()) {
    await demandComplete(path)
    return runPackage(path, args)
  }
  const scratch = await makeTemporary('magnetar-upgrade-')
  try {
    const root = await unpack(path, scratch)
    await demandComplete(root).catch((error: unknown) => {
      if (!(error instanceof MagnetarError)) throw error
      // What it says to do cannot be done in a directory that is about to go.
      throw new MagnetarError(error.code, error.message.replaceAll(root, path), {
        fix: 'Unpack it, run "npm install --omit=dev" there and name that directory. Or pack an installed release, which is complete: tar -C PREFIX/lib/releases -czf FILE VERSION',
        cause: error,
      })
    })
    return await runPackage(root, args)
  } finally {
    await rm(scratch, { recursive: true, force: true, maxRetries: 3 })
  }
}

async function unpack(tarball: string, scratch: string): Promise<string> {
  try {
    const ran = await runCommand('tar', ['-xof', tarball, '-C', scratch], {
      timeoutMs: UNPACK_TIMEOUT_MS,
    })
    if (ran.code !== 0) {
      const words = ran.stderr.trim().split('\n')[0] ?? `exit code ${ran.code}`
      throw new MagnetarError('RELEASE_UNKNOWN', `${tarball} cannot be unpacked: ${words}`)
    }
  } catch (error) {
    if (error instanceof CommandNotStarted)
      throw new MagnetarError('RELEASE_UNKNOWN', messageOf(error), { cause: error })
    throw error
  }
  // As npm and git pack them, all of it is in one directory.
  const [top, ...more] = await readdir(scratch)
  return top !== undefined && more.length === 0 ? join(scratch, top) : scratch
}

/** Throws RELEASE_UNKNOWN when it is not compiled, packages are missing, or this Node is too old for it. */
async function demandComplete(root: string): Promise<void> {
  const manifest = await readPackageManifest(root)
  await listReleaseFiles(root, manifest)
  await demandEngine(root, manifest.version)
}

async function runPackage(root: string, args: readonly string[]): Promise<number> {
  const program = join(root, 'bin', 'magnetar.js')
  const child = spawn(process.execPath, [program, 'upgrade', ...args], { stdio: 'inherit' })
  // A Ctrl-C in a terminal reaches both; it is the other program that knows what to do, and this one waits for it.
  const wait = (): void => {}
  const forward = (): void => {
    child.kill('SIGTERM')
  }
  process.on('SIGINT', wait)
  process.on('SIGTERM', forward)
  try {
    return await new Promise<number>((done, fail) => {
      child.once('error', fail)
      child.once('exit', (code) => done(code ?? EXIT.failed))
    })
  } finally {
    process.off('SIGINT', wait)
    process.off('SIGTERM', forward)
  }
}

async function demandEngine(root: string, version: string): Promise<void> {
  const { engines } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as {
    engines?: { node?: string }
  }
  const oldest = /^>=\s*([\d.]+)$/.exec(engines?.node ?? '')?.[1]
  if (oldest === undefined || isAtLeast(process.versions.node, oldest)) return
  throw new MagnetarError(
    'RELEASE_UNKNOWN',
    `release ${version} needs Node.js ${oldest} or newer, and this is ${process.versions.node}`,
    {
      fix: `Run it with a newer one: /path/to/node ${join(root, 'bin', 'magnetar.js')} upgrade`,
    },
  )
}
