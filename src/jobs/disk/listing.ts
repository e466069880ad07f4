import fs from 'node:fs'
import path from 'node:path'
import { UPLOAD_PREFIX } from '../../lib/confined-file.js'
import { errnoOf } from '../../lib/errors.js'
import { joinRaw, mayBeOtherThanUtf8, notUtf8Names, openConfined, realParent } from './raw-names.js'

/** How much of a job's directories is listed: a tool can leave millions of names, and all of them have to be held in memory. */
export interface ListingLimit {
  readonly names: number
  /** Length of all names together. */
  readonly characters: number
  /** Symbolic links, all of which have to be followed: a chain of them can take the system a tenth of a millisecond. */
  readonly links: number
}

/** Lists directories of one job, all of them together within one limit. */
export interface Lister {
  /** Files below a directory, relative; symbolic links are listed when they lead to a file, never descended. */
  filesBelow(directory: string): string[]
  /** Names of all entries of a directory. */
  entriesOf(directory: string): string[]
  /** Names of the files in a directory. */
  filesOf(directory: string): string[]
  /** There was more than the limit allows; what was listed is a part. */
  readonly isCut: boolean
  /** Directories that are there and could not be read: what they hold is not listed. Path and error ("EACCES"). */
  readonly unreadable: ReadonlyMap<string, string>
  /** Paths as listed, of files whose names on disk are not UTF-8: nothing can be opened by them. */
  readonly notUtf8: ReadonlySet<string>
}

/** Entries that are asked of the system at once. */
const BUFFER_ENTRIES = 256

/** There is no directory, or no file at the end of a link. */
function isDirectory(path: string): boolean {
  try {
    return fs.lstatSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false
  } catch (error) {
    if (NOT_THERE.has(errnoOf(error))) return false
    throw error
  }
}

const NOT_THERE: ReadonlySet<string | undefined> = new Set(['ENOENT', 'ENOTDIR', 'ELOOP'])

export function createLister(limit: ListingLimit): Lister {
  let names = 0
  let characters = 0
  let links = 0
  let isCut = false

  const unreadable = new Map<string, string>()
  const notUtf8 = new Set<string>()

  function noteUnreadable(directory: string | Buffer, error: unknown): void {
    const errno = errnoOf(error)
    if (errno === undefined) throw error
    if (!NOT_THERE.has(errno)) unreadable.set(directory.toString(), errno)
  }

  /** Calls back for each entry until the limit is reached. What is gone is empty; what cannot be read is noted. */
  function eachEntry(directory: string | Buffer, root: string, each: (entry: fs.Dirent) => void): void {
    let open: fs.Dir | undefined
    try {
      open = openConfined(directory, root, { bufferSize: BUFFER_ENTRIES })
      for (let entry = open.readSync(); entry && !isCut; entry = open.readSync()) {
        names++
        characters += entry.name.length
        if (names > limit.names || characters > limit.characters) {
          isCut = true
          return
        }
        if (entry.isSymbolicLink() && ++links > limit.links) isCut = true
        else each(entry)
      }
    } catch (error) {
      noteUnreadable(directory, error)
    } finally {
      open?.closeSync()
    }
  }

  /** What `names` of a directory is not UTF-8 on disk: files are noted, directories are the answer. */
  function sortOutRaw(directory: string | Buffer, root: string, prefix: string): Below[] {
    const found: Below[] = []
    try {
      for (const { raw, isDirectory } of notUtf8Names(directory, root, limit.names)) {
        const name = joinName(prefix, raw.toString())
        if (isDirectory) found.push({ name, path: joinRaw(directory, raw) })
        else notUtf8.add(joinName(directory.toString(), raw.toString()))
      }
    } catch (error) {
      noteUnreadable(directory, error)
    }
    return found
  }

  return {
    filesBelow(directory) {
      // A tool may have put a link in place of its directory; what that leads to is not the job's.
      if (!isDirectory(directory)) return []
      const root = realParent(directory)
      const files: string[] = []
      const waiting: Below[] = [{ name: '', path: directory }]
      for (let next = waiting.pop(); next && !isCut; next = waiting.pop()) {
        const below = next
        let isOdd = false
        // Counted with the directories above it: those are in every name.
        eachEntry(below.path, root, (entry) => {
          // Left by a crash in the middle of an upload: nobody's file.
          if (entry.name.startsWith(UPLOAD_PREFIX)) return
          const name = joinName(below.name, entry.name)
          characters += below.name.length
          const odd = mayBeOtherThanUtf8(entry.name)
          isOdd ||= odd
          if (entry.isDirectory()) {
            // One that is not UTF-8 is opened by its bytes, below.
            const path = joinRaw(below.path, entry.name)
            if (!odd || fs.existsSync(path)) waiting.push({ name, path })
          } else if (isFile(entry, joinRaw(below.path, entry.name))) {
            files.push(name)
            if (typeof below.path !== 'string') notUtf8.add(path.join(directory, name))
          }
        })
        if (isOdd) waiting.push(...sortOutRaw(below.path, root, below.name))
      }
      return files
    },
    entriesOf(directory) {
      const found: string[] = []
      eachEntry(directory, realParent(directory), (entry) => void found.push(entry.name))
      return found
    },
    filesOf(directory) {
      const found: string[] = []
      const root = realParent(directory)
      eachEntry(directory, root, (entry) => {
        if (isFile(entry, path.join(directory, entry.name))) found.push(entry.name)
      })
      if (found.some(mayBeOtherThanUtf8)) sortOutRaw(directory, root, '')
      return found
    },
    get isCut() {
      return isCut
    },
    unreadable,
    notUtf8,
  }
}

/** A directory that is still to be listed. */
interface Below {
  /** Relative, as it is listed. */
  readonly name: string
  readonly path: string | Buffer
}

function joinName(directory: string, name: string): string {
  return directory ? `${directory}/${name}` : name
}

/** A link that leads to what may not be looked at is one: whoever wants it learns why he cannot have it. */
function isFile(entry: fs.Dirent, file: string | Buffer): boolean {
  if (!entry.isSymbolicLink()) return entry.isFile()
  try {
    return !fs.statSync(file).isDirectory()
  } catch (error) {
    return mayBeOtherThanUtf8(entry.name) || !NOT_THERE.has(errnoOf(error))
  }
}
