import fs from 'node:fs'
import path from 'node:path'
import { UPLOAD_PREFIX } from '../../lib/confined-file.js'

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
}

/** Entries that are asked of the system at once. */
const BUFFER_ENTRIES = 256

export function createLister(limit: ListingLimit): Lister {
  let names = 0
  let characters = 0
  let links = 0
  let isCut = false

  /** Calls back for each entry until the limit is reached. What cannot be opened (gone, no rights, a path too long) is empty. */
  function eachEntry(directory: string, each: (entry: fs.Dirent) => void): void {
    let open: fs.Dir
    try {
      open = fs.opendirSync(directory, { bufferSize: BUFFER_ENTRIES })
    } catch {
      return
    }
    try {
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
    } finally {
      open.closeSync()
    }
  }

  return {
    filesBelow(directory) {
      // A tool may have put a link in place of its directory; what that leads to is not the job's.
      if (!fs.lstatSync(directory, { throwIfNoEntry: false })?.isDirectory()) return []
      const files: string[] = []
      const waiting = ['']
      for (let prefix = waiting.pop(); prefix !== undefined && !isCut; prefix = waiting.pop()) {
        const below = prefix
        // Counted with the directories above it: those are in every name.
        eachEntry(path.join(directory, below), (entry) => {
          // Left by a crash in the middle of an upload: nobody's file.
          if (entry.name.startsWith(UPLOAD_PREFIX)) return
          const name = below ? `${below}/${entry.name}` : entry.name
          characters += below.length
          if (entry.isDirectory()) waiting.push(name)
          else if (isFile(entry, path.join(directory, name))) files.push(name)
        })
      }
      return files
    },
    entriesOf(directory) {
      const found: string[] = []
      eachEntry(directory, (entry) => void found.push(entry.name))
      return found
    },
    filesOf(directory) {
      const found: string[] = []
      eachEntry(directory, (entry) => {
        if (isFile(entry, path.join(directory, entry.name))) found.push(entry.name)
      })
      return found
    },
    get isCut() {
      return isCut
    },
  }
}

function isFile(entry: fs.Dirent, file: string): boolean {
  if (!entry.isSymbolicLink()) return entry.isFile()
  try {
    return !fs.statSync(file).isDirectory()
  } catch {
    return false
  }
}
