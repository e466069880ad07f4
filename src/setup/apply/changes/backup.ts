import { giveName, writeTemporary } from '../../../lib/atomic-file.js'
import { MagnetarError } from '../../../lib/errors.js'
import { hasNoLinks } from './aside.js'
import type { ChangeTools } from './change-kind.js'
import { type CurrentFile, readCurrent } from './current-file.js'
import type { Place } from './place.js'

const MOST = 1000

/**
 * Keeps the file that is at the place as NAME.bak, or NAME.bak.1 and so on when that is taken, with its mode and owner. One that is
 * the same already will do: a run that was killed has made it.
 * @returns the name of a backup that was made now, undefined when there was one
 */
export function keepBackup(place: Place, current: CurrentFile, tools: ChangeTools): string | undefined {
  for (let number = 0; number < MOST; number++) {
    const name = number === 0 ? `${place.name}.bak` : `${place.name}.bak.${number}`
    const stats = tools.fs.lstatSync(place.at(name), { throwIfNoEntry: false })
    if (!stats) {
      copy(place, name, current, tools)
      return name
    }
    if (stats.isFile() && isSame(readCurrent(place, name, name, tools), current)) return undefined
  }
  throw new MagnetarError('SETUP_CONFLICT', `there are ${MOST} backups of ${place.name} already`, {
    fix: `Remove or move some of ${place.realDirectory}/${place.name}.bak*.`,
  })
}

function isSame(backup: CurrentFile | undefined, { bytes, attributes }: CurrentFile): boolean {
  return (
    backup?.bytes.equals(bytes) === true &&
    backup.attributes.mode === attributes.mode &&
    backup.attributes.uid === attributes.uid &&
    backup.attributes.gid === attributes.gid
  )
}

function copy(place: Place, name: string, { bytes, attributes }: CurrentFile, { fs }: ChangeTools): void {
  try {
    // The file itself, since the one that takes its name is another: so its times and access lists are kept too.
    fs.linkSync(place.at(place.name), place.at(name))
  } catch (error) {
    if (!hasNoLinks(error)) throw error
    // Under the temporary name of the file, which the next run knows.
    const temporary = writeTemporary(place.directory, place.name, bytes, attributes, fs)
    giveName({ ...temporary, target: place.at(name) }, fs)
  }
}
