import nodeFs from 'node:fs'
import { MagnetarError } from '../../../lib/errors.js'
import { type Attributes, attributesOf } from './attributes.js'
import type { ChangeTools } from './change-kind.js'
import { linkInTheWay, type Place } from './place.js'

export interface CurrentFile {
  readonly bytes: Buffer
  readonly attributes: Attributes
}

const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK } = nodeFs.constants

/**
 * The file called `name` at the place, as people know it: `file`. undefined: there is none.
 * @throws MagnetarError SETUP_CONFLICT for a link and for what is no regular file; the system error
 */
export function readCurrent(
  place: Place,
  name: string,
  file: string,
  tools: ChangeTools,
): CurrentFile | undefined {
  const { fs } = tools
  const there = fs.lstatSync(place.at(name), { throwIfNoEntry: false })
  if (!there) return undefined
  if (there.isSymbolicLink()) throw linkInTheWay(file, fs.readlinkSync(place.at(name)))
  return withFile(place, name, file, tools, (fd) => ({
    bytes: fs.readFileSync(fd),
    attributes: attributesOf(fs.fstatSync(fd)),
  }))
}

/** Opens a regular file without following a link, does the work and closes it. Errors as readCurrent. */
export function withFile<T>(
  place: Place,
  name: string,
  file: string,
  { fs }: ChangeTools,
  work: (fd: number) => T,
): T {
  // O_NONBLOCK: opening a pipe must not wait for a writer.
  const fd = fs.openSync(place.at(name), O_RDONLY | O_NOFOLLOW | O_NONBLOCK)
  try {
    if (!fs.fstatSync(fd).isFile())
      throw new MagnetarError('SETUP_CONFLICT', `${file} is in the way: it is no regular file`)
    return work(fd)
  } finally {
    fs.closeSync(fd)
  }
}
