import path from 'node:path'
import { temporaryName } from '../../../lib/atomic-file.js'
import { errnoOf, MagnetarError } from '../../../lib/errors.js'
import type { DirectoryChange } from '../../types.js'
import type { Ids } from '../owner.js'
import { type Attributes, attributesOf, setAttributes } from './attributes.js'
import type { ApplyChange, ChangeTools, Undo } from './change-kind.js'
import { makeDurable } from './durable.js'
import { mountsIn } from './mounts.js'
import { isWithin, type Place, withDirectory, withPlace } from './place.js'

/** Makes a directory, visible only when it has its mode and owner, or mends those of one that is there. */
export const applyDirectory: ApplyChange<DirectoryChange> = async (change, tools) => {
  const ids = await tools.findIds(change.owner)
  return withPlace(change.path, tools, async (place) => {
    let before: Attributes | undefined
    try {
      before = mend(place, place.name, { ...ids, mode: change.mode }, tools)
    } catch (error) {
      if (errnoOf(error) !== 'ENOENT') throw error
      return make(place, change, ids, tools)
    }
    if (before === undefined) return undefined
    return {
      restore: () =>
        withPlace(change.path, tools, (again) => {
          mend(again, again.name, before, tools)
        }),
    }
  })
}

/** What mode and owner were; undefined when they are as wanted. */
function mend(
  place: Place,
  name: string,
  wanted: Partial<Ids> & { readonly mode: number },
  tools: ChangeTools,
): Attributes | undefined {
  return withDirectory(place, name, tools, (fd) =>
    setAttributes(fd, { ...attributesOf(tools.fs.fstatSync(fd)), ...wanted }, tools),
  )
}

async function make(
  place: Place,
  change: DirectoryChange,
  ids: Ids | undefined,
  tools: ChangeTools,
): Promise<Undo> {
  const temporary = temporaryName(place.name)
  await tools.removeTree(place.at(temporary))
  tools.fs.mkdirSync(place.at(temporary), { mode: 0o700 })
  try {
    mend(place, temporary, { ...ids, mode: change.mode }, tools)
    tools.fs.renameSync(place.at(temporary), place.at(place.name))
  } catch (error) {
    await tools.removeTree(place.at(temporary))
    throw error
  }
  const restore = (): Promise<void> =>
    withPlace(change.path, tools, (again) => remove(again, change.path, tools))
  return makeDurable(place, { restore }, tools)
}

/**
 * What is in a directory that this run made was made by this run too, or by the server that it started; above the prefix somebody
 * else may have used it meanwhile.
 */
async function remove(
  place: Place,
  directory: string,
  { fs, prefix, removeTree }: ChangeTools,
): Promise<void> {
  if (!isWithin(prefix, directory)) return fs.rmdirSync(place.at(place.name))
  const mounts = mountsIn(path.join(place.realDirectory, place.name))
  if (mounts.length > 0) throw new MagnetarError('SETUP_CONFLICT', `${mounts.join(', ')} is mounted in it`)
  await removeTree(place.at(place.name))
}
