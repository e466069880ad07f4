import path from 'node:path'
import { temporaryName } from '../../../lib/atomic-file.js'
import { MagnetarError } from '../../../lib/errors.js'
import type { RemoveChange } from '../../types.js'
import { dropAside } from './aside.js'
import type { ApplyChange, ChangeTools } from './change-kind.js'
import { makeDurable } from './durable.js'
import { mountsIn } from './mounts.js'
import { moveTree } from './move-tree.js'
import { asideName, isLeftoverName } from './names.js'
import { type Place, withPlace } from './place.js'

/** Takes a file, link or directory away; it is kept aside until the plan is done, unless it is what a killed run left behind. */
export const applyRemove: ApplyChange<RemoveChange> = (change, tools) =>
  withPlace(change.path, tools, async (place) => {
    if (!tools.fs.lstatSync(place.at(place.name), { throwIfNoEntry: false })) return undefined
    refuseMounts(place)
    if (isLeftoverName(place.name)) {
      await tools.removeTree(place.at(place.name))
      return undefined
    }
    // What this run itself has made there, in place of what is aside, takes the other name that the next run knows.
    const nameOf = tools.asides.has(change.path) ? temporaryName : asideName
    await tools.removeTree(place.at(nameOf(place.name)))
    moveTree(place, place.name, nameOf(place.name), tools)
    tools.asides.add(change.path)
    const restore = (): Promise<void> => putBack(change.path, nameOf, tools)
    const discard = (budgetMs: number): Promise<boolean> => dropAside(change.path, tools, budgetMs, nameOf)
    return makeDurable(place, { restore, discard }, tools)
  })

function putBack(file: string, nameOf: (name: string) => string, tools: ChangeTools): Promise<void> {
  return withPlace(file, tools, (place) => {
    const aside = nameOf(place.name)
    if (tools.fs.lstatSync(place.at(place.name), { throwIfNoEntry: false })) {
      const kept = path.join(path.dirname(file), aside)
      throw new MagnetarError(
        'SETUP_CONFLICT',
        `${file} is there again; what it was is in ${kept} until the next run`,
      )
    }
    moveTree(place, aside, place.name, tools)
  })
}

function refuseMounts(place: Place): void {
  const mounts = mountsIn(path.join(place.realDirectory, place.name))
  if (mounts.length === 0) return
  throw new MagnetarError('SETUP_CONFLICT', `a file system is mounted there (${mounts.join(', ')})`, {
    fix: `Unmount it first (${mounts.map((mount) => `umount ${mount}`).join('; ')}), or remove what is in it by hand.`,
  })
}
