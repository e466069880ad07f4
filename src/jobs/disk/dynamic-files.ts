import fs from 'node:fs'
import path from 'node:path'
import { readSmallFile } from '../../lib/confined-file.js'
import { errnoOf, MagnetarError } from '../../lib/errors.js'

/** Some 300 bytes describe a file, so that this is enough for 50,000; it has to fit into an answer and into memory. */
const MAX_BYTES = 16 * 1024 * 1024

export interface DynamicFiles {
  /** Entries of dynamic_file_sources whose files the tool wrote, each with `contents`. */
  readonly realized: readonly Record<string, unknown>[]
  /** Files that are too large to be a description of outputs: sentences. */
  readonly refused: readonly string[]
}

/**
 * Reads the files in which a tool describes its outputs (pulsar/managers/staging/post.py: realized_dynamic_file_sources).
 * @param sources `dynamic_file_sources` of the launch_config
 */
export function readDynamicFiles(directory: string, sources: unknown): DynamicFiles {
  const realized: Record<string, unknown>[] = []
  const refused: string[] = []
  let left = MAX_BYTES
  for (const source of Array.isArray(sources) ? (sources as ({ readonly path?: unknown } | null)[]) : []) {
    if (typeof source?.path !== 'string') continue
    const contents = readText(path.join(directory, 'working'), source.path, left)
    if (contents === 'too large') {
      refused.push(
        `${JSON.stringify(source.path.slice(0, 200))} has more than ${MAX_BYTES / 1024 / 1024} MiB and is not read: files that only it names are not found`,
      )
    } else if (contents !== undefined) {
      left -= contents.bytes
      realized.push({ ...source, contents: contents.text })
    }
  }
  return { realized, refused }
}

/** undefined: there is no such file of the job. */
function readText(
  base: string,
  name: string,
  maxBytes: number,
): { readonly text: string; readonly bytes: number } | 'too large' | undefined {
  try {
    const file = readSmallFile(base, name.split('/'), maxBytes)
    if ('content' in file) {
      return { text: Buffer.from(file.content).toString('utf8'), bytes: file.size }
    }
    fs.closeSync(file.fd)
    return 'too large'
  } catch (error) {
    if (error instanceof MagnetarError || errnoOf(error) === 'EACCES') return undefined
    throw error
  }
}
