import nodeFs, { type Stats } from 'node:fs'
import path from 'node:path'
import { errnoOf, MagnetarError } from '../../../lib/errors.js'
import type { ChangeTools } from './change-kind.js'

/**
 * Where a change is made: a name in a directory that is held by its descriptor. Root works in directories of the service's user here,
 * who may put a link in place of any of them at any moment; through the descriptor it stays the directory that was looked at
 * (/proc/self/fd, as src/lib/confined-file-walk.ts has it).
 */
export interface Place {
  readonly name: string
  /** The directory, as a path through its descriptor. */
  readonly directory: string
  /** Where the directory really is. */
  readonly realDirectory: string
  /** A path through the descriptor to something in the directory. */
  at(name: string): string
}

type PlaceTools = Pick<ChangeTools, 'fs' | 'prefix' | 'uid'>

// Linux; not in fs.constants. A descriptor that only names the file: needs no permission to read, opens no device.
const O_PATH = 0o10000000
const { O_DIRECTORY, O_NOFOLLOW } = nodeFs.constants

/**
 * Opens the directory that holds `file`, does the work there and closes it.
 * @throws MagnetarError SETUP_CONFLICT for a link on the way that is not followed; the system error (ENOENT: it is not there)
 */
export async function withPlace<T>(
  file: string,
  tools: PlaceTools,
  work: (place: Place) => T | Promise<T>,
): Promise<T> {
  const fd = openParent(file, tools)
  try {
    const directory = `/proc/self/fd/${fd}`
    return await work({
      name: path.basename(file),
      directory,
      realDirectory: tools.fs.readlinkSync(directory),
      at: (name) => `${directory}/${name}`,
    })
  } finally {
    tools.fs.closeSync(fd)
  }
}

/**
 * Opens the directory called `name` at the place, does the work and closes it. The descriptor only names the directory.
 * @throws MagnetarError SETUP_CONFLICT for a link and for what is no directory; the system error (ENOENT: it is not there)
 */
export function withDirectory<T>(place: Place, name: string, tools: PlaceTools, work: (fd: number) => T): T {
  const fd = openComponent(place.at(name), path.join(place.realDirectory, name), tools)
  try {
    return work(fd)
  } finally {
    tools.fs.closeSync(fd)
  }
}

/** What may be at the end of a path: any link, a link to a directory that is followed, or no link. */
export type AtEnd = 'any' | 'followed' | 'none'

/**
 * Looks, before anything is changed, whether a link is on the way to `file` or at its end. What is not there cannot be one.
 * @throws MagnetarError SETUP_CONFLICT
 */
export function refuseLinks(file: string, end: AtEnd, tools: PlaceTools): void {
  const { fs } = tools
  let fd: number
  try {
    fd = openParent(file, tools)
  } catch (error) {
    if (error instanceof MagnetarError) throw error
    return
  }
  try {
    const last = `/proc/self/fd/${fd}/${path.basename(file)}`
    const stats = fs.lstatSync(last, { throwIfNoEntry: false })
    if (!stats?.isSymbolicLink() || end === 'any' || (end === 'followed' && isFollowed(stats, tools))) return
    throw linkInTheWay(file, fs.readlinkSync(last))
  } finally {
    fs.closeSync(fd)
  }
}

/** The refusal to go through a link, or to replace one. */
export function linkInTheWay(link: string, target: string | undefined): MagnetarError {
  const to = target === undefined ? '' : ` to ${target}`
  return new MagnetarError(
    'SETUP_CONFLICT',
    `${link} is a symbolic link${to}; setup does not write through links, since whoever may change one could lead it elsewhere`,
    {
      fix: `Put a real file or directory in its place (a directory elsewhere: mount --bind), or give --prefix the path without links.`,
    },
  )
}

function openParent(file: string, tools: PlaceTools): number {
  if (!path.isAbsolute(file) || path.normalize(file) !== file || file.endsWith('/'))
    throw new Error(`not a normalized absolute path: ${file}`)
  const { prefix, fs } = tools
  const directory = path.dirname(file)
  // Above the prefix and elsewhere (/etc/supervisor) the directories are the machine's own.
  if (!isWithin(prefix, directory)) return fs.openSync(directory, O_PATH | O_DIRECTORY)
  let at = path.dirname(prefix)
  let fd = fs.openSync(at, O_PATH | O_DIRECTORY)
  try {
    for (const component of componentsBetween(at, directory, tools)) {
      at = path.join(at, component)
      const next = openComponent(`/proc/self/fd/${fd}/${component}`, at, tools)
      fs.closeSync(fd)
      fd = next
    }
    return fd
  } catch (error) {
    fs.closeSync(fd)
    throw error
  }
}

/** lib/current is a link of our own; where it says a release, the way leads through that. */
function componentsBetween(base: string, directory: string, { fs, prefix }: PlaceTools): string[] {
  const components = path.relative(base, directory).split(path.sep)
  const current = path.join(prefix, 'lib', 'current')
  if (!isWithin(current, directory)) return components
  const [, lib = '', , ...rest] = components
  let target: string
  try {
    target = fs.readlinkSync(current)
  } catch {
    return components
  }
  if (!/^releases\/(?!\.\.?$)[^/]+$/.test(target)) return components
  return [path.basename(prefix), lib, ...target.split('/'), ...rest]
}

function openComponent(through: string, name: string, tools: PlaceTools): number {
  const { fs } = tools
  try {
    return fs.openSync(through, O_PATH | O_DIRECTORY | O_NOFOLLOW)
  } catch (error) {
    const stats = fs.lstatSync(through, { throwIfNoEntry: false })
    if (stats?.isSymbolicLink()) {
      if (isFollowed(stats, tools)) return fs.openSync(through, O_PATH | O_DIRECTORY)
      throw linkInTheWay(name, fs.readlinkSync(through))
    }
    if (errnoOf(error) !== 'ENOTDIR') throw error
    throw new MagnetarError('SETUP_CONFLICT', `${name} is in the way: it is no directory`, { cause: error })
  }
}

/** A link of one's own, unless one is root: it leads no further than one could go oneself. */
function isFollowed(link: Stats, { uid }: PlaceTools): boolean {
  return uid !== 0 && link.uid === uid
}

/** Whether a normalized path is `root` or below it. */
export function isWithin(root: string, file: string): boolean {
  return file === root || file.startsWith(root.endsWith('/') ? root : `${root}/`)
}
