/** Makes a runtime, lib/node/VERSION, at a place that does not exist yet; each way ends with the result having been run. */
import { constants } from 'node:fs'
import { chmod, copyFile, mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { RUNTIME_FILE } from './installed.js'
import { algorithmOf, integrityComparer } from './integrity.js'
import { fetchPackage } from './npm.js'
import type { PinnedPackage } from './pinned.js'
import { askNode, type NodeProgram } from './program.js'
import { unpackTarball } from './tarball.js'
import { runtimeUnavailable } from './unavailable.js'

/** Where a runtime comes from. */
export type RuntimeOrigin =
  | { readonly kind: 'registry'; readonly package: PinnedPackage }
  | { readonly kind: 'tarball'; readonly file: string; readonly top: string }
  | { readonly kind: 'copy'; readonly program: NodeProgram }

export interface RuntimeBuild {
  readonly origin: RuntimeOrigin
  readonly version: string
  readonly integrity: string
}

/**
 * Makes the runtime at `target`. What is half there when it fails is the caller's to remove.
 * @throws RUNTIME_UNAVAILABLE; system errors (ENOSPC); the signal's reason
 */
export async function buildRuntime(
  { origin, version, integrity }: RuntimeBuild,
  target: string,
  progress: (text: string) => void,
  signal: AbortSignal,
): Promise<void> {
  for (const directory of [target, join(target, 'bin')]) {
    await mkdir(directory)
    await chmod(directory, 0o755)
  }
  const binary = join(target, 'bin', 'node')
  if (origin.kind === 'copy') await copyBinary(origin.program.binary, binary, integrity, signal)
  else if (origin.kind === 'tarball') {
    await checkIntegrity(origin.file, integrity, signal)
    progress('unpacking')
    await unpackTarball(origin, target, signal)
  } else await fetchAndUnpack(origin.package, target, progress, signal)
  await chmod(binary, 0o755)
  const made = await askNode(binary, signal)
  if (made.version !== version) {
    throw runtimeUnavailable(`the Node.js unpacked is ${made.version}, and ${version} was expected`)
  }
  await writeFile(join(target, RUNTIME_FILE), `${JSON.stringify({ version, integrity }, null, 2)}\n`)
  await chmod(join(target, RUNTIME_FILE), 0o644)
}

async function copyBinary(
  source: string,
  copy: string,
  integrity: string,
  signal: AbortSignal,
): Promise<void> {
  await copyFile(source, copy, constants.COPYFILE_FICLONE)
  // Also against a program that was replaced since the plan was shown.
  await checkIntegrity(copy, integrity, signal, source)
}

async function fetchAndUnpack(
  wanted: PinnedPackage,
  target: string,
  progress: (text: string) => void,
  signal: AbortSignal,
): Promise<void> {
  const scratch = join(target, '.fetch')
  await mkdir(scratch, { mode: 0o700 })
  try {
    const file = await fetchPackage(wanted, scratch, progress, signal)
    await checkIntegrity(file, wanted.integrity, signal, `what npm fetched for ${wanted.name}`)
    progress('unpacking')
    await unpackTarball({ file, top: 'package' }, target, signal)
  } finally {
    await rm(scratch, { recursive: true, force: true, maxRetries: 3 })
  }
}

async function checkIntegrity(
  file: string,
  integrity: string,
  signal: AbortSignal,
  name = file,
): Promise<void> {
  if (await integrityComparer(file, signal)(integrity)) return
  const algorithm = algorithmOf(integrity) ?? 'digest'
  throw runtimeUnavailable(
    `${name} is damaged or incomplete, or was changed meanwhile: its ${algorithm} is wrong`,
  )
}
