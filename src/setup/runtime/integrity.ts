/** What a file is, as registries write it: `sha512-BASE64`. The algorithm stands in the text. */
import { createHash } from 'node:crypto'
import { open } from 'node:fs/promises'

/** Of tarballs, since the registry gives it. */
export const OF_TARBALLS = 'sha512'
/** Of a program that is copied: as safe here, and processors have instructions for it; it is 100 MB that are read twice. */
export const OF_PROGRAMS = 'sha256'

const ALGORITHMS = [OF_TARBALLS, OF_PROGRAMS] as const
export type Algorithm = (typeof ALGORITHMS)[number]

const BLOCK_BYTES = 512 * 1024

/** `sha512-BASE64` of a file. @throws the system error; the signal's reason */
export async function integrityOf(file: string, algorithm: Algorithm, signal: AbortSignal): Promise<string> {
  const hash = createHash(algorithm)
  const handle = await open(file)
  try {
    // One block for all: fresh memory for each costs as much as the digest.
    const block = Buffer.allocUnsafe(BLOCK_BYTES)
    for (;;) {
      signal.throwIfAborted()
      const { bytesRead } = await handle.read(block, 0, BLOCK_BYTES)
      if (bytesRead === 0) break
      hash.update(block.subarray(0, bytesRead))
    }
  } finally {
    await handle.close()
  }
  return `${algorithm}-${hash.digest('base64')}`
}

/** undefined: one that is not used here. */
export function algorithmOf(integrity: string): Algorithm | undefined {
  return ALGORITHMS.find((algorithm) => integrity.startsWith(`${algorithm}-`))
}

/**
 * Tells of texts whether they are of `file`, each by the algorithm that it names: setup has not always used the same for programs.
 * The file is read once for an algorithm.
 */
export function integrityComparer(
  file: string,
  signal: AbortSignal,
): (integrity: string) => Promise<boolean> {
  const known = new Map<Algorithm, Promise<string>>()
  return async (integrity) => {
    const algorithm = algorithmOf(integrity)
    if (algorithm === undefined) return false
    const own = known.get(algorithm) ?? integrityOf(file, algorithm, signal)
    known.set(algorithm, own)
    return (await own) === integrity
  }
}
