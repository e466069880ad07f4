import nodeFs from 'node:fs'
import path from 'node:path'
import { errnoOf, MagnetarError } from './errors.js'

/** What is used of node:fs to change the disk. A test gives its own, to end the process in the middle. */
export type FileSystem = Pick<
  typeof nodeFs,
  | 'chmodSync'
  | 'chownSync'
  | 'closeSync'
  | 'fchmodSync'
  | 'fchownSync'
  | 'fstatSync'
  | 'fsyncSync'
  | 'lchownSync'
  | 'linkSync'
  | 'lstatSync'
  | 'mkdirSync'
  | 'openSync'
  | 'readFileSync'
  | 'readdirSync'
  | 'readlinkSync'
  | 'renameSync'
  | 'rmdirSync'
  | 'symlinkSync'
  | 'unlinkSync'
  | 'writeSync'
>

export interface FileAttributes {
  /** Permission bits; the umask does not count. */
  readonly mode: number
  /** undefined: whoever this process runs as. */
  readonly uid?: number | undefined
  readonly gid?: number | undefined
}

/** A file that is complete and on the disk, but does not have its name yet: giveName gives it, and closes it. */
export interface TemporaryFile {
  readonly fd: number
  readonly path: string
  readonly target: string
}

const { O_RDONLY, O_WRONLY, O_CREAT, O_EXCL, O_NOFOLLOW, O_DIRECTORY } = nodeFs.constants

/**
 * The name under which a file or directory is made before it gets its own. Always the same, so that the next run finds what a killed
 * one left behind.
 */
export function temporaryName(name: string): string {
  return `.${name}.magnetar-new`
}

/**
 * Writes a whole file in one rename: whoever reads `file` sees the old content or the new. It is on the disk when this resolves, and
 * never readable for others before it has its mode. A link at `file` is replaced, not followed. On failure nothing is left.
 * @throws the system error; MagnetarError SETUP_BUSY when another process writes the same file at this moment; the signal's reason
 */
export async function writeFileAtomically(
  file: string,
  content: string | Uint8Array,
  options: FileAttributes & { readonly signal?: AbortSignal | undefined },
): Promise<void> {
  options.signal?.throwIfAborted()
  const directory = path.dirname(file)
  giveName(writeTemporary(directory, path.basename(file), content, options))
  syncDirectory(directory)
}

/** Writes what is to become directory/name under its temporary name. Errors: the system's; then nothing is left. */
export function writeTemporary(
  directory: string,
  name: string,
  content: string | Uint8Array,
  { mode, uid, gid }: FileAttributes,
  fs: FileSystem = nodeFs,
): TemporaryFile {
  const temporary = path.join(directory, temporaryName(name))
  unlinkIfThere(temporary, fs)
  const fd = fs.openSync(temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600)
  try {
    const bytes = typeof content === 'string' ? Buffer.from(content) : content
    for (let at = 0; at < bytes.length; ) at += fs.writeSync(fd, bytes, at)
    const stats = fs.fstatSync(fd)
    const owner = { uid: uid ?? stats.uid, gid: gid ?? stats.gid }
    if (owner.uid !== stats.uid || owner.gid !== stats.gid) fs.fchownSync(fd, owner.uid, owner.gid)
    // After the owner: a change of owner takes some bits away.
    fs.fchmodSync(fd, mode)
    fs.fsyncSync(fd)
    return { fd, path: temporary, target: path.join(directory, name) }
  } catch (error) {
    quietly(() => fs.closeSync(fd))
    quietly(() => fs.unlinkSync(temporary))
    throw error
  }
}

/**
 * Gives a temporary file its name, in place of what has it. Durable after syncDirectory. On failure the temporary file is gone.
 * @throws MagnetarError SETUP_BUSY when another process has put its own temporary file there meanwhile; the system error
 */
export function giveName(file: TemporaryFile, fs: FileSystem = nodeFs): void {
  try {
    // Whoever writes the same file removes the temporary one that is there first.
    if (fs.fstatSync(file.fd).nlink === 0) {
      const message = `another process writes ${path.basename(file.target)} at this moment; nothing was changed`
      throw new MagnetarError('SETUP_BUSY', message, {
        fix: 'Run the command again when the other has ended.',
      })
    }
    try {
      fs.renameSync(file.path, file.target)
    } catch (error) {
      quietly(() => fs.unlinkSync(file.path))
      throw error
    }
  } finally {
    fs.closeSync(file.fd)
  }
}

/** Removes a file or link; one that is not there is no error. */
export function unlinkIfThere(file: string, fs: FileSystem = nodeFs): void {
  try {
    fs.unlinkSync(file)
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw error
  }
}

/** Makes the names in a directory durable, as far as this process may read it and its file system knows how. */
export function syncDirectory(directory: string, fs: FileSystem = nodeFs): void {
  let fd: number
  try {
    fd = fs.openSync(directory, O_RDONLY | O_DIRECTORY)
  } catch (error) {
    if (errnoOf(error) === 'EACCES') return
    throw error
  }
  try {
    fs.fsyncSync(fd)
  } catch (error) {
    // Some network file systems do not do this for directories.
    if (errnoOf(error) !== 'EINVAL') throw error
  } finally {
    fs.closeSync(fd)
  }
}

function quietly(action: () => void): void {
  try {
    action()
  } catch {
    // The error that is being reported is the first one.
  }
}
