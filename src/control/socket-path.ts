import { type FileHandle, open } from 'node:fs/promises'
import path from 'node:path'

/** sun_path of Linux has 108 bytes, one of them for the end. */
const MAX_PATH_BYTES = 107

/** Where a server listens for the commands of its admins. The directory is its user's alone. */
export interface ControlPlace {
  readonly directory: string
  readonly socket: string
}

/** Beside the records of jobs; without them (`persistence_directory: __none__`) in our own directory of the staging directory. */
export function controlPlace(config: {
  readonly persistenceDirectory: string | null
  readonly stagingDirectory: string
}): ControlPlace {
  const directory =
    config.persistenceDirectory === null
      ? path.join(config.stagingDirectory, '.magnetar', 'control')
      : path.join(config.persistenceDirectory, 'magnetar-control')
  return { directory, socket: path.join(directory, 'socket') }
}

/**
 * A name of the socket that the kernel takes, however long its path is: through the open directory. Release it after the connection is
 * made or the listener closed. @throws the system error when the directory cannot be opened (ENOENT, EACCES)
 */
export async function shortName({ directory, socket }: ControlPlace): Promise<{
  readonly name: string
  release(): Promise<void>
}> {
  if (Buffer.byteLength(socket) <= MAX_PATH_BYTES) return { name: socket, release: async () => {} }
  const handle: FileHandle = await open(directory, 'r')
  return { name: `/proc/self/fd/${handle.fd}/socket`, release: () => handle.close() }
}
