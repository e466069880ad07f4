import fs from 'node:fs'
import path from 'node:path'
import { removeFile, writeFlags } from './end.js'
import { keepStreams } from './kept-streams.js'
import { readMarker } from './setup.js'

export interface ParkedFiles {
  readonly directory: string
  /** What flags a state; undefined: it must not be there. */
  readonly flags: Readonly<Record<string, unknown>>
  /** The job's, in the index of a Python server; undefined: it belongs in none. */
  readonly indexFile?: string | undefined
  /** The job has begun, and a Python server would empty its streams. */
  readonly keepsStreams?: boolean
}

/**
 * Leaves a job as a Python server expects it: flags that are not there yet and none that are undefined, its tool's id and version, and
 * an empty file in the index of its jobs. By that file it is found, so that comes last; right before it the streams are kept: cut off
 * in between, nothing is lost (takeBackJob), and what is in no index has them in place. @returns false when there is no directory of ours
 */
export function park({ directory, flags, indexFile, keepsStreams = false }: ParkedFiles): boolean {
  const tool = readMarker(directory)
  if (!tool) return false
  const all = { ...flags, tool_id: tool.toolId, tool_version: tool.toolVersion }
  const missing: Record<string, unknown> = {}
  for (const [name, value] of Object.entries(all)) {
    const file = path.join(directory, name)
    if (value === undefined) removeFile(file)
    else if (!fs.existsSync(file)) missing[name] = value
  }
  writeFlags(directory, missing)
  if (keepsStreams) keepStreams(directory)
  if (indexFile !== undefined) fs.writeFileSync(indexFile, '')
  return true
}
