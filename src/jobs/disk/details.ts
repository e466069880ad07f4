import fs from 'node:fs'
import path from 'node:path'
import { STARTED_FILE } from '../../schedulers/started-file.js'
import { RESERVED_DIRECTORY } from '../job-id.js'
import { readReturnCode } from './end.js'
import { createLister } from './listing.js'
import { readStream } from './streams.js'

/** What a person is shown of a job directory: not all that a job can leave there. */
const LISTED = { names: 2000, characters: 1024 * 1024, links: 200 }
const TAIL_BYTES = 8192
const DIRECTORIES = ['inputs', 'outputs', 'working'] as const

export interface DirectoryDetails {
  readonly files: readonly { readonly name: string; readonly bytes: number }[]
  /** There are more files than are listed. */
  readonly isCut: boolean
  readonly hasScript: boolean
  readonly returnCode: number | undefined
  /** The ends of the tool's streams. */
  readonly stdout: string
  readonly stderr: string
}

/** What is in the directory of a job; undefined when it is gone. Written for people: everything in it is bounded. */
export function describeDirectory(directory: string): DirectoryDetails | undefined {
  // Not by a link: root may be asking, and the directory above is its user's.
  if (!fs.lstatSync(directory, { throwIfNoEntry: false })?.isDirectory()) return undefined
  const lister = createLister(LISTED)
  const files = DIRECTORIES.flatMap((place) =>
    lister.filesBelow(path.join(directory, place)).map((name) => {
      const found = fs.lstatSync(path.join(directory, place, name), { throwIfNoEntry: false })
      return { name: `${place}/${name}`, bytes: found?.size ?? 0 }
    }),
  )
  return {
    files,
    isCut: lister.isCut,
    hasScript: fs.existsSync(path.join(directory, 'command.sh')),
    returnCode: readReturnCode(directory, true),
    stdout: tailOf(directory, 'stdout'),
    stderr: tailOf(directory, 'stderr'),
  }
}

/** Of the tool, and where that wrote nothing, of the job script around it. */
function tailOf(directory: string, stream: 'stdout' | 'stderr'): string {
  for (const name of [`tool_${stream}`, `job_${stream}`]) {
    const text = readStream(path.join(directory, 'metadata'), name, TAIL_BYTES)
    if (text) return text
  }
  return ''
}

export interface Traces {
  readonly isThere: boolean
  readonly isStarted: boolean
  readonly returnCode: number | undefined
}

/** What a job script has left so far, for a job that no server watches. */
export function readTraces(directory: string): Traces {
  const announced = path.join(
    path.dirname(directory),
    RESERVED_DIRECTORY,
    'started',
    path.basename(directory),
  )
  return {
    isThere: fs.existsSync(directory),
    isStarted: fs.existsSync(path.join(directory, STARTED_FILE)) || fs.existsSync(announced),
    returnCode: readReturnCode(directory, true),
  }
}
