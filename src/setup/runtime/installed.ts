import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { NodePaths } from '../types.js'

/** Says what a runtime is, and that it is complete: written last. Without paths, so that the prefix can be moved. */
export const RUNTIME_FILE = 'runtime.json'

export interface InstalledRuntime {
  /** The directory below lib/node: the version, or `VERSION+DIGEST` when another build of that version has its name. */
  readonly name: string
  readonly version: string
  /** Of what it was made from, the tarball (`sha512-…`) or the program copied (`sha256-…`). */
  readonly integrity: string
}

export function runtimeBinary(paths: NodePaths, name: string): string {
  return join(paths.runtimes, name, 'bin', 'node')
}

/** The runtimes that setup made here. */
export async function readRuntimes(paths: NodePaths): Promise<InstalledRuntime[]> {
  const names = await readdir(paths.runtimes).catch(() => [])
  // Those with a dot are being made or removed, or were when a run was killed.
  const whole = names.filter((name) => !name.startsWith('.'))
  const found = await Promise.all(whole.map((name) => readRuntime(paths, name)))
  return found.flatMap((runtime) => runtime ?? [])
}

async function readRuntime(paths: NodePaths, name: string): Promise<InstalledRuntime | undefined> {
  try {
    const text = await readFile(join(paths.runtimes, name, RUNTIME_FILE), 'utf8')
    const { version, integrity } = JSON.parse(text) as Record<string, unknown>
    return typeof version === 'string' && typeof integrity === 'string'
      ? { name, version, integrity }
      : undefined
  } catch {
    return undefined
  }
}
