import { access, constants } from 'node:fs/promises'
import { delimiter, join } from 'node:path'

/** Not on the PATH of a root shell that was made with plain `su`. */
const SYSTEM_DIRECTORIES = ['/usr/local/sbin', '/usr/sbin', '/sbin', '/usr/bin', '/bin']

/** Where a program of the system is, absolute; undefined: nowhere. */
export async function findProgram(
  name: string,
  path: string | undefined = process.env.PATH,
): Promise<string | undefined> {
  const named = (path ?? '').split(delimiter).filter((directory) => directory.startsWith('/'))
  for (const directory of [...named, ...SYSTEM_DIRECTORIES]) {
    const file = join(directory, name)
    const isHere = await access(file, constants.X_OK).then(
      () => true,
      () => false,
    )
    if (isHere) return file
  }
  return undefined
}
