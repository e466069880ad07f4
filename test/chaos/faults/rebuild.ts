import fs from 'node:fs'
import path from 'node:path'
import type { Random } from '../../peers/random.js'

/**
 * What a disk may hold after the power was lost.
 * `ordered`: as ext4 and XFS keep it: changes of names in their order up to some moment, not before the last sync of anything.
 * `strict`: as POSIX promises it and no more: a name is there only when its directory was synced after it was given.
 * In both, what was written to a file after its last sync is there, not there, or there in part.
 */
export type DiskModel = 'ordered' | 'strict'

interface Directory {
  readonly kind: 'directory'
  entries: Map<string, Entry>
  /** As it was last synced. */
  durable: Map<string, Entry>
}

interface File {
  readonly kind: 'file'
  /** Content when it was last synced. */
  synced: Buffer | undefined
}

type Entry = Directory | File | { readonly kind: 'link'; readonly to: string }

/** The tree as it is now, all of it on the disk. */
export function readDurable(root: string): Directory {
  const directory = newDirectory()
  for (const each of fs.readdirSync(root, { withFileTypes: true })) {
    const name = path.join(root, each.name)
    const entry: Entry = each.isDirectory()
      ? readDurable(name)
      : each.isSymbolicLink()
        ? { kind: 'link', to: fs.readlinkSync(name) }
        : { kind: 'file', synced: each.isFile() ? fs.readFileSync(name) : undefined }
    directory.entries.set(each.name, entry)
  }
  directory.durable = new Map(directory.entries)
  return directory
}

function newDirectory(): Directory {
  return { kind: 'directory', entries: new Map(), durable: new Map() }
}

/**
 * Replaces the tree at `root` by what was left of it, and empties the log. Nothing may be running in it.
 * @param before what readDurable had found when the log was begun
 */
export function losePower(
  root: string,
  before: Directory,
  logDirectory: string,
  model: DiskModel,
  random: Random,
): void {
  const lines = readLog(logDirectory)
  const replay = createReplay(root, before, logDirectory)
  const lastSync = lines.findLastIndex(([operation = '']) => operation.startsWith('sync')) + 1
  const commit = model === 'strict' ? lines.length : lastSync + random.below(lines.length - lastSync + 1)
  for (const line of lines.slice(0, commit)) replay(line)
  const kept = copyOf(before, model === 'strict' ? 'durable' : 'entries')
  for (const line of lines.slice(commit)) replay(line)

  const live = `${root}.live`
  fs.renameSync(root, live)
  const livePaths = new Map<Entry, string>()
  notePaths(before, live, livePaths)
  write(root, kept, (file) => contentAfter(file, livePaths.get(file), random))
  fs.rmSync(live, { recursive: true, force: true })
  fs.rmSync(logDirectory, { recursive: true, force: true })
  fs.mkdirSync(logDirectory)
}

function readLog(logDirectory: string): string[][] {
  try {
    const text = fs.readFileSync(path.join(logDirectory, 'log'), 'utf8')
    return text
      .split('\n')
      .slice(0, -1)
      .map((line) => line.split('\t'))
  } catch {
    return []
  }
}

function createReplay(
  root: string,
  tree: Directory,
  logDirectory: string,
): (line: readonly string[]) => void {
  const partsOf = (name: string): string[] =>
    path
      .relative(root, name)
      .split('/')
      .filter((part) => part !== '')
  function find(name: string): Entry | undefined {
    let at: Entry | undefined = tree
    for (const part of partsOf(name)) at = at?.kind === 'directory' ? at.entries.get(part) : undefined
    return at
  }
  function parentOf(name: string): Map<string, Entry> {
    const parent = find(path.dirname(name))
    // What something else than the watched processes made.
    return parent?.kind === 'directory' ? parent.entries : new Map()
  }
  return ([operation, first = '', second = '']) => {
    const last = path.basename(first)
    switch (operation) {
      case 'create':
        parentOf(first).set(last, { kind: 'file', synced: undefined })
        break
      case 'mkdir':
        parentOf(first).set(last, newDirectory())
        break
      case 'symlink':
        parentOf(first).set(last, { kind: 'link', to: '/nowhere' })
        break
      case 'unlink':
      case 'rmdir':
        parentOf(first).delete(last)
        break
      case 'rename':
      case 'link': {
        const moved = find(first) ?? { kind: 'file', synced: undefined }
        if (operation === 'rename') parentOf(first).delete(last)
        parentOf(second).set(path.basename(second), moved)
        break
      }
      case 'sync': {
        const file = find(first)
        if (file?.kind === 'file') file.synced = fs.readFileSync(path.join(logDirectory, second))
        break
      }
      case 'syncdir': {
        const directory = find(first)
        if (directory?.kind === 'directory') directory.durable = new Map(directory.entries)
        break
      }
    }
  }
}

interface Kept {
  readonly directories: Map<string, Kept>
  readonly files: Map<string, File>
  readonly links: Map<string, string>
}

function copyOf(directory: Directory, which: 'entries' | 'durable'): Kept {
  const kept: Kept = { directories: new Map(), files: new Map(), links: new Map() }
  for (const [name, entry] of directory[which]) {
    if (entry.kind === 'directory') kept.directories.set(name, copyOf(entry, which))
    else if (entry.kind === 'file') kept.files.set(name, entry)
    else kept.links.set(name, entry.to)
  }
  return kept
}

function notePaths(directory: Directory, at: string, paths: Map<Entry, string>): void {
  for (const [name, entry] of directory.entries) {
    const full = path.join(at, name)
    paths.set(entry, full)
    if (entry.kind === 'directory') notePaths(entry, full, paths)
  }
}

function write(directory: string, kept: Kept, contentOf: (file: File) => Buffer): void {
  fs.mkdirSync(directory)
  for (const [name, each] of kept.directories) write(path.join(directory, name), each, contentOf)
  for (const [name, to] of kept.links) fs.symlinkSync(to, path.join(directory, name))
  for (const [name, file] of kept.files)
    fs.writeFileSync(path.join(directory, name), contentOf(file), { mode: 0o700 })
}

/** What was synced, and of what came after it all, nothing, a part, or a part and zeros. */
function contentAfter(file: File, live: string | undefined, random: Random): Buffer {
  const synced = file.synced ?? Buffer.alloc(0)
  const latest = live === undefined ? undefined : readIfThere(live)
  if (latest === undefined || latest.equals(synced)) return synced
  const fate = random.below(4)
  if (fate === 0) return synced
  if (fate === 1) return latest
  const from = latest.length > synced.length ? synced.length : 0
  const part = latest.subarray(0, from + random.below(latest.length - from + 1))
  return fate === 2 ? part : Buffer.concat([part, Buffer.alloc(latest.length - part.length)])
}

function readIfThere(file: string): Buffer | undefined {
  try {
    return fs.readFileSync(file)
  } catch {
    return undefined
  }
}
